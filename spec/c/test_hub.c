/* Topics, the order, the fan-out, the users. */
#include "hub/hub.c"

#include "base/text.h"
#include "hub_world.h"

static void a_trigger_reaches_its_topic_alone(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *ann = tab_in(world, "a", NULL, NULL), *bob = tab_in(world, "b", NULL, NULL);
    assert_int_equal(emit(world, "a", "1"), 2);
    assert_int_equal(emit(world, "a", "2"), 3);
    settle(world);
    assert_read(ann, "t 1\nt 2\n");
    assert_int_equal(tab_position(ann), 3);
    assert_read(bob, "");
    world_free(world);
}

static void the_name_is_the_type_or_the_topic_or_none(void **state)
{
    (void)state;
    static const struct topic_options by_topic = {.name = EVENT_NAME_TOPIC},
                                      unnamed = {.name = EVENT_NAME_NONE};
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "plain", NULL, NULL);
    struct topic *named = hub_topic(world->hub, BYTES("board.7"), &by_topic);
    struct topic *without = hub_topic(world->hub, BYTES("chat"), &unnamed);
    subscriber_join(tab->subscriber, named);
    subscriber_join(tab->subscriber, without);
    emit(world, "plain", "1");
    emit_to(named, "card.moved", "2");
    emit_to(without, "new", "3");
    topic_resync(without, "upstream", 0);
    settle(world);
    assert_read(tab, "t 1\nboard.7 2\nmessage 3\n"
                     "resync {\"reason\":\"upstream\",\"missed\":null,\"topics\":[\"chat\"]}\n");
    world_free(world);
}

static void a_burst_over_topics_leaves_in_one_write_in_order(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL), *alone = tab_in(world, "c", NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "b"));
    tab->writes = alone->writes = 0;
    emit(world, "a", "1");
    emit(world, "b", "2");
    emit(world, "c", "3");
    emit(world, "a", "4");
    emit(world, "c", "5");
    settle(world);
    assert_read(tab, "t 1\nt 2\nt 4\n");
    assert_int_equal(tab->writes, 1);
    assert_read(alone, "t 3\nt 5\n");
    assert_int_equal(alone->writes, 1);
    world_free(world);
}

static void a_write_has_at_most_256_pieces(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = DEFAULTS;
    options.queue_frames = 2000;
    struct tab *tab = tab_new(world, &options, NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    tab_start(tab, NULL);
    tab_takes(tab, 0); /* nothing: so that all of it waits */
    for (int i = 0; i < 1000; i++) emit(world, "a", "x");
    settle(world);
    assert_int_equal(subscriber_queued(tab->subscriber), 1000);
    tab->writes = 0;
    tab_takes(tab, SIZE_MAX);
    assert_int_equal(tab->writes, 4);
    assert_int_equal(subscriber_queued(tab->subscriber), 0);
    assert_int_equal(tab_position(tab), 1001);
    world_free(world);
}

static void a_burst_larger_than_the_queue_is_no_lag_for_who_takes_it(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct subscriber_options options = DEFAULTS;
    options.queue_frames = 4;
    struct tab *tab = tab_new(world, &options, NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, "a"));
    subscriber_join(tab->subscriber, topic_of(world, "b"));
    tab_start(tab, NULL);
    for (int i = 0; i < 300; i++) emit(world, i % 2 ? "a" : "b", "x");
    settle(world);
    assert_int_equal(tab_position(tab), 301);
    assert_int_equal(hub_counters(world->hub)->lagged, 0);
    world_free(world);
}

/* Subscribers as many as a step of the fan-out does not serve. */
struct crowd {
    struct world *world;
    struct sink sink;
    struct sink_ops ops;
    struct subscriber *subscribers[2000];
    int served, count, leave_at, join_at;
};

static size_t crowd_write(struct sink *sink, const struct iovec *pieces, int count)
{
    struct crowd *crowd = CONTAINER(sink->ops, struct crowd, ops);
    size_t size = 0;
    for (int i = 0; i < count; i++) size += pieces[i].iov_len;
    crowd->served += count; /* frames */
    return size;
}

static void crowd_close(struct sink *sink, const char *why)
{
    (void)why;
    xfree(sink);
}

static struct crowd *crowd_new(struct world *world, int count)
{
    struct crowd *crowd = xcalloc(1, sizeof(*crowd));
    crowd->world = world;
    crowd->ops = (struct sink_ops){crowd_write, crowd_close};
    crowd->count = count;
    for (int i = 0; i < count; i++) {
        struct sink *sink = xcalloc(1, sizeof(*sink));
        sink->ops = &crowd->ops;
        crowd->subscribers[i] = subscriber_new(world->hub, &DEFAULTS, sink, NULL, NULL, NULL, NULL);
        subscriber_join(crowd->subscribers[i], topic_of(world, "a"));
        subscriber_start(crowd->subscribers[i], (struct bytes){NULL, 0});
    }
    settle(world);
    crowd->served = 0;
    return crowd;
}

static void crowd_free(struct crowd *crowd)
{
    for (int i = 0; i < crowd->count; i++)
        if (crowd->subscribers[i]) subscriber_end(crowd->subscribers[i], END_DRAIN);
    settle(crowd->world);
    xfree(crowd);
}

static void a_long_fan_out_yields_and_nothing_of_that_is_seen(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct crowd *crowd = crowd_new(world, 2000);
    struct tab *last = tab_in(world, "a", NULL, NULL);
    uint64_t first = emit(world, "a", "1");
    int rounds = 0;
    later_round(&world->later);
    rounds++;
    assert_true(crowd->served > 100 && crowd->served < 2000);
    assert_read(last, "");

    /* In the middle: the cursor says what is fanned out, and who joins is not served twice. */
    char cursor[CURSOR_SIZE];
    hub_cursor(world->hub, cursor);
    assert_int_equal(read_cursor(&world->order.epoch, bytes_run(cursor, CURSOR_SIZE)), first - 1);
    struct tab *late = tab_new(world, NULL, NULL, NULL);
    subscriber_join(late->subscriber, topic_of(world, "a"));
    subscriber_start(late->subscriber, (struct bytes){NULL, 0});
    uint64_t second = emit(world, "a", "2");
    for (int i = 1500; i < 1600; i++) { /* and who leaves is not missed by the others */
        subscriber_end(crowd->subscribers[i], END_KICKED);
        crowd->subscribers[i] = NULL;
    }
    while (later_round(&world->later)) rounds++;
    assert_true(rounds > 6);
    assert_read(late, "ready {\"resumed\":false,\"missed\":null,\"tag\":null}\nt 2\n");
    assert_read(last, "t 1\nt 2\n");
    assert_int_equal(crowd->served, 2000 + 1900 - 100);
    hub_cursor(world->hub, cursor);
    assert_int_equal(read_cursor(&world->order.epoch, bytes_run(cursor, CURSOR_SIZE)), second);
    crowd_free(crowd);
    world_free(world);
}

static void who_leaves_in_the_middle_of_a_fan_out_is_out(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct crowd *crowd = crowd_new(world, 1000);
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    struct topic *topic = topic_of(world, "a");
    emit(world, "a", "1");
    later_round(&world->later);
    subscriber_leave(tab->subscriber, topic);
    subscriber_leave(crowd->subscribers[0], topic); /* served already */
    assert_int_equal(topic_subscribers(topic), 999);
    subscriber_join(tab->subscriber, topic); /* begins now: after the trigger */
    emit(world, "a", "2");
    settle(world);
    assert_read(tab, "t 2\n");
    assert_int_equal(topic_subscribers(topic), 1000);
    assert_int_equal(crowd->served, 1000 + 999);
    crowd_free(crowd);
    world_free(world);
}

/* ---- life of a topic ---- */

static const struct topic_options BRIEF = {.history_size = 4, .history_ttl_ms = 1000};

static void a_topic_lives_on_while_somebody_holds_it(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct bytes name = BYTES("x");
    hub_topic(world->hub, name, &BRIEF);
    assert_non_null(hub_topic_find(world->hub, name));
    settle(world);
    assert_null(hub_topic_find(world->hub, name)); /* nobody took it */

    struct tab *tab = tab_new(world, NULL, NULL, NULL);
    subscriber_join(tab->subscriber, hub_topic(world->hub, name, &BRIEF));
    settle(world);
    assert_non_null(hub_topic_find(world->hub, name));
    tab_cut(tab);
    assert_null(hub_topic_find(world->hub, name));

    emit_to(hub_topic(world->hub, name, &BRIEF), "t", "1"); /* history */
    advance(world, 900);
    emit_to(hub_topic_find(world->hub, name), "t", "2");
    advance(world, 900);
    assert_non_null(hub_topic_find(world->hub, name));
    advance(world, 500);
    assert_null(hub_topic_find(world->hub, name));
    assert_int_equal(hub_counters(world->hub)->topics, 0);
    world_free(world);
}

static void topics_have_a_limit(void **state)
{
    (void)state;
    struct world *world =
        world_new_with((struct hub_limits){.forgotten_topics = 1, .topics = 2, .windows = 1});
    assert_non_null(topic_of(world, "a"));
    assert_non_null(topic_of(world, "b"));
    assert_null(topic_of(world, "c"));
    assert_non_null(topic_of(world, "a"));
    settle(world);
    assert_non_null(topic_of(world, "c"));
    settle(world);
    world_free(world);
}

static void new_options_hold_at_once(void **state)
{
    (void)state;
    struct world *world = world_new();
    for (int i = 0; i < 10; i++) emit(world, "a", "x");
    struct topic *topic = topic_of(world, "a");
    assert_int_equal(topic->history.count, 10);
    topic_set_options(topic, &BRIEF);
    assert_ptr_equal(topic_options(topic), &BRIEF);
    assert_int_equal(topic->history.count, 4);
    advance(world, 1500);
    assert_null(hub_topic_find(world->hub, BYTES("a")));
    world_free(world);
}

static void count_topic(void *ctx, struct topic *topic)
{
    struct buf *names = ctx;
    buf_add_bytes(names, atom_bytes(topic_name(topic)));
    emit_to(topic, "t", "x"); /* may do what it likes to a topic */
}

static void topics_are_walked(void **state)
{
    (void)state;
    struct world *world = world_new();
    topic_of(world, "a");
    topic_of(world, "b");
    struct buf names = BUF_EMPTY;
    hub_topics_each(world->hub, count_topic, &names);
    assert_text(buf_bytes(&names), "ab");
    buf_destroy(&names);
    world_free(world);
}

/* ---- users ---- */

static bool end_each(void *ctx, struct subscriber *subscriber)
{
    ++*(int *)ctx;
    subscriber_end(subscriber, END_KICKED);
    return true;
}

static bool stop_at_second(void *ctx, struct subscriber *subscriber)
{
    (void)subscriber;
    return ++*(int *)ctx < 2;
}

static bool add_user(void *ctx, struct atom *user, uint32_t tabs)
{
    buf_printf(ctx, "%s%u ", user->text, tabs);
    return true;
}

static uint32_t tabs_of(struct world *world, const char *user)
{
    struct atom *atom = atom_of(user);
    uint32_t tabs = hub_user_subscribers(world->hub, atom);
    atom_unref(atom);
    return tabs;
}

static int each_of_user(struct world *world, const char *user, const char *tag,
                        bool (*each)(void *ctx, struct subscriber *subscriber))
{
    struct atom *user_atom = atom_of(user), *tag_atom = tag ? atom_of(tag) : NULL;
    int called = 0;
    hub_subscribers_each(world->hub, user_atom, tag_atom, each, &called);
    atom_unref(user_atom);
    atom_unref(tag_atom);
    return called;
}

static void a_user_has_its_subscribers(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *first = tab_in(world, "a", "ann", "ann-s-first-tab-1");
    struct tab *second = tab_in(world, "a", "ann", "ann-s-first-tab-2");
    struct tab *third = tab_in(world, "b", "ann", NULL);
    struct tab *bob = tab_in(world, "a", "bob", "ann-s-first-tab-1");
    struct tab *nobody = tab_in(world, "a", NULL, NULL);
    assert_int_equal(tabs_of(world, "ann"), 3);
    assert_int_equal(tabs_of(world, "cid"), 0);
    assert_int_equal(hub_counters(world->hub)->users, 2);
    struct buf users = BUF_EMPTY;
    hub_users_each(world->hub, add_user, &users);
    assert_non_null(strstr(buf_text(&users), "ann3 "));
    assert_non_null(strstr(buf_text(&users), "bob1 "));
    buf_destroy(&users);

    assert_int_equal(each_of_user(world, "ann", NULL, stop_at_second), 2);
    assert_int_equal(each_of_user(world, "ann", "ann-s-first-tab-2", end_each), 1);
    assert_int_equal(tabs_of(world, "ann"), 2); /* at once, though its memory is there still */
    assert_int_equal(each_of_user(world, "ann", NULL, end_each), 2);
    assert_int_equal(tabs_of(world, "ann"), 0);
    settle(world);
    assert_int_equal(first->reason, END_KICKED);
    assert_int_equal(second->ended + third->ended, 2);
    assert_int_equal(bob->ended + nobody->ended, 0);

    int all = 0;
    hub_all_each(world->hub, end_each, &all);
    assert_int_equal(all, 2);
    hub_all_each(world->hub, end_each, &all);
    assert_int_equal(all, 2);
    assert_int_equal(hub_counters(world->hub)->ended[END_KICKED], 5);
    world_free(world);
}

static void the_newer_tab_of_one_tag_is_renamed(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *old = tab_new(world, NULL, "ann", "0123456789abcdef");
    struct tab *new = tab_new(world, NULL, "ann", "0123456789abcdef");
    struct tab *other = tab_new(world, NULL, "bob", "0123456789abcdef");
    struct atom *tag = subscriber_tag(new->subscriber);
    assert_ptr_equal(subscriber_tag(other->subscriber), subscriber_tag(old->subscriber));
    assert_ptr_not_equal(tag, subscriber_tag(old->subscriber));
    assert_int_equal(tag->size, 23);
    assert_memory_equal(tag->text, "0123456789abcdef-", 17);
    assert_true(text_is_tag(atom_bytes(tag)));

    struct buf ready = BUF_EMPTY;
    buf_printf(&ready, "ready {\"resumed\":false,\"missed\":null,\"tag\":\"%s\"}\n", tag->text);
    tab_start(new, NULL);
    assert_read(new, buf_text(&ready)); /* and it is told so */
    buf_destroy(&ready);

    subscriber_end(old->subscriber, END_KICKED); /* gives its tag up at once */
    struct tab *third = tab_new(world, NULL, "ann", "0123456789abcdef");
    assert_text(atom_bytes(subscriber_tag(third->subscriber)), "0123456789abcdef");

    char longest[65] = "", *end = longest;
    while (end < longest + 64) *end++ = 'x';
    tab_new(world, NULL, "ann", longest);
    struct tab *cut = tab_new(world, NULL, "ann", longest);
    assert_int_equal(subscriber_tag(cut->subscriber)->size, 64);
    assert_true(text_is_tag(atom_bytes(subscriber_tag(cut->subscriber))));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trigger_reaches_its_topic_alone),
        cmocka_unit_test(the_name_is_the_type_or_the_topic_or_none),
        cmocka_unit_test(a_burst_over_topics_leaves_in_one_write_in_order),
        cmocka_unit_test(a_write_has_at_most_256_pieces),
        cmocka_unit_test(a_burst_larger_than_the_queue_is_no_lag_for_who_takes_it),
        cmocka_unit_test(a_long_fan_out_yields_and_nothing_of_that_is_seen),
        cmocka_unit_test(who_leaves_in_the_middle_of_a_fan_out_is_out),
        cmocka_unit_test(a_topic_lives_on_while_somebody_holds_it),
        cmocka_unit_test(topics_have_a_limit),
        cmocka_unit_test(new_options_hold_at_once),
        cmocka_unit_test(topics_are_walked),
        cmocka_unit_test(a_user_has_its_subscribers),
        cmocka_unit_test(the_newer_tab_of_one_tag_is_renamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
