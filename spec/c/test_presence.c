/* Presence, with the hub and the engine around it: what the rig's specs cannot see of
 * it: the limit, what stands in its row, what is freed. */
#include "engine/presence.c"

#include "engine/presence_tell.c"
#include "engine/reload.h"
#include "engine_world.h"

static struct world *world;

static void attend(struct plan_topic *topic, uint64_t grace_ms, uint64_t beat_ms)
{
    topic->options.attended = true;
    topic->presence = (struct plan_presence){grace_ms, beat_ms, HOOK_PRESENCE + 1};
}

static int begin(void **state)
{
    (void)state;
    world = world_new();
    attend(world->news, 5000, 0);
    world->names = "news";
    world_start(world, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free(world);
    return 0;
}

static struct presence *here(void)
{
    return app_presence(world->app);
}

/* Of what was called, the changes. */
static void assert_told(const char *expected)
{
    struct buf told = BUF_EMPTY;
    const char *at = buf_text(&world->said);
    while ((at = strstr(at, "presence:"))) {
        size_t size = strcspn(at, " ");
        if (told.size) buf_add_char(&told, ' ');
        buf_add(&told, at + 9, size - 9);
        at += size;
    }
    assert_text(buf_bytes(&told), expected);
    buf_destroy(&told);
    buf_clear(&world->said);
}

static void go(struct client *client)
{
    client_cut(client);
    settle(world);
}

static void tells_users_not_tabs(void **state)
{
    (void)state;
    struct client *one = connect_tab(world, "ann"), *two = connect_tab(world, "ann");
    assert_told("ann:online");
    assert_int_equal(here()->counters.online, 1);
    go(one);
    advance(world, 10000);
    assert_told("");
    go(two);
    advance(world, 4999);
    assert_told("");
    advance(world, 1);
    assert_told("ann:offline");
    assert_int_equal(here()->_entries.count, 0);
    assert_true(list_empty(&here()->_all));
}

static void counts_nobody_above_the_limit(void **state)
{
    (void)state;
    char name[] = "a";
    struct client *tabs[6];
    for (int i = 0; i < 6; i++, name[0]++) tabs[i] = connect_tab(world, name);
    assert_told("a:online b:online c:online d:online");
    assert_int_equal(here()->counters.refused, 2);
    go(tabs[4]); /* was never there */
    go(tabs[0]);
    advance(world, 5000);
    assert_told("a:offline");
    struct client *again = connect_tab(world, "f"); /* now there is room: both its tabs count */
    assert_told("f:online");
    go(again);
    advance(world, 5000);
    assert_told("");
    go(tabs[5]);
    advance(world, 5000);
    assert_told("f:offline");
}

static void keeps_nothing_for_other_topics(void **state)
{
    (void)state;
    world->names = "open:1";
    connect_tab(world, "ann");
    assert_int_equal(here()->_entries.count, 0);
    assert_told("");
}

/* A second plan of the same app; its news is attended if a grace is given. */
static struct plan_topic *next_rules(int64_t grace_ms)
{
    struct plan *plan = another_plan(world, BYTES("app"));
    struct plan_topic *news = make_topic(plan, "news");
    if (grace_ms >= 0) attend(news, (uint64_t)grace_ms, 0);
    make_stream(plan, "events", "/events")->at.identity = HOOK_AUTHENTICATE + 1;
    plan->streams[0]->topics = HOOK_TOPICS + 1;
    return news;
}

static void reload(void)
{
    reload_app(world->app, generation_new(world->others[world->other_count - 1], &world->hooks,
                                          &world->later, NULL, NULL));
    settle(world);
}

static void forgets_while_a_call_waits(void **state)
{
    (void)state;
    world->answers[HOOK_PRESENCE] = ANSWER_WAIT;
    struct client *one = connect_tab(world, "ann");
    go(one);
    next_rules(-1);
    reload();
    assert_int_equal(here()->_entries.count, 0);
    assert_false(presence_idle(here()));
    world_answer(world, HOOK_PRESENCE, OUTCOME_UNKNOWN);
    assert_true(presence_idle(here()));
    advance(world, 60000);
    assert_told("ann:online");
}

static void goes_over_to_new_rules_while_a_call_waits(void **state)
{
    (void)state;
    world->answers[HOOK_PRESENCE] = ANSWER_WAIT;
    struct client *one = connect_tab(world, "ann");
    go(one);
    next_rules(9000);
    reload();
    advance(world, 5000);
    assert_told("ann:online");
    world_answer(world, HOOK_PRESENCE, OUTCOME_YES);
    assert_told("ann:offline");
    world_answer(world, HOOK_PRESENCE, OUTCOME_YES);
    assert_int_equal(here()->_entries.count, 0);
}

static void resyncs_once_for_many_failures(void **state)
{
    (void)state;
    world->answers[HOOK_PRESENCE] = ANSWER_UNKNOWN;
    struct client *one = connect_tab(world, "ann");
    connect_tab(world, "bob");
    connect_tab(world, "cid");
    assert_int_equal(here()->counters.failed, 3);
    const uint64_t before = hub_counters(app_hub(world->app))->resyncs;
    advance(world, 1000);
    assert_int_equal(hub_counters(app_hub(world->app))->resyncs, before + 1);
    go(one);
    advance(world, 5500); /* its failure is not told yet, and nobody else is there for the topic */
    assert_int_equal(here()->counters.failed, 4);
}

static void runs_few_calls_at_once(void **state)
{
    (void)state;
    world->answers[HOOK_PRESENCE] = ANSWER_WAIT;
    for (int i = 0; i < 4; i++) connect_tab(world, (const char *[]){"a", "b", "c", "d"}[i]);
    assert_int_equal(here()->_calls, 4);
    assert_int_equal(waiting(world), 4);
    assert_told("a:online b:online c:online d:online");
    for (int i = 0; i < 4; i++) world_answer(world, HOOK_PRESENCE, OUTCOME_YES);
    assert_int_equal(here()->_calls, 0);
}

static void is_told_of_nobody_after_a_drain(void **state)
{
    (void)state;
    struct client *one = connect_tab(world, "ann");
    connect_tab(world, "bob");
    go(one);
    node_drain(world->node, 0);
    settle(world);
    advance(world, 60000);
    assert_told("ann:online bob:online");
    assert_true(node_idle(world->node));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(tells_users_not_tabs),
        TEST(counts_nobody_above_the_limit),
        TEST(keeps_nothing_for_other_topics),
        TEST(forgets_while_a_call_waits),
        TEST(goes_over_to_new_rules_while_a_call_waits),
        TEST(resyncs_once_for_many_failures),
        TEST(runs_few_calls_at_once),
        TEST(is_told_of_nobody_after_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
