/* How a subscriber begins, with and without a cursor. */
#include "hub/replay.c"

#include "hub_world.h"

#define READY(resumed, missed)                                                                     \
    "ready {\"resumed\":" resumed ",\"missed\":" missed ",\"tag\":null}\n"
#define RESUMED(missed) READY("true", missed)
#define NOT_RESUMED READY("false", "null")
#define RESYNC(reason, missed, topics)                                                             \
    "resync {\"reason\":\"" reason "\",\"missed\":" missed ",\"topics\":[" topics "]}\n"
#define TAG_1 "tab-number-one-of-ann"
#define TAG_2 "tab-number-two-of-ann"

/* A client that was cut off where the order stands now. */
static struct tab *cut_here(struct world *world)
{
    struct tab *tab = tab_in(world, "elsewhere", NULL, NULL);
    tab_cut(tab);
    return tab;
}

/* One that comes back with that cursor, to topics of one letter each. */
static struct tab *back_with(struct world *world, const struct subscriber_options *options,
                             const struct tab *cursor, const char *topics)
{
    struct tab *tab = tab_new(world, options, NULL, NULL);
    for (char name[] = "x"; (name[0] = *topics); topics++)
        if (name[0] != ' ') subscriber_join(tab->subscriber, topic_of(world, name));
    tab_start(tab, cursor);
    return tab;
}

static struct tab *back(struct world *world, const struct tab *cursor, const char *topics)
{
    return back_with(world, NULL, cursor, topics);
}

static void emit_many(struct world *world, const char *topic, int from, int to)
{
    char text[12];
    for (int i = from; i <= to; i++) {
        snprintf(text, sizeof(text), "%d", i);
        emit(world, topic, text);
    }
    settle(world);
}

static void what_was_missed_comes_in_order_over_topics(void **state)
{
    (void)state;
    struct world *world = world_new();
    emit_many(world, "a", 1, 1);
    struct tab *cursor = cut_here(world);
    uint64_t from = tab_position(cursor);
    emit_many(world, "a", 2, 3);
    emit_many(world, "b", 4, 4);
    emit_many(world, "not mine", 5, 5);
    emit_many(world, "a", 6, 6);
    topic_resync(topic_of(world, "b"), "upstream", 0);
    struct tab *tab = back(world, cursor, "b a c");
    assert_read(tab, RESUMED("4") "t 2\nt 3\nt 4\nt 6\n" RESYNC("upstream", "null", "\"b\""));
    assert_int_equal(tab->writes, 1);
    emit_many(world, "b", 7, 7);
    assert_read(tab, "t 7\n");

    /* Cut off right behind `ready`, nothing is lost. */
    struct tab *again = tab_new(world, NULL, NULL, NULL);
    subscriber_join(again->subscriber, topic_of(world, "a"));
    tab_takes(again, strlen("retry: 3000\n\n") + strlen("id: \n") + CURSOR_SIZE +
                         strlen("event: \ndata: \n\n") + strlen(RESUMED("3")) - 2);
    tab_start(again, cursor);
    assert_read(again, RESUMED("3"));
    assert_int_equal(tab_position(again), from);
    world_free(world);
}

static void with_nothing_missed_the_cursor_is_the_newest(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *cursor = cut_here(world);
    emit_many(world, "not mine", 1, 5);
    struct tab *tab = back(world, cursor, "a");
    assert_read(tab, RESUMED("0"));
    assert_int_equal(tab_position(tab), 6);
    world_free(world);
}

static void live_ones_stand_behind_without_a_hole_or_a_double(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *cursor = cut_here(world);
    tab_in(world, "a", NULL, NULL);
    emit_many(world, "a", 1, 2);
    struct tab *tab = tab_new(world, NULL, NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    emit(world, "a", "3"); /* has its place, but is not fanned out */
    subscriber_start(tab->subscriber, buf_bytes(&cursor->parser.last_id));
    emit(world, "a", "4");
    settle(world);
    assert_read(tab, RESUMED("3") "t 1\nt 2\nt 3\nt 4\n");
    world_free(world);
}

static void a_cursor_of_another_process_is_told(void **state)
{
    (void)state;
    static const char *const cursors[] = {"x", "0123456789abcdef0123456789abcdef",
                                          "0123456789abcdef0123456789abcdef0", "1-2", "\xff"};
    struct world *world = world_new();
    emit_many(world, "a", 1, 3);
    for (size_t i = 0; i < COUNT(cursors); i++) {
        struct tab *tab = tab_new(world, NULL, NULL, NULL);
        subscriber_join(tab->subscriber, topic_of(world, "a"));
        subscriber_join(tab->subscriber, topic_of(world, "b"));
        subscriber_start(tab->subscriber, bytes_of(cursors[i]));
        settle(world);
        assert_read(tab, NOT_RESUMED RESYNC("epoch", "null", "\"a\",\"b\""));
        assert_int_equal(tab_position(tab), 4);
    }
    char future[CURSOR_SIZE]; /* a position that nobody was ever given */
    write_cursor(&world->order.epoch, 5, future);
    struct tab *tab = tab_new(world, NULL, NULL, NULL);
    subscriber_start(tab->subscriber, bytes_run(future, sizeof(future)));
    settle(world);
    assert_read(tab, NOT_RESUMED RESYNC("epoch", "null", ""));
    world_free(world);
}

static void ready_moves_no_cursor_where_a_resync_follows(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_new(world, NULL, NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    tab_takes(tab, 13 + strlen("event: ready\ndata: ") + strlen(NOT_RESUMED) - 6 + 1);
    subscriber_start(tab->subscriber, BYTES("foreign"));
    settle(world);
    assert_read(tab, NOT_RESUMED);
    assert_int_equal(tab->parser.last_id.size, 0); /* so the client asks with its own once more */
    world_free(world);
}

static void what_history_does_not_hold_is_told(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = cut_here(world);
    emit_many(world, "s", 1, 3);
    assert_read(back(world, before, "s"), RESUMED("3") "t 1\nt 2\nt 3\n");
    struct tab *between = cut_here(world);
    emit_many(world, "s", 4, 4);
    emit_many(world, "b", 5, 5);
    struct tab *told = back(world, before, "s b c");
    assert_read(told, NOT_RESUMED RESYNC("history", "null", "\"s\"") "t 5\n");
    assert_int_equal(tab_position(told), 6);
    assert_read(back(world, between, "s b"), RESUMED("2") "t 4\nt 5\n");
    assert_read(back(world, before, "b"), RESUMED("1") "t 5\n");
    world_free(world);
}

static void what_timed_out_is_told_to_the_millisecond(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = cut_here(world);
    emit_many(world, "s", 1, 1);
    struct tab *keeps = tab_in(world, "s", NULL, NULL);
    advance(world, 9999);
    assert_read(back(world, before, "s"), RESUMED("1") "t 1\n");
    advance(world, 1);
    assert_read(back(world, before, "s"), NOT_RESUMED RESYNC("history", "null", "\"s\""));
    assert_read(back(world, keeps, "s"), RESUMED("0"));
    world_free(world);
}

static void too_much_is_told_with_the_number(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = DEFAULTS;
    options.replay_max = 5;
    struct tab *before = cut_here(world);
    emit_many(world, "a", 1, 3);
    topic_resync(topic_of(world, "b"), "upstream", 0);
    emit_many(world, "b", 4, 4);
    assert_read(back_with(world, &options, before, "a b"),
                RESUMED("4") "t 1\nt 2\nt 3\n" RESYNC("upstream", "null", "\"b\"") "t 4\n");
    emit_many(world, "b", 5, 6);
    assert_read(back_with(world, &options, before, "c b a"),
                NOT_RESUMED RESYNC("history", "6", "\"b\",\"a\""));
    emit_many(world, "f", 7, 7);
    assert_read(back_with(world, &options, before, "a b f"),
                NOT_RESUMED RESYNC("history", "null", "\"a\",\"b\",\"f\""));
    assert_read(back(world, before, "b"),
                RESUMED("3") RESYNC("upstream", "null", "\"b\"") "t 4\nt 5\nt 6\n");

    options.replay_max = 300;
    options.queue_bytes = 150; /* bytes have a bound as well */
    assert_read(back_with(world, &options, before, "a"),
                NOT_RESUMED RESYNC("history", "3", "\"a\""));
    world_free(world);
}

static void a_replay_may_be_longer_than_the_queue(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = DEFAULTS;
    options.queue_frames = 4;
    struct tab *before = cut_here(world);
    emit_many(world, "a", 1, 10);
    struct tab *tab = tab_new(world, &options, NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    tab_takes(tab, 0);
    tab_start(tab, before);
    emit_many(world, "a", 11, 14);
    assert_int_equal(subscriber_queued(tab->subscriber), 16);
    while (subscriber_queued(tab->subscriber) > 2) tab_takes(tab, 10);
    assert_read(tab, RESUMED("10") "t 1\nt 2\nt 3\nt 4\nt 5\nt 6\nt 7\nt 8\nt 9\nt 10\n"
                                   "t 11\nt 12\n");
    emit_many(world, "a", 15, 20); /* afterwards the bound is the bound */
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t 13\n" RESYNC("lagged", "7", "\"a\""));
    world_free(world);
}

static uint64_t emit_with(struct world *world, const char *data, const char *key, const char *tag)
{
    return topic_emit(topic_of(world, "a"), &(struct emit){.type = BYTES("t"),
                                                           .data = bytes_of(data),
                                                           .replaces = bytes_of(key),
                                                           .user = bytes_of(tag ? "ann" : NULL),
                                                           .tag = bytes_of(tag)});
}

static void only_the_newest_of_a_key_is_replayed(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = cut_here(world);
    emit_with(world, "k1", "k", NULL);
    emit_with(world, "l1", "l", NULL);
    emit_with(world, "k2", "k", NULL);
    assert_read(back(world, before, "a"), RESUMED("2") "t l1\nt k2\n");
    world_free(world);
}

static void own_echoes_are_not_replayed(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = cut_here(world);
    emit_with(world, "1", NULL, TAG_1);
    emit_with(world, "2", NULL, TAG_2);
    struct tab *half_open = tab_in(world, "a", "ann", TAG_1);
    struct tab *tab = tab_new(world, NULL, "ann", TAG_1);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    tab_start(tab, before);
    assert_string_not_equal(subscriber_tag(tab->subscriber)->text, TAG_1);
    assert_non_null(strstr(buf_text(&tab->story), "\"missed\":1"));
    assert_non_null(strstr(buf_text(&tab->story), "\nt 2\n"));
    assert_null(strstr(buf_text(&tab->story), "\nt 1\n")); /* its own, before it was renamed */
    buf_clear(&tab->story);
    emit_with(world, "3", NULL, TAG_1);
    settle(world);
    assert_read(tab, "t 3\n"); /* the other's, now */
    assert_read(half_open, "");
    world_free(world);
}

static void todays_permissions_hold(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = cut_here(world);
    struct tab *witness = back(world, NULL, "f");
    emit_many(world, "f", 1, 3);
    world->verdict = VERDICT_NO;
    assert_read(back(world, before, "f"), RESUMED("0"));
    world->verdict = VERDICT_PENDING;
    struct tab *tab = back(world, before, "f a");
    emit_many(world, "a", 4, 4);
    assert_read(tab, RESUMED("null"));
    world_answer(world, "2", VERDICT_YES);
    world_answer(world, "3", VERDICT_NO);
    world_answer(world, "1", VERDICT_YES);
    settle(world);
    assert_read(tab, "t 1\nt 2\nt 4\n");
    world->verdict = VERDICT_UNKNOWN;
    tab = back(world, before, "f");
    assert_read(tab, RESUMED("null"));
    world->verdict = VERDICT_YES;
    advance(world, 1000);
    assert_read(tab, RESYNC("access", "null", "\"f\""));
    assert_read(witness, NOT_RESUMED "t 1\nt 2\nt 3\n");
    world_free(world);
}

static void end_it(struct world *world, struct subscriber *subscriber, struct frame *frame)
{
    (void)world;
    if (bytes_is(frame_data(frame), "2")) subscriber_end(subscriber, END_KICKED);
}

static void leave_it(struct world *world, struct subscriber *subscriber, struct frame *frame)
{
    if (bytes_is(frame_data(frame), "2")) subscriber_leave(subscriber, topic_of(world, "f"));
}

static void a_rule_may_end_it_on_the_way(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = cut_here(world);
    emit_to(topic_of(world, "f"), "t", "1");
    emit_many(world, "f", 2, 3);
    world->on_ask = end_it;
    struct tab *tab = back(world, before, "f");
    assert_int_equal(tab->ended, 1);
    assert_read(tab, ""); /* `ready` was not known yet */
    assert_int_equal(world->asked, 2);
    world->on_ask = leave_it;
    assert_read(back(world, before, "f"), RESUMED("0"));
    world_free(world);
}

/* ---- what was withheld before the client was cut ---- */

static struct tab *user_tab(struct world *world, const char *user, const struct tab *cursor)
{
    struct tab *tab = tab_new(world, NULL, user, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "f"));
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    tab_start(tab, cursor);
    return tab;
}

static void who_was_cut_before_it_was_told_is_told(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = cut_here(world);
    struct tab *ann = user_tab(world, "ann", NULL), *bob = user_tab(world, "bob", NULL);
    world->verdict = VERDICT_UNKNOWN;
    emit_many(world, "f", 1, 1);
    emit_many(world, "a", 2, 2); /* moves their cursors past it */
    world->verdict = VERDICT_YES;
    tab_cut(ann);
    advance(world, 1000);
    assert_read(bob, NOT_RESUMED "t 2\n" RESYNC("access", "null", "\"f\""));
    tab_cut(bob); /* told, but has it read that? its cursor does not say */
    emit_many(world, "a", 3, 3);
    struct tab *after = user_tab(world, "cid", NULL);

    struct tab *tab = user_tab(world, "ann", ann);
    assert_read(tab, NOT_RESUMED RESYNC("access", "null", "\"f\"") "t 3\n");
    assert_read(user_tab(world, "ann", tab), RESUMED("0"));
    assert_read(user_tab(world, "bob", bob), NOT_RESUMED RESYNC("access", "null", "\"f\"") "t 3\n");
    assert_read(user_tab(world, "bob", after), RESUMED("0"));
    assert_read(user_tab(world, "cid", ann), RESUMED("1") "t 3\n");
    assert_read(user_tab(world, "ann", before), RESUMED("3") "t 1\nt 2\nt 3\n"); /* all of it */
    assert_read(back(world, ann, "a"), RESUMED("1") "t 3\n"); /* has not the topic */
    world_free(world);
}

static void what_falls_out_of_that_memory_is_told_to_all(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = cut_here(world);
    emit_many(world, "f", 1, 1);
    struct tab *behind = cut_here(world);
    for (int i = 0; i < 4097; i++) { /* all of them are cut with 1 withheld */
        if (i == 4096) assert_read(user_tab(world, "zoe", behind), RESUMED("0"));
        char user[16];
        snprintf(user, sizeof(user), "user%d", i);
        world->verdict = VERDICT_UNKNOWN;
        struct tab *tab = user_tab(world, user, before);
        world->verdict = VERDICT_YES;
        tab_cut(tab);
        tab_forget(tab);
        world->count--;
    }
    assert_read(user_tab(world, "zoe", behind), NOT_RESUMED RESYNC("access", "null", "\"f\""));
    emit_many(world, "a", 2, 2);
    struct tab *later = cut_here(world);
    assert_read(user_tab(world, "zoe", later), RESUMED("0"));
    assert_read(back(world, behind, "a"), RESUMED("1") "t 2\n"); /* where nobody asks */
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_missed_comes_in_order_over_topics),
        cmocka_unit_test(with_nothing_missed_the_cursor_is_the_newest),
        cmocka_unit_test(live_ones_stand_behind_without_a_hole_or_a_double),
        cmocka_unit_test(a_cursor_of_another_process_is_told),
        cmocka_unit_test(ready_moves_no_cursor_where_a_resync_follows),
        cmocka_unit_test(what_history_does_not_hold_is_told),
        cmocka_unit_test(what_timed_out_is_told_to_the_millisecond),
        cmocka_unit_test(too_much_is_told_with_the_number),
        cmocka_unit_test(a_replay_may_be_longer_than_the_queue),
        cmocka_unit_test(only_the_newest_of_a_key_is_replayed),
        cmocka_unit_test(own_echoes_are_not_replayed),
        cmocka_unit_test(todays_permissions_hold),
        cmocka_unit_test(a_rule_may_end_it_on_the_way),
        cmocka_unit_test(who_was_cut_before_it_was_told_is_told),
        cmocka_unit_test(what_falls_out_of_that_memory_is_told_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
