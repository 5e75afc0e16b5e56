/* Topics whose triggers come by a bus: loaded, live, broken; places that are no positions. */
#include "hub/carried.c"

#include "carried_world.h"

#define READY(resumed, missed)                                                                     \
    "ready {\"resumed\":" resumed ",\"missed\":" missed ",\"tag\":null}\n"
#define NEW READY("false", "null")
#define RESYNC(reason, topic)                                                                      \
    "resync {\"reason\":\"" reason "\",\"missed\":null,\"topics\":[\"" topic "\"]}\n"

static struct carrier *carrier;
static struct world *world;

static void begin(uint32_t servers)
{
    carrier = carrier_new(servers);
    world = carrier->world;
    for (uint8_t i = 0; i < servers; i++) order_begin(&world->order, i, 100);
}

static int tear_down(void **state)
{
    carrier_free(carrier);
    assert_int_equal(frame_live(), 0);
    assert_int_equal(atom_live(), 0);
    return nothing_left(state);
}

static struct topic *loaded(const char *name)
{
    struct topic *topic = topic_of(world, name);
    topic_load_begin(topic, 0);
    topic_loaded(topic);
    return topic;
}

/* A client in a topic that is loaded before it starts. */
static struct tab *start_in(const char *name, const struct tab *cursor)
{
    struct topic *topic = topic_of(world, name);
    struct tab *tab = tab_new(world, NULL, NULL, NULL);
    subscriber_join(tab->subscriber, topic);
    if (!topic_is_loaded(topic)) loaded(name);
    tab_start(tab, cursor);
    return tab;
}

static struct places places_of(const struct tab *tab)
{
    struct places places = {{0}};
    assert_true(cursor_read(&world->order.epoch, buf_bytes(&tab->parser.last_id), &places));
    return places;
}

static void what_is_emitted_is_handed_over(void **state)
{
    (void)state;
    begin(1);
    struct tab *tab = start_in("a0", NULL);
    assert_int_equal(emit(world, "a0", "1"), 0);
    topic_resync(topic_of(world, "a0"), "rule", 0);
    assert_bytes(buf_bytes(&carrier->published),
                 BYTES("a0 t 1\na0 - {\"reason\":\"rule\",\"missed\":null,\"topics\":[\"a0\"]}\n"));
    settle(world);
    assert_read(tab, NEW);
    receive(topic_of(world, "a0"), 500, "1");
    settle(world);
    assert_read(tab, "t 1\n");
    assert_int_equal(places_of(tab).at[0], 500);
    hub_lose(world->hub, BYTES("z0"));
    assert_int_equal(carrier->lost, 1);
}

/* What waits in a window is handed over at its end, although nobody here has the topic. */
static void a_window_holds_a_topic_that_nobody_has(void **state)
{
    (void)state;
    begin(1);
    topic_emit(topic_of(world, "a0"), &(struct emit){.type = BYTES("t"),
                                                     .data = BYTES("w"),
                                                     .replaces = BYTES("k"),
                                                     .within_ms = 50});
    advance(world, 49);
    assert_int_equal(carrier->published.size, 0);
    advance(world, 1);
    assert_bytes(buf_bytes(&carrier->published), BYTES("a0 t w\n"));
    assert_null(hub_topic_find(world->hub, BYTES("a0")));
    assert_int_equal(carrier->wanted, 0);
}

static struct topic_waiter waiter;
static int told_loaded;

static void on_done(struct topic_waiter *told)
{
    assert_ptr_equal(told, &waiter);
    told_loaded++;
}

static void who_waits_makes_it_wanted_and_is_told(void **state)
{
    (void)state;
    begin(1);
    told_loaded = 0;
    waiter.done = on_done;
    struct topic *topic = topic_of(world, "a0");
    assert_false(topic_is_loaded(topic));
    topic_await(topic, &waiter);
    settle(world);
    assert_int_equal(carrier->wanted, 1); /* and it is there still */
    topic_await_no_more(&waiter);
    topic_await_no_more(&waiter);
    assert_int_equal(carrier->unwanted, 1);
    topic_await(topic, &waiter);
    loaded("a0");
    assert_int_equal(told_loaded, 1);
    topic_await_no_more(&waiter);
    settle(world);
    assert_null(hub_topic_find(world->hub, BYTES("a0")));
    assert_int_equal(carrier->wanted, 2);
    assert_int_equal(carrier->unwanted, 2);
}

static void what_is_loaded_can_be_resumed_from_and_what_comes_is_live(void **state)
{
    (void)state;
    begin(1);
    struct tab *before = start_in("b0", NULL); /* stands at 100 */
    tab_cut(before);
    order_heard(&world->order, 0, 400);
    struct topic *topic = topic_of(world, "a0");
    struct tab *tab = tab_new(world, NULL, NULL, NULL), *unsure = tab_new(world, NULL, NULL, NULL);
    subscriber_join(tab->subscriber, topic);
    receive(topic, 300, "too early"); /* is in what is loaded */
    topic_load_begin(topic, 90);
    load(topic, 95, "1"), load(topic, 300, "2"), load(topic, 400, "3");
    topic_loaded(topic);
    tab_start(tab, before);
    assert_read(tab, READY("true", "2") "t 2\nt 3\n");
    assert_int_equal(places_of(tab).at[0], 400);
    receive(topic, 400, "3"), receive(topic, 300, "2"); /* once more */
    receive(topic, 401, "4");
    settle(world);
    assert_read(tab, "t 4\n");
    assert_int_equal(places_of(tab).at[0], 401);
    assert_int_equal(topic_kept(topic), 4);

    struct topic *other = topic_of(world, "d0");
    subscriber_join(unsure->subscriber, other);
    topic_load_begin(other, 101); /* older ones are lost */
    topic_loaded(other);
    tab_start(unsure, before);
    assert_read(unsure, NEW RESYNC("history", "d0"));
}

static void who_joins_before_it_is_loaded_is_told_of_what_came_between(void **state)
{
    (void)state;
    begin(1);
    struct tab *tab = start_in("b0", NULL), *later = start_in("b0", NULL);
    struct topic *topic = topic_of(world, "a0");
    order_heard(&world->order, 0, 199);
    subscriber_join(tab->subscriber, topic);
    receive(topic, 200, "1");
    settle(world);
    assert_read(tab, NEW);
    assert_int_equal(world->order.heard.at[0], 200); /* there is nothing in front of it */
    subscriber_join(later->subscriber, topic);
    topic_load_begin(topic, 0);
    load(topic, 200, "1");
    topic_loaded(topic);
    receive(topic, 201, "2");
    settle(world);
    assert_read(tab, RESYNC("history", "a0") "t 2\n");
    assert_read(later, NEW "t 2\n");
}

static void who_does_not_wait_is_told(void **state)
{
    (void)state;
    begin(1);
    struct tab *before = start_in("b0", NULL);
    tab_cut(before);
    struct topic *topic = topic_of(world, "a0");
    struct tab *tab = tab_new(world, NULL, NULL, NULL);
    subscriber_join(tab->subscriber, topic);
    tab_start(tab, before);
    assert_read(tab, NEW RESYNC("history", "a0"));
    loaded("a0");
    receive(topic, 201, "2");
    settle(world);
    assert_read(tab, "t 2\n");
}

static void who_joined_meanwhile_gets_what_newcomers_get(void **state)
{
    (void)state;
    begin(1);
    struct tab *tab = start_in("b0", NULL), *fresh = tab_new(world, NULL, NULL, NULL);
    struct topic *topic = topic_of(world, "r0"), *view = topic_of(world, "v0");
    struct atom *type = atom_of("t");
    subscriber_join(tab->subscriber, topic), subscriber_greet(tab->subscriber, topic);
    subscriber_join(tab->subscriber, view), subscriber_greet(tab->subscriber, view);
    subscriber_join(fresh->subscriber, topic);
    tab_start(fresh, NULL); /* without waiting */
    assert_true(list_empty(&world->exposures));
    topic_load_begin(topic, 0);
    topic_load_retained(topic, &(struct emission){.type = type, .data = BYTES("state")}, 0);
    topic_loaded(topic);
    loaded("v0");
    settle(world);
    assert_false(list_empty(&world->exposures));
    world_snapshot(CONTAINER(world->exposures.next, struct exposure, node), true, "view");
    settle(world);
    assert_read(tab, NEW "t state\nsnap view\n");
    assert_read(fresh, NEW "t state\n");
    atom_unref(type);
}

static void a_break_is_told_to_all_and_leaves_nothing(void **state)
{
    (void)state;
    begin(1);
    struct tab *before = start_in("b0", NULL), *tab = start_in("a0", NULL);
    struct tab *other = start_in("a0", NULL);
    tab_cut(before);
    receive(topic_of(world, "a0"), 200, "1");
    settle(world);
    assert_read(tab, NEW "t 1\n");
    const uint64_t position = world->order.position;
    topic_break(topic_of(world, "a0"), "gap");
    settle(world);
    assert_int_equal(world->order.position, position);
    assert_read(tab, RESYNC("gap", "a0"));
    assert_read(other, NEW "t 1\n" RESYNC("gap", "a0"));
    assert_int_equal(topic_kept(topic_of(world, "a0")), 0);
    tab_cut(other);
    assert_read(start_in("a0", other), READY("true", "0")); /* stands where it broke */
    assert_read(start_in("a0", before), NEW RESYNC("history", "a0"));
    receive(topic_of(world, "a0"), 201, "2");
    settle(world);
    assert_read(tab, "t 2\n");
}

/* The ids that were given since say that it had come. */
static void what_comes_too_late_breaks_its_topic(void **state)
{
    (void)state;
    begin(1);
    struct tab *tab = start_in("a0", NULL), *other = start_in("b0", NULL);
    receive(topic_of(world, "b0"), 300, "b");
    receive(topic_of(world, "a0"), 299, "late");
    settle(world);
    assert_read(tab, NEW RESYNC("history", "a0"));
    assert_read(other, NEW "t b\n");
}

static void a_topic_that_nobody_wants_goes_unless_it_is_held(void **state)
{
    (void)state;
    begin(1);
    struct tab *tab = start_in("a0", NULL);
    receive(topic_of(world, "a0"), 200, "1");
    tab_cut(tab);
    assert_null(hub_topic_find(world->hub, BYTES("a0")));
    carrier->holding = true;
    tab = start_in("a0", NULL);
    assert_int_equal(topic_kept(topic_of(world, "a0")), 0);
    receive(topic_of(world, "a0"), 201, "2");
    tab_cut(tab); /* before it was fanned out */
    assert_int_equal(carrier->unwanted, 2);
    receive(topic_of(world, "a0"), 202, "3");
    settle(world);
    struct tab *again = start_in("a0", tab);
    assert_read(again, READY("true", "2") "t 2\nt 3\n");
    tab_cut(again);
    topic_unload(carrier->held);
    assert_int_equal(topic_kept(carrier->held), 0);
    assert_false(topic_is_loaded(carrier->held));
    topic_let_go(carrier->held);
    settle(world);
    assert_null(hub_topic_find(world->hub, BYTES("a0")));
}

static void another_epoch_ends_all_cursors(void **state)
{
    (void)state;
    begin(1);
    struct tab *tab = start_in("a0", NULL), *quiet = start_in("a0", NULL);
    tab_cut(tab);
    advance(world, 20000); /* a heartbeat that could be shared */
    order_epoch(&world->order, 0, 8, (struct hash_key){5, 6}, (struct hash_key){7, 8});
    order_begin(&world->order, 0, 100);
    topic_break(topic_of(world, "a0"), "epoch");
    assert_read(start_in("a0", tab), NEW RESYNC("epoch", "a0"));
    advance(world, 20000);
    assert_read(quiet, NEW RESYNC("epoch", "a0"));
    assert_int_equal(places_of(quiet).at[0], 100);
}

/* Behind the news of an epoch nothing comes of the one before: only in front of it may a client tell them apart. */
static void what_was_on_its_way_comes_in_front_of_a_break(void **state)
{
    (void)state;
    begin(1);
    struct tab *tab = start_in("a0", NULL), *other = start_in("b0", NULL);
    world->hub->fanout.step_cost = 1;
    receive(topic_of(world, "b0"), 200, "b1");
    receive(topic_of(world, "a0"), 201, "a1");
    order_epoch(&world->order, 0, 8, (struct hash_key){5, 6}, (struct hash_key){7, 8});
    order_begin(&world->order, 0, 300);
    topic_break(topic_of(world, "a0"), "epoch");
    receive(topic_of(world, "a0"), 301, "a1");
    settle(world);
    assert_read(tab, NEW "t a1\n" RESYNC("epoch", "a0") "t a1\n");
    assert_read(other, NEW "t b1\n");
}

static void while_a_fan_out_is_under_way_no_id_says_too_much(void **state)
{
    (void)state;
    begin(2);
    struct tab *tab = start_in("a0", NULL);
    receive(topic_of(world, "a0"), 200, "1");
    order_heard(&world->order, 1, 900); /* quiet, and behind the first's id */
    char cursor[CURSOR_MAX];
    struct places places;
    size_t size = hub_cursor(world->hub, cursor);
    assert_true(cursor_read(&world->order.epoch, bytes_run(cursor, size), &places));
    assert_int_equal(places.at[0], 199);
    assert_int_equal(places.at[1], 100);
    world->clock.now_ms += 20000; /* a heartbeat in front of it */
    wheel_advance(&world->clock.wheel, world->clock.now_ms);
    assert_int_equal(places_of(tab).at[0], 100);
    settle(world);
    size = hub_cursor(world->hub, cursor);
    assert_true(cursor_read(&world->order.epoch, bytes_run(cursor, size), &places));
    assert_int_equal(places.at[0], 200);
    assert_int_equal(places.at[1], 900);
    advance(world, 20000);
    assert_int_equal(places_of(tab).at[1], 900);
}

static void a_cursor_from_a_node_that_is_ahead_is_to_be_waited_for(void **state)
{
    (void)state;
    begin(2);
    char cursor[CURSOR_MAX];
    const struct places ahead = {{100, 101}};
    const struct bytes id =
        bytes_run(cursor, cursor_write(&world->order.epoch, &ahead, cursor));
    assert_true(order_is_behind_cursor(&world->order, id));
    assert_false(order_is_behind_cursor(&world->order, BYTES("anything")));
    order_heard(&world->order, 1, 101);
    assert_false(order_is_behind_cursor(&world->order, id));
}

/* The id of a resync in front of what waits: all in front of that, of every server. */
static void who_lagged_stands_before_what_comes_behind_it(void **state)
{
    (void)state;
    static const struct subscriber_options narrow = {.queue_frames = 2,
                                                     .queue_bytes = 1 << 20,
                                                     .stall_ms = 30000,
                                                     .verdict_ms = 2000,
                                                     .replay_max = 300};
    begin(2);
    struct tab *tab = tab_new(world, &narrow, NULL, NULL);
    loaded("a0"), loaded("b1");
    subscriber_join(tab->subscriber, topic_of(world, "a0"));
    subscriber_join(tab->subscriber, topic_of(world, "b1"));
    tab_start(tab, NULL);
    tab->room = 0;
    for (uint64_t i = 1; i <= 9; i++) {
        receive(topic_of(world, i % 2 ? "a0" : "b1"), 200 + i, "x");
        settle(world);
    }
    assert_read(tab, NEW);
    tab_takes(tab, SIZE_MAX);
    assert_non_null(memmem(tab->story.data, tab->story.size, "lagged", 6));
    assert_int_equal(places_of(tab).at[0], 209);
    assert_int_equal(places_of(tab).at[1], 208);
}

/* The shared frame of a trigger that was loaded says nothing of the other server. */
static void replayed_ids_are_the_clients_own(void **state)
{
    (void)state;
    begin(2);
    struct tab *before = start_in("z0", NULL);
    tab_cut(before);
    order_heard(&world->order, 0, 300), order_heard(&world->order, 1, 300);
    struct tab *tab = tab_new(world, NULL, NULL, NULL);
    struct topic *a = topic_of(world, "a0"), *b = topic_of(world, "b1");
    subscriber_join(tab->subscriber, a), subscriber_join(tab->subscriber, b);
    topic_load_begin(b, 0), load(b, 150, "b1"), load(b, 250, "b2"), topic_loaded(b);
    topic_load_begin(a, 0), load(a, 120, "a1"), load(a, 200, "a2"), topic_loaded(a);
    tab->room = 0;
    tab_start(tab, before);
    static const uint64_t want[][2] = {{100, 100}, {120, 100}, {120, 150}, {200, 150}, {200, 250}};
    for (size_t i = 0; i < COUNT(want); i++) {
        const struct places stood = i ? places_of(tab) : (struct places){{0}};
        struct places now = stood;
        while (now.at[0] == stood.at[0] && now.at[1] == stood.at[1]) {
            tab_takes(tab, 1);
            if (tab->parser.last_id.size) now = places_of(tab);
        }
        assert_int_equal(now.at[0], want[i][0]);
        assert_int_equal(now.at[1], want[i][1]);
    }
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, READY("true", "4") "t a1\nt b1\nt a2\nt b2\n");
}

static void what_only_this_node_has_is_in_no_id_and_no_history(void **state)
{
    (void)state;
    char cursor[CURSOR_MAX];
    struct atom *type = atom_of("t");
    const struct emission here = {.type = type, .data = BYTES("2")};
    begin(1);
    topic_receive_here(topic_of(world, "a0"), &here); /* it is not loaded: nobody has it */
    struct tab *tab = start_in("a0", NULL);
    settle(world);
    assert_read(tab, NEW);
    receive(topic_of(world, "a0"), 500, "1");
    topic_receive_here(topic_of(world, "a0"), &here);
    assert_true(hub_cursor(world->hub, cursor) > 0);
    settle(world);
    assert_read(tab, "t 1\nt 2\n");
    assert_int_equal(places_of(tab).at[0], 500);
    assert_int_equal(topic_kept(topic_of(world, "a0")), 1);
    assert_read(start_in("a0", tab), READY("true", "0"));
    receive(topic_of(world, "a0"), 600, "3");
    settle(world);
    assert_read(tab, "t 3\n");
    assert_int_equal(places_of(tab).at[0], 600);
    atom_unref(type);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_emitted_is_handed_over),
        TEST(a_window_holds_a_topic_that_nobody_has),
        TEST(who_waits_makes_it_wanted_and_is_told),
        TEST(what_is_loaded_can_be_resumed_from_and_what_comes_is_live),
        TEST(who_joins_before_it_is_loaded_is_told_of_what_came_between),
        TEST(who_does_not_wait_is_told),
        TEST(who_joined_meanwhile_gets_what_newcomers_get),
        TEST(a_break_is_told_to_all_and_leaves_nothing),
        TEST(what_comes_too_late_breaks_its_topic),
        TEST(a_topic_that_nobody_wants_goes_unless_it_is_held),
        TEST(another_epoch_ends_all_cursors),
        TEST(what_was_on_its_way_comes_in_front_of_a_break),
        TEST(while_a_fan_out_is_under_way_no_id_says_too_much),
        TEST(a_cursor_from_a_node_that_is_ahead_is_to_be_waited_for),
        TEST(who_lagged_stands_before_what_comes_behind_it),
        TEST(replayed_ids_are_the_clients_own),
        TEST(what_only_this_node_has_is_in_no_id_and_no_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
