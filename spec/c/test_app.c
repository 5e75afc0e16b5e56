/* The app's face: emits and what becomes of those that find no room, who is there, disconnecting. */
#include "engine/app.c"

#include "engine/farewell.h"

#include "engine_world.h"

#define TAG "0123456789abcdef"

static struct world *world;

static int begin(void **state)
{
    (void)state;
    world = world_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free(world);
    return 0;
}

static struct client *tab(const char *user, const char *query)
{
    char headers[100];
    snprintf(headers, sizeof(headers), "x-user: %s", user);
    struct client *client = request(world, "GET", "/events", query, headers);
    assert_int_equal(client->state, CLIENT_STREAM);
    return client;
}

static void publishes_in_order(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *client = tab("ann", "topic=open:1");
    client_forget(client);
    const struct app_emit emits[] = {
        {.name = BYTES("open:1"), .emit = {.type = BYTES("a"), .data = BYTES("1")}},
        {.name = BYTES("user:ann"), .resync = "rule"},
        {.name = BYTES("user:ann"), .emit = {.type = BYTES("b"), .data = BYTES("2")}},
        {.name = BYTES("open:1"), .emit = {.type = BYTES("a"), .data = BYTES("3")}}};
    app_emit(world->app, emits, COUNT(emits));
    settle(world);
    assert_story(client, "a 1\nresync {\"reason\":\"rule\",\"missed\":null,"
                         "\"topics\":[\"user:ann\"]}\nb 2\na 3\n");
}

static void tells_of_a_trigger_that_found_no_room(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.hub.topics = 1;
    world->mine->options.history_size = 0;
    world_start(world, &limits);
    struct client *client = tab("ann", NULL);
    char query[100];
    snprintf(query, sizeof(query), "last_event_id=%.*s", (int)client->parser.last_id.size,
             client->parser.last_id.data);
    client_cut(client);
    settle(world); /* the topic is gone */
    world->names = "news";
    struct client *other = tab("bob", NULL); /* and its room is taken */
    emit(world, "user:ann", "lost");
    assert_text(buf_bytes(&world->faults), "a topic cannot be had\n");
    buf_clear(&world->faults);
    const struct explain_trigger *lost = explain_trigger_at(app_explain(world->app), 0);
    assert_int_equal(lost->state, EXPLAIN_LOST);
    assert_string_equal(lost->topic->text, "user:ann");
    client_cut(other);
    settle(world);
    world->names = NULL;
    client = tab("ann", query);
    assert_story(client, "ready {\"resumed\":false,\"missed\":null,\"tag\":null}\n"
                         "resync {\"reason\":\"history\",\"missed\":null,\"topics\":[\"user:ann\"]}\n");
}

#define NOTHING ((struct bytes){NULL, 0})

static void disconnects_a_user_a_tab_or_all(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *one = tab("ann", "tag=" TAG), *two = tab("ann", NULL), *other = tab("bob", NULL);
    struct atom *ann = atom_of("ann"), *tag = atom_of(TAG);
    assert_true(app_tab_open(world->app, ann, tag));
    assert_int_equal(app_disconnect(world->app, atom_bytes(ann), atom_bytes(tag), &(struct farewell){.final = false}), 1);
    assert_int_equal(app_disconnect(world->app, atom_bytes(ann), atom_bytes(tag), &(struct farewell){.final = false}), 0);
    assert_false(app_tab_open(world->app, ann, tag));
    settle(world);
    assert_string_equal(one->why, "kicked");
    assert_int_equal(two->state, CLIENT_STREAM);
    assert_int_equal(app_disconnect(world->app, atom_bytes(ann), NOTHING, &(struct farewell){.final = false}), 1);
    assert_int_equal(app_disconnect(world->app, NOTHING, NOTHING, &(struct farewell){.final = false}), 1);
    settle(world);
    assert_string_equal(two->why, "kicked");
    assert_string_equal(other->why, "kicked");
    assert_int_equal(node_counters(world->node)->ends[END_KICKED], 3);
    assert_int_equal(leases(world), 0);
    atom_unref(ann);
    atom_unref(tag);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(publishes_in_order),
        TEST(tells_of_a_trigger_that_found_no_room),
        TEST(disconnects_a_user_a_tab_or_all),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
