/* What a newcomer gets of a topic, byte by byte: its cursor may never say more than it has. */
#include "hub/newcomer.c"

#include "hub_world.h"

#define READY "ready {\"resumed\":false,\"missed\":null,\"tag\":null}\n"

static const struct subscriber_options NARROW = {.queue_frames = 2,
                                                 .queue_bytes = 1 << 20,
                                                 .stall_ms = 30000,
                                                 .heartbeat_ms = 20000,
                                                 .retry_ms = 3000,
                                                 .verdict_ms = 2000,
                                                 .replay_max = 300};

/* One that begins in the topics a and r, whose socket takes nothing yet. */
static struct tab *begin_blocked(struct world *world, const struct subscriber_options *options)
{
    struct tab *tab = tab_new(world, options, NULL, NULL);
    tab->room = 0;
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    subscriber_join(tab->subscriber, topic_of(world, "r"));
    tab_start(tab, NULL);
    return tab;
}

static bool has_read(const struct tab *tab, const char *text)
{
    const struct bytes story = buf_bytes(&tab->story);
    return story.size && memmem(story.data, story.size, text, strlen(text));
}

static void its_cursor_comes_behind_what_it_gets(void **state)
{
    (void)state;
    struct world *world = world_new();
    emit(world, "r", "state");
    const uint64_t newest = emit(world, "a", "old");
    struct tab *tab = begin_blocked(world, NULL);
    while (!has_read(tab, "t state\n")) {
        assert_int_equal(tab_position(tab), 0);
        tab_takes(tab, 1);
    }
    assert_int_equal(tab_position(tab), 0); /* it has no id of its own */
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, READY "t state\n");
    assert_int_equal(tab_position(tab), newest);
    world_free(world);
}

static void one_that_lags_has_no_cursor_before_it_is_told(void **state)
{
    (void)state;
    struct world *world = world_new();
    emit(world, "r", "state");
    struct tab *tab = begin_blocked(world, &NARROW);
    for (int i = 0; i < 8; i++) {
        emit(world, "a", "x");
        settle(world);
    }
    while (!has_read(tab, "lagged")) {
        assert_int_equal(tab_position(tab), 0);
        tab_takes(tab, 1);
    }
    assert_read(
        tab, READY
        "resync {\"reason\":\"lagged\",\"missed\":8,\"topics\":[\"a\",\"r\"]}\n");
    assert_int_equal(tab_position(tab), world->order.position);
    world_free(world);
}

static void one_that_joins_late_gets_it_behind_what_waits(void **state)
{
    (void)state;
    struct world *world = world_new();
    emit(world, "r", "state");
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    tab->room = 0;
    const uint64_t first = emit(world, "a", "1");
    settle(world);
    subscriber_join(tab->subscriber, topic_of(world, "r"));
    subscriber_greet(tab->subscriber, topic_of(world, "r"));
    subscriber_greet(tab->subscriber, topic_of(world, "b")); /* not its topic */
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t 1\nt state\n");
    assert_int_equal(tab_position(tab), first);
    emit(world, "r", "next");
    settle(world);
    assert_read(tab, "t next\n");
    world_free(world);
}

static void all_newcomers_share_one_frame(void **state)
{
    (void)state;
    struct world *world = world_new();
    emit(world, "r", "state");
    struct tab *one = begin_blocked(world, NULL), *two = begin_blocked(world, NULL);
    assert_int_equal(frame_live(), 2 + 2 * 3); /* the trigger and its twin; retry, ready, mark */
    tab_takes(one, SIZE_MAX);
    tab_takes(two, SIZE_MAX);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_cursor_comes_behind_what_it_gets),
        cmocka_unit_test(one_that_lags_has_no_cursor_before_it_is_told),
        cmocka_unit_test(one_that_joins_late_gets_it_behind_what_waits),
        cmocka_unit_test(all_newcomers_share_one_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
