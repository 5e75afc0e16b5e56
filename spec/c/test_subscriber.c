/* One subscriber: its queue, verdicts, echo, lag, time, and its end. */
#include "hub/subscriber.c"

#include "hub_world.h"

#define READY "ready {\"resumed\":false,\"missed\":null,\"tag\":null}\n"
#define LAGGED(missed, topics)                                                                     \
    "resync {\"reason\":\"lagged\",\"missed\":" missed ",\"topics\":[" topics "]}\n"
#define ACCESS(topic) "resync {\"reason\":\"access\",\"missed\":null,\"topics\":[\"" topic "\"]}\n"
#define TAG_1 "tab-number-one-of-ann"
#define TAG_2 "tab-number-two-of-ann"

static struct tab *tab_with(struct world *world, const struct subscriber_options *options,
                            const char *topic)
{
    struct tab *tab = tab_new(world, options, NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, topic));
    tab_start(tab, NULL);
    buf_clear(&tab->story);
    return tab;
}

/* A client in the topic "f", whose verdicts are asked for. */
static struct tab *filtered_tab(struct world *world, const struct subscriber_options *options)
{
    struct tab *tab = tab_new(world, options, NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "f"));
    tab_start(tab, NULL);
    buf_clear(&tab->story);
    return tab;
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

static uint64_t emit_key(struct world *world, const char *data, const char *key)
{
    return topic_emit(
        topic_of(world, "a"),
        &(struct emit){.type = BYTES("t"), .data = bytes_of(data), .replaces = bytes_of(key)});
}

static uint64_t emit_tagged(struct world *world, const char *data, const char *user,
                            const char *tag)
{
    return topic_emit(topic_of(world, "a"), &(struct emit){.type = BYTES("t"),
                                                           .data = bytes_of(data),
                                                           .user = bytes_of(user),
                                                           .tag = bytes_of(tag)});
}

/* ---- beginning ---- */

static void it_begins_with_retry_and_ready(void **state)
{
    (void)state;
    struct world *world = world_new();
    emit(world, "a", "before");
    struct tab *tab = tab_new(world, NULL, "ann", TAG_1);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    assert_false(subscriber_join(tab->subscriber, topic_of(world, "a")));
    emit(world, "a", "between");
    subscriber_resync(tab->subscriber, "upstream", NULL);
    settle(world);
    assert_int_equal(tab->writes, 0);
    tab_start(tab, NULL);
    assert_int_equal(tab->retry_ms, 3000);
    assert_int_equal(tab_position(tab), 3);
    assert_read(tab, "ready {\"resumed\":false,\"missed\":null,\"tag\":\"" TAG_1 "\"}\n"
                     "resync {\"reason\":\"upstream\",\"missed\":null,\"topics\":[\"a\"]}\n");
    assert_int_equal(tab->writes, 1);
    world_free(world);
}

static void without_a_retry_there_is_no_line(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = DEFAULTS;
    options.retry_ms = 0;
    struct tab *tab = tab_new(world, &options, NULL, NULL);
    tab_start(tab, NULL);
    assert_int_equal(tab->retry_ms, 0);
    assert_read(tab, READY);
    world_free(world);
}

/* ---- topics ---- */

static void it_joins_and_leaves_many_topics(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "t0", NULL, NULL);
    char name[8];
    for (int i = 1; i < 20; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        assert_true(subscriber_join(tab->subscriber, topic_of(world, name)));
    }
    assert_int_equal(subscriber_topic_count(tab->subscriber), 20);
    for (int i = 0; i < 20; i += 2) {
        snprintf(name, sizeof(name), "t%d", i);
        assert_true(subscriber_leave(tab->subscriber, topic_of(world, name)));
        assert_false(subscriber_leave(tab->subscriber, topic_of(world, name)));
    }
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        emit(world, name, name);
    }
    settle(world);
    assert_read(tab, "t t1\nt t3\nt t5\nt t7\nt t9\nt t11\nt t13\nt t15\nt t17\nt t19\n");
    world_free(world);
}

static void what_waits_of_a_topic_that_it_left_is_not_sent(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "b"));
    tab_takes(tab, 5);
    emit(world, "a", "begun");
    emit(world, "a", "waits");
    emit(world, "b", "stays");
    settle(world);
    subscriber_leave(tab->subscriber, topic_of(world, "a"));
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t begun\nt stays\n");
    world_free(world);
}

#define LOST "resync {\"reason\":\"reload\",\"missed\":null,\"topics\":[\"a\"]}\n"

static void it_is_told_of_a_topic_that_is_no_more(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "b"));
    tab_takes(tab, 5);
    emit(world, "a", "begun");
    emit(world, "a", "waits");
    emit(world, "b", "stays");
    settle(world);
    subscriber_lose(tab->subscriber, topic_of(world, "a"), "reload");
    subscriber_lose(tab->subscriber, topic_of(world, "a"), "reload");
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t begun\nt stays\n" LOST);
    world_free(world);
}

static void it_is_told_though_it_lags(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options small = DEFAULTS;
    small.queue_frames = 2;
    struct tab *tab = tab_with(world, &small, "a");
    subscriber_join(tab->subscriber, topic_of(world, "b"));
    tab_takes(tab, 5);
    emit_many(world, "b", 1, 9);
    assert_int_equal(hub_counters(world->hub)->lagged, 1);
    subscriber_lose(tab->subscriber, topic_of(world, "a"), "reload");
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t 1\n" LOST LAGGED("8", "\"b\""));
    world_free(world);
}

static void other_options_count_from_then_on(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options never = DEFAULTS, often = DEFAULTS;
    never.heartbeat_ms = 0;
    often.heartbeat_ms = 1000;
    struct tab *tab = tab_with(world, &never, "a");
    advance(world, 60000);
    assert_int_equal(hub_counters(world->hub)->heartbeats, 0);
    subscriber_set_options(tab->subscriber, &often);
    advance(world, 3000);
    assert_true(hub_counters(world->hub)->heartbeats >= 3);
    subscriber_set_options(tab->subscriber, &never);
    const uint64_t before = hub_counters(world->hub)->heartbeats;
    advance(world, 60000);
    assert_int_equal(hub_counters(world->hub)->heartbeats, before);
    world_free(world);
}

/* ---- the queue ---- */

static void frames_go_out_byte_by_byte(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    tab_takes(tab, 1);
    emit_many(world, "a", 1, 3);
    while (subscriber_queued(tab->subscriber)) tab_takes(tab, 1);
    assert_read(tab, "t 1\nt 2\nt 3\n");
    assert_int_equal(hub_counters(world->hub)->delivered, 3 + 2);
    world_free(world);
}

static void a_direct_write_that_is_cut_is_finished_from_the_queue(void **state)
{
    (void)state;
    for (size_t room = 0; room < 200; room += 7) {
        struct world *world = world_new();
        struct tab *tab = tab_in(world, "a", NULL, NULL);
        tab_takes(tab, room);
        emit_many(world, "a", 1, 3);
        assert_true(tab->full || room > 150);
        emit_many(world, "a", 4, 5);
        tab_takes(tab, SIZE_MAX);
        assert_read(tab, "t 1\nt 2\nt 3\nt 4\nt 5\n");
        world_free(world);
    }
}

static void control_events_go_through_the_queue(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    emit_many(world, "a", 1, 1);
    emit(world, "a", "2");
    subscriber_control(tab->subscriber, "expired", BYTES("{}"));
    subscriber_end(tab->subscriber, END_EXPIRED);
    settle(world);
    assert_read(tab, "t 1\nexpired {}\n"); /* 2 was not fanned out when it ended */
    assert_string_equal(tab->why, "expired");
    assert_int_equal(tab->reason, END_EXPIRED);
    world_free(world);
}

/* ---- replaces ---- */

static void a_newer_one_stands_at_its_own_place(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    emit_key(world, "k1", "k");
    emit_key(world, "l1", "l");
    emit(world, "a", "plain");
    emit_key(world, "k2", "k");
    settle(world);
    assert_read(tab, "t l1\nt plain\nt k2\n");
    tab_takes(tab, 0);
    emit_key(world, "k3", "k");
    emit_key(world, "l2", "l");
    settle(world);
    emit_key(world, "k4", "k");
    settle(world);
    emit_key(world, "k5", "k");
    settle(world);
    assert_int_equal(subscriber_queued(tab->subscriber), 2);
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t l2\nt k5\n");
    assert_int_equal(hub_counters(world->hub)->replaced, 3);
    world_free(world);
}

static void a_partly_written_one_is_not_removed(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    tab_takes(tab, 4);
    emit_key(world, "k1", "k");
    settle(world);
    emit_key(world, "k2", "k");
    emit_key(world, "k3", "k");
    settle(world);
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t k1\nt k3\n");
    world_free(world);
}

static void type_and_topic_belong_to_the_key(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "b"));
    static const struct {
        const char *topic, *type, *data;
    } cases[] = {{"a", "t", "1"}, {"a", "u", "2"}, {"b", "t", "3"}, {"a", "t", "4"}};
    for (size_t i = 0; i < COUNT(cases); i++)
        topic_emit(topic_of(world, cases[i].topic), &(struct emit){.type = bytes_of(cases[i].type),
                                                                   .data = bytes_of(cases[i].data),
                                                                   .replaces = BYTES("")});
    settle(world);
    assert_read(tab, "u 2\nt 3\nt 4\n");
    world_free(world);
}

/* ---- echo ---- */

static struct tab *echo_tab(struct world *world, enum suppress suppress, const char *user,
                            const char *tag)
{
    static struct subscriber_options options[3];
    options[suppress] = DEFAULTS;
    options[suppress].suppress = suppress;
    struct tab *tab = tab_new(world, &options[suppress], user, tag);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    tab_start(tab, NULL);
    buf_clear(&tab->story);
    return tab;
}

/* Every client's sink takes so much. */
static void all_take(struct world *world, size_t room)
{
    for (int i = 0; i < world->count; i++) tab_takes(&world->tabs[i], room);
}

static void the_tab_that_caused_it_does_not_get_it(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *own = echo_tab(world, SUPPRESS_SERVER, "ann", TAG_1);
    struct tab *second = echo_tab(world, SUPPRESS_SERVER, "ann", TAG_2);
    struct tab *bob = echo_tab(world, SUPPRESS_SERVER, "bob", TAG_1);
    struct tab *nobody = echo_tab(world, SUPPRESS_SERVER, NULL, TAG_1);
    for (int queued = 0; queued < 2; queued++) { /* written at once, and through the queue */
        emit_tagged(world, "{\"a\":1}", "ann", TAG_1);
        settle(world);
        all_take(world, SIZE_MAX);
        assert_read(own, "");
        assert_read(second, "t {\"a\":1}\n");
        assert_read(bob, "t {\"a\":1}\n"); /* whose tag it is by chance, or lies */
        assert_read(nobody, "t {\"a\":1}\n");
        all_take(world, 0);
    }
    assert_int_equal(hub_counters(world->hub)->echoes, 2);
    world_free(world);
}

static void or_is_told_the_tag_to_skip_it_itself(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *own = echo_tab(world, SUPPRESS_CLIENT, "ann", TAG_1);
    struct tab *shared = echo_tab(world, SUPPRESS_CLIENT, "ann", NULL);
    struct tab *bob = echo_tab(world, SUPPRESS_CLIENT, "bob", TAG_1);
    struct tab *all = echo_tab(world, SUPPRESS_NONE, "ann", TAG_1);
    for (int queued = 0; queued < 2; queued++) {
        emit_tagged(world, "{\"a\":1}", "ann", TAG_1);
        settle(world);
        all_take(world, SIZE_MAX);
        assert_read(own, "t {\"session_tag\":\"" TAG_1 "\",\"a\":1}\n");
        assert_read(shared, "t {\"session_tag\":\"" TAG_1 "\",\"a\":1}\n");
        assert_read(bob, "t {\"a\":1}\n"); /* a tag means something only together with the user */
        assert_read(all, "t {\"a\":1}\n");
        all_take(world, 0);
    }
    assert_int_equal(hub_counters(world->hub)->echoes, 0);
    world_free(world);
}

/* ---- verdicts ---- */

static void a_no_is_not_sent_and_an_open_question_holds_what_is_behind(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    struct topic *topic = topic_of(world, "f");
    world->verdict = VERDICT_NO;
    emit_many(world, "f", 1, 1);
    world->verdict = VERDICT_YES;
    emit_many(world, "f", 2, 2);
    assert_read(tab, "t 2\n");

    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 3, 5);
    emit_many(world, "a", 6, 6);
    world_answer(world, "4", VERDICT_YES);
    settle(world);
    assert_read(tab, "");
    topic_resync(topic, "upstream", 0); /* never asked about */
    settle(world);
    assert_int_equal(world->asked, 5);
    world_answer(world, "3", VERDICT_NO);
    settle(world);
    assert_read(tab, "t 4\n");
    world_answer(world, "5", VERDICT_YES);
    settle(world);
    assert_read(tab, "t 5\nt 6\n"
                     "resync {\"reason\":\"upstream\",\"missed\":null,\"topics\":[\"f\"]}\n");
    assert_int_equal(hub_counters(world->hub)->denied, 2);
    world_free(world);
}

static void a_slow_answer_holds_nobody_else(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *slow = filtered_tab(world, NULL), *fast = filtered_tab(world, NULL);
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 1);
    struct asking *second = CONTAINER(world->askings.prev, struct asking, node);
    assert_ptr_equal(second->subscriber, fast->subscriber);
    second->done(second->owner, VERDICT_YES);
    world_cancel(&world->verdicts, second, false);
    settle(world);
    assert_read(fast, "t 1\n");
    assert_read(slow, "");
    world_free(world);
}

static void without_an_answer_it_is_withheld_and_told_later(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, NULL);
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 1);
    world->verdict = VERDICT_YES;
    emit_many(world, "f", 2, 2);
    advance(world, 1999);
    assert_read(tab, "");
    advance(world, 1);
    assert_int_equal(world->cancelled, 1);
    assert_read(tab, "t 2\n"); /* asked, and answered, before 1 was withheld */
    emit_many(world, "f", 3, 4);
    assert_read(tab, ACCESS("f") "t 3\nt 4\n");
    advance(world, 60000);
    assert_read(tab, "");
    assert_int_equal(hub_counters(world->hub)->withheld, 1);
    world_free(world);
}

static void a_late_yes_tells_in_front_of_its_trigger(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, NULL);
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 3);
    world_answer(world, "2", VERDICT_UNKNOWN);
    world_answer(world, "3", VERDICT_YES);
    world_answer(world, "1", VERDICT_YES);
    settle(world);
    assert_read(tab, "t 1\n" ACCESS("f") "t 3\n");
    world_free(world);
}

/* The time until the next question. */
static uint64_t until_asked(struct world *world)
{
    uint64_t waited = 0;
    for (int asked = world->asked; world->asked == asked && waited < 60000; waited++)
        advance(world, 1);
    return waited;
}

static void the_withheld_one_is_asked_about_again_paced(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, NULL);
    world->verdict = VERDICT_UNKNOWN;
    emit_many(world, "f", 1, 1);
    assert_int_equal(world->asked, 1);
    uint64_t total = 0;
    for (uint64_t pace = 1000; pace < 30000; pace *= 2)
        assert_in_range(until_asked(world), pace / 2, pace);
    for (int i = 0; i < 20; i++) {
        uint64_t wait = until_asked(world);
        assert_in_range(wait, 15000, 30000);
        total += wait;
    }
    assert_in_range(total, 20 * 18000, 20 * 27000); /* jittered */
    assert_read(tab, "");
    world->verdict = VERDICT_YES;
    advance(world, 30000);
    assert_read(tab, ACCESS("f"));
    int asked = world->asked;
    advance(world, 60000);
    assert_int_equal(world->asked, asked);
    world_free(world);
}

static void asking_again_may_wait_and_time_out(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, NULL);
    world->verdict = VERDICT_UNKNOWN;
    emit_many(world, "f", 1, 1);
    world->verdict = VERDICT_PENDING;
    advance(world, 1000);
    assert_int_equal(world->asked, 2);
    advance(world, 2000);
    assert_int_equal(world->cancelled, 1);
    advance(world, 2000);
    assert_int_equal(world->asked, 3);
    world_answer(world, NULL, VERDICT_YES);
    settle(world);
    assert_read(tab, ACCESS("f"));
    world_free(world);
}

static void a_no_to_the_only_one_withheld_ends_the_matter(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *one = filtered_tab(world, NULL);
    world->verdict = VERDICT_UNKNOWN;
    emit_many(world, "f", 1, 1);
    struct tab *two = filtered_tab(world, NULL);
    subscriber_leave(one->subscriber, topic_of(world, "f"));
    emit_many(world, "f", 2, 3);
    subscriber_join(one->subscriber, topic_of(world, "f"));
    emit_many(world, "f", 4, 4);
    world->verdict = VERDICT_NO;
    advance(world, 1000);
    assert_read(one, "");          /* it left with 1, which is over; 4 is not for it */
    assert_read(two, ACCESS("f")); /* of 2 to 4 only the last was asked about */
    int asked = world->asked;
    advance(world, 100000);
    assert_int_equal(world->asked, asked);
    world_free(world);
}

static void nothing_is_asked_for_who_left_or_ended(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *leaves = filtered_tab(world, NULL), *ends = filtered_tab(world, NULL);
    struct tab *stale = filtered_tab(world, NULL);
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 2);
    assert_int_equal(world->asked, 6);
    subscriber_leave(leaves->subscriber, topic_of(world, "f"));
    tab_cut(ends);
    assert_int_equal(world->cancelled, 4);
    world_answer(world, "1", VERDICT_UNKNOWN);
    advance(world, 1000); /* asked again */
    assert_int_equal(world->asked, 7);
    tab_cut(stale);
    assert_int_equal(world->cancelled, 6);
    advance(world, 100000);
    assert_int_equal(world->asked, 7);
    assert_read(leaves, "");
    world_free(world);
}

static void leave_self(struct world *world, struct subscriber *subscriber, struct frame *frame)
{
    if (bytes_is(frame_data(frame), "2")) subscriber_leave(subscriber, topic_of(world, "f"));
}

static void end_self(struct world *world, struct subscriber *subscriber, struct frame *frame)
{
    (void)world;
    if (bytes_is(frame_data(frame), "2")) subscriber_end(subscriber, END_KICKED);
}

static void emit_more(struct world *world, struct subscriber *subscriber, struct frame *frame)
{
    (void)subscriber;
    if (bytes_is(frame_data(frame), "2")) emit(world, "f", "4");
}

static void a_rule_may_do_anything_while_it_is_asked(void **state)
{
    (void)state;
    static const enum verdict verdicts[] = {VERDICT_YES, VERDICT_NO, VERDICT_UNKNOWN,
                                            VERDICT_PENDING};
    for (size_t i = 0; i < COUNT(verdicts); i++) {
        struct world *world = world_new();
        struct tab *tab = filtered_tab(world, NULL);
        world->on_ask = leave_self;
        emit_many(world, "f", 1, 1);
        world->verdict = verdicts[i];
        emit_many(world, "f", 2, 3);
        assert_read(tab, "t 1\n");
        assert_int_equal(subscriber_topic_count(tab->subscriber), 0);

        world->on_ask = end_self;
        world->verdict = VERDICT_YES;
        struct tab *second = filtered_tab(world, NULL);
        world->verdict = verdicts[i];
        emit_many(world, "f", 2, 3);
        assert_read(second, "");
        assert_int_equal(second->reason, END_KICKED);

        world->on_ask = emit_more;
        world->verdict = VERDICT_YES;
        struct tab *third = filtered_tab(world, NULL);
        emit_many(world, "f", 2, 3);
        assert_read(third, "t 2\nt 3\nt 4\n");
        world_free(world);
    }
}

static void only_a_permitted_one_replaces(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, NULL);
    struct topic *topic = topic_of(world, "f");
    tab_takes(tab, 0);
    static const enum verdict verdicts[] = {VERDICT_YES, VERDICT_NO, VERDICT_PENDING,
                                            VERDICT_PENDING};
    static const char *const data[] = {"yes", "no", "late no", "late yes"};
    for (int i = 0; i < 4; i++) {
        world->verdict = verdicts[i];
        topic_emit(
            topic,
            &(struct emit){.type = BYTES("t"), .data = bytes_of(data[i]), .replaces = BYTES("k")});
        settle(world);
    }
    assert_int_equal(subscriber_queued(tab->subscriber), 3);
    world_answer(world, "late no", VERDICT_NO);
    assert_int_equal(subscriber_queued(tab->subscriber), 2);
    world_answer(world, "late yes", VERDICT_YES);
    assert_int_equal(subscriber_queued(tab->subscriber), 1);
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t late yes\n");

    tab_takes(tab, 0); /* and one that is permitted removes those that are not judged yet */
    world->verdict = VERDICT_YES;
    topic_emit(topic,
               &(struct emit){.type = BYTES("t"), .data = BYTES("1"), .replaces = BYTES("k")});
    settle(world);
    world->verdict = VERDICT_PENDING;
    topic_emit(topic,
               &(struct emit){.type = BYTES("t"), .data = BYTES("2"), .replaces = BYTES("k")});
    settle(world);
    world->verdict = VERDICT_YES;
    topic_emit(topic,
               &(struct emit){.type = BYTES("t"), .data = BYTES("3"), .replaces = BYTES("k")});
    settle(world);
    assert_int_equal(subscriber_queued(tab->subscriber), 1);
    assert_true(list_empty(&world->askings));
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t 3\n");
    world_free(world);
}

/* ---- lag ---- */

static const struct subscriber_options SMALL = {.queue_frames = 4,
                                                .queue_bytes = 1 << 20,
                                                .stall_ms = 30000,
                                                .heartbeat_ms = 20000,
                                                .verdict_ms = 2000,
                                                .replay_max = 300};

static void overflow_is_one_resync_with_the_number(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_with(world, &SMALL, "a"), *other = tab_with(world, &SMALL, "a");
    subscriber_join(tab->subscriber, topic_of(world, "b"));
    subscriber_join(tab->subscriber, topic_of(world, "c"));
    tab_takes(tab, 4); /* the first frame is begun */
    emit_many(world, "a", 1, 4);
    assert_int_equal(subscriber_queued(tab->subscriber), 4);
    emit_many(world, "b", 5, 7);
    assert_int_equal(subscriber_queued(tab->subscriber), 1);
    emit_many(world, "a", 8, 9);
    tab_takes(tab, 3); /* takes a little, and is full again: it is not drained */
    emit_many(world, "a", 10, 10);
    assert_read(tab, "");
    uint64_t covered = world->order.position;
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t 1\n" LAGGED("9", "\"a\",\"b\""));
    assert_int_equal(tab_position(tab), covered);
    emit_many(world, "b", 11, 11);
    assert_read(tab, "t 11\n");
    assert_read(other,
                "t 1\nt 2\nt 3\nt 4\nt 8\nt 9\nt 10\n"); /* a slow one costs others nothing */
    assert_int_equal(hub_counters(world->hub)->lagged, 1);
    assert_int_equal(hub_counters(world->hub)->missed, 9);
    world_free(world);
}

static void bytes_have_a_bound_too(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = DEFAULTS;
    options.queue_bytes = 1000;
    struct tab *tab = tab_with(world, &options, "a");
    char large[2000];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    emit(world, "a", large); /* alone it may be larger than the queue */
    settle(world);
    assert_int_equal(tab->story.size, strlen(large) + 3);
    buf_clear(&tab->story);
    large[300] = '\0';
    tab_takes(tab, 0);
    for (int i = 0; i < 3; i++) {
        emit(world, "a", large);
        settle(world);
        assert_int_equal(subscriber_queued(tab->subscriber), i < 2 ? i + 1 : 0);
    }
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, LAGGED("3", "\"a\""));
    world_free(world);
}

static void only_what_it_was_permitted_is_counted(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = SMALL;
    options.queue_frames = 8;
    struct tab *tab = tab_new(world, &options, "ann", TAG_1);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    subscriber_join(tab->subscriber, topic_of(world, "f"));
    tab_start(tab, NULL);
    buf_clear(&tab->story);
    tab_takes(tab, 0);
    emit_many(world, "a", 1, 2);              /* 2 */
    emit_key(world, "replaced", "k");         /* by the next */
    emit_key(world, "3", "k");                /* 3 */
    emit_tagged(world, "echo", "ann", TAG_1); /* not sent */
    world->verdict = VERDICT_NO;
    emit_many(world, "f", 100, 100);
    topic_resync(topic_of(world, "a"), "upstream", 0); /* no trigger of a rule */
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 4, 6);
    settle(world);
    assert_int_equal(subscriber_queued(tab->subscriber), 7);
    emit_many(world, "a", 7, 8);                             /* 5: overflow */
    assert_int_equal(subscriber_queued(tab->subscriber), 3); /* those in question */
    emit_key(world, "9", "k");                               /* 6 */
    emit_key(world, "10", "k");                              /* 7: nothing is there to replace */
    emit_tagged(world, "echo", "ann", TAG_1);
    settle(world);
    emit_many(world, "f", 11, 11);
    world_answer(world, "4", VERDICT_YES); /* 8 */
    world_answer(world, "5", VERDICT_NO);
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, ""); /* 6 and 11 are open still */
    world->verdict = VERDICT_YES;
    emit_many(world, "f", 12, 12); /* after the place where it goes on */
    world_answer(world, "6", VERDICT_UNKNOWN);
    settle(world);
    assert_read(tab, "");
    world_answer(world, "11", VERDICT_YES); /* 9 */
    settle(world);
    assert_read(tab, LAGGED("9", "\"a\",\"f\"") "t 12\n");
    emit_many(world, "f", 13, 13);
    assert_read(tab, ACCESS("f") "t 13\n"); /* for 6 */
    world_free(world);
}

static void open_questions_hold_the_number_no_longer_than_they_may(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, &SMALL);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 1); /* holds the queue, the sink is free */
    emit_many(world, "a", 2, 7);
    assert_int_equal(hub_counters(world->hub)->lagged, 1);
    assert_read(tab, "");
    emit_many(world, "a", 8, 8); /* lives on behind the number */
    advance(world, 2000);
    assert_read(tab, LAGGED("6", "\"a\"") "t 8\n");
    world->verdict = VERDICT_YES;
    advance(world, 1000);
    assert_read(tab, ACCESS("f"));
    world_free(world);
}

static void full_of_open_questions_it_withholds(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, &SMALL);
    tab_takes(tab, 0);
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 10);
    assert_true(subscriber_queued(tab->subscriber) <= 5);
    assert_int_equal(world->cancelled, 6);
    world->verdict = VERDICT_YES;
    while (!list_empty(&world->askings)) world_answer(world, NULL, VERDICT_YES);
    tab_takes(tab, SIZE_MAX);
    advance(world, 1000);
    assert_read(tab, LAGGED("4", "\"f\"") ACCESS("f"));
    world_free(world);
}

static void it_may_lag_again_before_it_was_told(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_with(world, &SMALL, "a");
    subscriber_join(tab->subscriber, topic_of(world, "f"));
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 1);
    emit_many(world, "a", 2, 6);  /* the sink is free: it would go on, but for 1 */
    emit_many(world, "a", 7, 14); /* and overflows again */
    emit_many(world, "a", 15, 16);
    assert_int_equal(hub_counters(world->hub)->lagged, 2);
    assert_read(tab, "");
    world_answer(world, "1", VERDICT_YES);
    settle(world);
    assert_read(tab, LAGGED("14", "\"a\",\"f\"") "t 15\nt 16\n");
    world_free(world);
}

static void what_is_only_counted_is_not_replaced(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, &SMALL);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    world->verdict = VERDICT_PENDING;
    const struct emit key = {.type = BYTES("t"), .data = BYTES("old"), .replaces = BYTES("k")};
    topic_emit(topic_of(world, "f"), &key);
    emit_many(world, "a", 1, 4); /* overflow: it would not be sent any more */
    world->verdict = VERDICT_YES;
    struct emit newer = key;
    newer.data = BYTES("new");
    topic_emit(topic_of(world, "f"), &newer);
    settle(world);
    world_answer(world, "old", VERDICT_YES);
    settle(world);
    assert_read(tab, LAGGED("5", "\"f\",\"a\"") "t new\n");
    world_free(world);
}

static void the_number_s_id_is_in_front_of_what_comes_behind(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = SMALL;
    options.queue_frames = 1;
    struct tab *tab = filtered_tab(world, &options);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 1);
    emit_many(world, "a", 2, 2); /* lags at once */
    uint64_t next = emit(world, "a", "3");
    world_answer(world, "1", VERDICT_YES);
    const char told[] = LAGGED("2", "\"f\",\"a\"");
    tab->room = CURSOR_SIZE + strlen("id: \nevent: \ndata: \n") + strlen(told);
    later_round(&world->later); /* the fan-out makes room for 3 by writing the number */
    assert_read(tab, told);
    assert_int_equal(tab_position(tab), next - 1); /* who is cut here gets 3 when it is back */
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t 3\n");
    world_free(world);
}

static void its_number_is_not_lost_when_the_sink_is_full_again(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_with(world, &SMALL, "a");
    tab_takes(tab, 0);
    emit_many(world, "a", 1, 5);
    tab_takes(tab, 0); /* writable, it said, but took nothing: the resync is made and waits */
    assert_int_equal(subscriber_queued(tab->subscriber), 1);
    emit_many(world, "a", 6, 12);
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, LAGGED("5", "\"a\"") LAGGED("7", "\"a\""));
    world_free(world);
}

static void own_words_are_kept_and_bounded(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_with(world, &SMALL, "a");
    tab_takes(tab, 0);
    subscriber_control(tab->subscriber, "hello", BYTES("1"));
    subscriber_resync(tab->subscriber, "upstream", topic_of(world, "a"));
    emit_many(world, "a", 1, 6);
    subscriber_resync(tab->subscriber, "upstream", NULL);
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "hello 1\n" LAGGED("6", "\"a\"")); /* which says what the others said */
    tab_takes(tab, 0);
    for (int i = 0; i < 4; i++) subscriber_control(tab->subscriber, "hello", BYTES("2"));
    assert_false(subscriber_ended(tab->subscriber));
    subscriber_control(tab->subscriber, "hello", BYTES("2"));
    settle(world);
    assert_int_equal(tab->reason, END_SLOW);
    world_free(world);
}

/* ---- time ---- */

static void a_quiet_tab_gets_the_cursor(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    advance(world, 10000);
    emit_many(world, "a", 1, 1);
    emit_many(world, "b", 2, 9);
    assert_int_equal(tab_position(tab), 2);
    tab->writes = 0;
    advance(world, 19999); /* since the last write */
    assert_int_equal(tab->writes, 0);
    advance(world, 1);
    assert_int_equal(tab->writes, 1);
    assert_int_equal(tab_position(tab), 10);
    assert_read(tab, "t 1\n"); /* the heartbeat is no event */
    advance(world, 60000);
    assert_int_equal(tab->writes, 4);
    world_free(world);
}

static void heartbeats_share_a_frame(void **state)
{
    (void)state;
    struct world *world = world_new();
    for (int i = 0; i < 10; i++) tab_in(world, "a", NULL, NULL);
    advance(world, 20000);
    assert_int_equal(hub_counters(world->hub)->heartbeats, 10);
    assert_int_equal(frame_live(), 1);
    world_free(world);
}

static void no_heartbeat_while_something_is_on_its_way(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = DEFAULTS;
    options.verdict_ms = 100000;
    options.stall_ms = 1000000;
    struct tab *tab = filtered_tab(world, &options);
    uint64_t before = tab_position(tab);
    world->verdict = VERDICT_PENDING;
    emit_many(world, "f", 1, 1);
    advance(world, 50000);
    assert_int_equal(tab_position(tab), before);
    world_answer(world, "1", VERDICT_NO);
    advance(world, 1000);
    assert_int_equal(tab_position(tab), 2);
    struct tab *blocked = tab_with(world, &options, "a");
    tab_takes(blocked, 3);
    emit_many(world, "a", 1, 1);
    int writes = blocked->writes;
    advance(world, 50000);
    assert_int_equal(blocked->writes, writes);
    world_free(world);
}

static void a_heartbeat_may_be_cut_too(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    emit_many(world, "b", 1, 1);
    tab_takes(tab, 5);
    advance(world, 20000);
    emit_many(world, "a", 2, 2);
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t 2\n");
    tab_takes(tab, 0);
    advance(world, 20000); /* nothing was taken: it is not worth keeping */
    assert_int_equal(subscriber_queued(tab->subscriber), 0);
    emit_many(world, "a", 3, 3);
    tab_takes(tab, SIZE_MAX);
    assert_read(tab, "t 3\n");
    world_free(world);
}

static void before_it_began_its_words_are_bounded_too(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_new(world, &SMALL, NULL, NULL);
    for (int i = 0; i < 4; i++) subscriber_resync(tab->subscriber, "upstream", NULL);
    assert_false(subscriber_ended(tab->subscriber));
    subscriber_resync(tab->subscriber, "upstream", NULL);
    assert_true(subscriber_ended(tab->subscriber));
    world_free(world);
}

static void a_stalled_sink_is_closed(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL), *moves = tab_in(world, "a", NULL, NULL);
    advance(world, 15000);
    tab_takes(tab, 3);
    tab_takes(moves, 3);
    emit_many(world, "a", 1, 1);
    advance(world, 29000);
    tab_takes(moves, 1);
    advance(world, 999);
    assert_int_equal(tab->ended, 0);
    advance(world, 1);
    assert_int_equal(tab->reason, END_SLOW);
    assert_string_equal(tab->why, "slow");
    assert_int_equal(moves->ended, 0);
    advance(world, 28999);
    assert_int_equal(moves->ended, 0);
    advance(world, 1);
    assert_int_equal(moves->ended, 1);
    assert_int_equal(hub_counters(world->hub)->ended[END_SLOW], 2);
    world_free(world);
}

static void without_heartbeats_nothing_is_armed(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = DEFAULTS;
    options.heartbeat_ms = 0;
    struct tab *tab = tab_with(world, &options, "a");
    assert_int_equal(world->clock.wheel.count, 0);
    tab_takes(tab, 0);
    emit_many(world, "a", 1, 1);
    tab_takes(tab, SIZE_MAX);
    advance(world, 100000);
    assert_int_equal(tab->ended, 0);
    tab_takes(tab, 0);
    emit_many(world, "a", 2, 2);
    advance(world, 30000);
    assert_int_equal(tab->ended, 1);
    world_free(world);
}

/* ---- end ---- */

static void the_end_is_told_once_and_writes_what_is_ready(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = filtered_tab(world, NULL);
    world->verdict = VERDICT_PENDING;
    emit(world, "f", "1");
    emit(world, "f", "2");
    settle(world);
    struct asking *first = CONTAINER(world->askings.next, struct asking, node);
    first->done(first->owner, VERDICT_YES);
    world_cancel(&world->verdicts, first, false);
    subscriber_end(tab->subscriber, END_DRAIN);
    assert_true(subscriber_ended(tab->subscriber));
    assert_int_equal(tab->ended, 0);
    assert_int_equal(subscriber_topic_count(tab->subscriber), 0);
    subscriber_end(tab->subscriber, END_KICKED);
    subscriber_resync(tab->subscriber, "upstream", NULL);
    subscriber_control(tab->subscriber, "late", BYTES(""));
    assert_false(subscriber_join(tab->subscriber, topic_of(world, "a")));
    settle(world);
    assert_read(tab, "t 1\n"); /* 2 is not judged */
    assert_int_equal(tab->ended, 1);
    assert_int_equal(tab->reason, END_DRAIN);
    assert_string_equal(tab->why, "drain");
    world_free(world);
}

static void a_client_that_is_gone_is_not_written_to(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    tab->writes = 0;
    emit(world, "a", "1");
    tab_cut(tab); /* its sink would complain */
    assert_int_equal(tab->reason, END_CLIENT);
    assert_int_equal(tab->writes, 0);
    assert_null(tab->why);
    world_free(world);
}

static void it_may_end_before_it_began(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_new(world, NULL, "ann", TAG_1);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    subscriber_control(tab->subscriber, "refused", BYTES("{}"));
    subscriber_end(tab->subscriber, END_REFUSED);
    subscriber_start(tab->subscriber, BYTES("x"));
    settle(world);
    assert_read(tab, "refused {}\n");
    world_free(world);
}

static void reasons_have_names(void **state)
{
    (void)state;
    for (int reason = 0; reason < END_REASONS; reason++)
        assert_true(strlen(end_reason_name(reason)) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_with_retry_and_ready),
        cmocka_unit_test(without_a_retry_there_is_no_line),
        cmocka_unit_test(it_joins_and_leaves_many_topics),
        cmocka_unit_test(what_waits_of_a_topic_that_it_left_is_not_sent),
        cmocka_unit_test(it_is_told_of_a_topic_that_is_no_more),
        cmocka_unit_test(it_is_told_though_it_lags),
        cmocka_unit_test(other_options_count_from_then_on),
        cmocka_unit_test(frames_go_out_byte_by_byte),
        cmocka_unit_test(a_direct_write_that_is_cut_is_finished_from_the_queue),
        cmocka_unit_test(control_events_go_through_the_queue),
        cmocka_unit_test(a_newer_one_stands_at_its_own_place),
        cmocka_unit_test(a_partly_written_one_is_not_removed),
        cmocka_unit_test(type_and_topic_belong_to_the_key),
        cmocka_unit_test(the_tab_that_caused_it_does_not_get_it),
        cmocka_unit_test(or_is_told_the_tag_to_skip_it_itself),
        cmocka_unit_test(a_no_is_not_sent_and_an_open_question_holds_what_is_behind),
        cmocka_unit_test(a_slow_answer_holds_nobody_else),
        cmocka_unit_test(without_an_answer_it_is_withheld_and_told_later),
        cmocka_unit_test(a_late_yes_tells_in_front_of_its_trigger),
        cmocka_unit_test(the_withheld_one_is_asked_about_again_paced),
        cmocka_unit_test(asking_again_may_wait_and_time_out),
        cmocka_unit_test(a_no_to_the_only_one_withheld_ends_the_matter),
        cmocka_unit_test(nothing_is_asked_for_who_left_or_ended),
        cmocka_unit_test(a_rule_may_do_anything_while_it_is_asked),
        cmocka_unit_test(only_a_permitted_one_replaces),
        cmocka_unit_test(overflow_is_one_resync_with_the_number),
        cmocka_unit_test(bytes_have_a_bound_too),
        cmocka_unit_test(only_what_it_was_permitted_is_counted),
        cmocka_unit_test(open_questions_hold_the_number_no_longer_than_they_may),
        cmocka_unit_test(full_of_open_questions_it_withholds),
        cmocka_unit_test(it_may_lag_again_before_it_was_told),
        cmocka_unit_test(what_is_only_counted_is_not_replaced),
        cmocka_unit_test(the_number_s_id_is_in_front_of_what_comes_behind),
        cmocka_unit_test(its_number_is_not_lost_when_the_sink_is_full_again),
        cmocka_unit_test(own_words_are_kept_and_bounded),
        cmocka_unit_test(a_quiet_tab_gets_the_cursor),
        cmocka_unit_test(heartbeats_share_a_frame),
        cmocka_unit_test(no_heartbeat_while_something_is_on_its_way),
        cmocka_unit_test(a_heartbeat_may_be_cut_too),
        cmocka_unit_test(before_it_began_its_words_are_bounded_too),
        cmocka_unit_test(a_stalled_sink_is_closed),
        cmocka_unit_test(without_heartbeats_nothing_is_armed),
        cmocka_unit_test(the_end_is_told_once_and_writes_what_is_ready),
        cmocka_unit_test(a_client_that_is_gone_is_not_written_to),
        cmocka_unit_test(it_may_end_before_it_began),
        cmocka_unit_test(reasons_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
