/* Coalescing before the order. */
#include "hub/window.c"

#include "hub_world.h"

static uint64_t emit_within(struct world *world, const char *type, const char *data,
                            const char *key, const char *user, const char *tag)
{
    return topic_emit(topic_of(world, "a"), &(struct emit){.type = bytes_of(type),
                                                           .data = bytes_of(data),
                                                           .replaces = bytes_of(key),
                                                           .user = bytes_of(user),
                                                           .tag = bytes_of(tag),
                                                           .within_ms = 50});
}

static uint64_t hold(struct world *world, const char *data, const char *key)
{
    return emit_within(world, "t", data, key, NULL, NULL);
}

static void the_newest_takes_its_place_when_the_window_ends(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    assert_int_equal(hold(world, "1", "k"), 0);
    advance(world, 30);
    hold(world, "2", "k");
    emit(world, "a", "now");
    advance(world, 19);
    assert_read(tab, "t now\n");
    advance(world, 1); /* 50 ms after the first, not after the newest */
    assert_read(tab, "t 2\n");
    assert_int_equal(hub_counters(world->hub)->replaced, 1);
    advance(world, 1000);
    assert_read(tab, "");
    world_free(world);
}

static void a_constant_flow_gets_through(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    char text[8];
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof(text), "%d", i);
        hold(world, text, "k");
        advance(world, 10);
    }
    assert_read(tab, "t 4\nt 9\nt 14\nt 19\n");
    world_free(world);
}

static void topic_type_and_key_tell_windows_apart(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    hold(world, "1", "k");
    hold(world, "2", "l");
    hold(world, "3", ""); /* an empty key is a key */
    emit_within(world, "u", "4", "k", NULL, NULL);
    advance(world, 50);
    assert_read(tab, "t 1\nt 2\nt 3\nu 4\n");
    world_free(world);
}

static void a_trigger_that_does_not_wait_stands_for_the_one_that_does(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    hold(world, "1", "k");
    uint64_t position =
        topic_emit(topic_of(world, "a"),
                   &(struct emit){.type = BYTES("t"), .data = BYTES("2"), .replaces = BYTES("k")});
    assert_int_equal(position, 2);
    advance(world, 100);
    assert_read(tab, "t 2\n"); /* the older one does not come after it */
    world_free(world);
}

#define TAG_1 "tab-number-one-of-ann"
#define TAG_2 "tab-number-two-of-ann"

static void different_tags_merge_to_none(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *one = tab_in(world, "a", "ann", TAG_1), *two = tab_in(world, "a", "ann", TAG_2);
    emit_within(world, "t", "1", "same", "ann", TAG_1);
    emit_within(world, "t", "2", "same", "ann", TAG_1);
    emit_within(world, "t", "3", "differ", "ann", TAG_1);
    emit_within(world, "t", "4", "differ", "ann", TAG_2);
    emit_within(world, "t", "5", "user", "ann", TAG_1);
    emit_within(world, "t", "6", "user", "bob", TAG_1);
    emit_within(world, "t", "7", "none", "ann", TAG_1);
    hold(world, "8", "none");
    hold(world, "9", "now");
    topic_emit(topic_of(world, "a"), &(struct emit){.type = BYTES("t"),
                                                    .data = BYTES("10"),
                                                    .replaces = BYTES("now"),
                                                    .user = BYTES("ann"),
                                                    .tag = BYTES(TAG_1)});
    advance(world, 50);
    assert_read(one, "t 10\nt 4\nt 6\nt 8\n"); /* 2 alone is its own echo */
    assert_read(two, "t 10\nt 2\nt 4\nt 6\nt 8\n");
    world_free(world);
}

static void drain_publishes_what_waits(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    hold(world, "1", "k");
    hold(world, "2", "l");
    hub_windows_flush(world->hub);
    settle(world);
    assert_read(tab, "t 1\nt 2\n");
    advance(world, 100);
    assert_read(tab, "");
    world_free(world);
}

static void above_the_limit_nothing_waits(void **state)
{
    (void)state;
    struct world *world =
        world_new_with((struct hub_limits){.forgotten_topics = 1, .topics = 2, .windows = 2});
    struct tab *tab = tab_in(world, "a", NULL, NULL);
    hold(world, "1", "k");
    hold(world, "2", "l");
    assert_int_equal(hold(world, "3", "m"), 2);
    assert_int_equal(hold(world, "4", "l"), 0); /* its window is open */
    settle(world);
    assert_read(tab, "t 3\n");
    advance(world, 50);
    assert_read(tab, "t 1\nt 4\n");
    world_free(world);
}

static void a_window_keeps_its_topic(void **state)
{
    (void)state;
    static const struct topic_options nothing = {.history_size = 0};
    struct world *world = world_new();
    topic_emit(hub_topic(world->hub, BYTES("b"), &nothing),
               &(struct emit){
                   .type = BYTES("t"), .data = BYTES("1"), .replaces = BYTES(""), .within_ms = 9});
    settle(world);
    assert_non_null(hub_topic_find(world->hub, BYTES("b")));
    advance(world, 9);
    assert_null(hub_topic_find(world->hub, BYTES("b")));
    hold(world, "what waits when the hub goes is dropped", "k");
    world_free(world);
}

static void the_newest_brings_its_own_id_meta_and_retry(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct topic *topic = topic_of(world, "a");
    struct emit emit = {.type = BYTES("t"),
                        .data = BYTES("1"),
                        .replaces = BYTES("k"),
                        .within_ms = 50,
                        .id = BYTES("one"),
                        .meta = BYTES("{\"n\":1}"),
                        .retry_ms = 1000};
    struct topic_options options = *topic_options(topic);
    options.publisher_ids = true;
    options.history_size = 4;
    topic_set_options(topic, &options);
    topic_emit(topic, &emit);
    emit.data = BYTES("2");
    emit.id = BYTES("two");
    emit.meta = BYTES("{\"n\":2}");
    emit.retry_ms = 0;
    topic_emit(topic, &emit);
    advance(world, 50);
    assert_int_equal(topic->history.count, 1);
    const struct frame *frame = history_at(&topic->history, 0);
    assert_text(bytes_run(frame->bytes, frame->size), "id: two\nevent: t\ndata: 2\n\n");
    assert_string_equal(frame->meta->text, "{\"n\":2}");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_takes_its_place_when_the_window_ends),
        cmocka_unit_test(a_constant_flow_gets_through),
        cmocka_unit_test(topic_type_and_key_tell_windows_apart),
        cmocka_unit_test(a_trigger_that_does_not_wait_stands_for_the_one_that_does),
        cmocka_unit_test(different_tags_merge_to_none),
        cmocka_unit_test(drain_publishes_what_waits),
        cmocka_unit_test(above_the_limit_nothing_waits),
        cmocka_unit_test(a_window_keeps_its_topic),
        cmocka_unit_test(the_newest_brings_its_own_id_meta_and_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
