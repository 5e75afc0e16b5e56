/* The ring of a topic's newest frames, by their places: the positions are all the same here. */
#include "hub/history.c"

#include "unit.h"

static struct frame *frame_at(uint64_t place, uint64_t at_ms)
{
    return frame_new(&(struct trigger){.data = BYTES("x"), .position = 7, .place = place, .at_ms = at_ms});
}

static void add(struct history *history, uint64_t place, uint32_t size)
{
    struct frame *frame = frame_at(place, place * 10);
    history_add(history, frame, size);
    frame_unref(frame);
}

static void assert_holds(const struct history *history, uint64_t from, uint64_t to)
{
    assert_int_equal(history->count, to - from + 1);
    for (uint64_t place = from; place <= to; place++)
        assert_int_equal(history_at(history, (uint32_t)(place - from))->place, place);
}

static int tear_down(void **state)
{
    return frame_live() ? -1 : nothing_left(state);
}

static void keeps_the_newest_and_knows_what_it_lost(void **state)
{
    (void)state;
    struct history history;
    history_create(&history, 3);
    assert_int_equal(history.lost, 3);
    for (uint64_t place = 10; place <= 15; place++) add(&history, place, 6);
    assert_holds(&history, 10, 15);
    assert_int_equal(history.lost, 3);
    for (uint64_t place = 16; place <= 40; place++) {
        add(&history, place, 6);
        assert_holds(&history, place - 5, place);
        assert_int_equal(history.lost, place - 6);
    }
    history_destroy(&history);
    assert_int_equal(history.lost, 40);
}

static void without_size_everything_is_lost_at_once(void **state)
{
    (void)state;
    struct history history;
    history_create(&history, 0);
    add(&history, 5, 4);
    add(&history, 6, 0);
    assert_int_equal(history.count, 0);
    assert_int_equal(history.lost, 6);
    history_destroy(&history);
}

static void what_is_too_old_goes(void **state)
{
    (void)state;
    struct history history;
    history_create(&history, 0);
    for (uint64_t place = 1; place <= 9; place++) add(&history, place, 100);
    history_expire(&history, 0);
    assert_holds(&history, 1, 9);
    history_expire(&history, 49);
    assert_holds(&history, 5, 9);
    history_expire(&history, 50);
    assert_holds(&history, 6, 9);
    assert_int_equal(history.lost, 5);
    history_trim(&history, 2);
    assert_holds(&history, 8, 9);
    history_expire(&history, 1000);
    assert_int_equal(history.count, 0);
    assert_int_equal(history.lost, 9);
    assert_int_equal(alloc_live(), 0); /* an empty one costs nothing */
    add(&history, 10, 100);
    assert_holds(&history, 10, 10);
    history_destroy(&history);
}

static void finds_the_first_newer(void **state)
{
    (void)state;
    struct history history;
    history_create(&history, 0);
    assert_int_equal(history_after(&history, 0), 0);
    for (uint64_t place = 10; place <= 50; place += 10) add(&history, place, 4);
    assert_int_equal(history_after(&history, 0), 0);
    assert_int_equal(history_after(&history, 19), 0);
    assert_int_equal(history_after(&history, 20), 1);
    assert_int_equal(history_after(&history, 21), 1);
    assert_int_equal(history_after(&history, 49), 3);
    assert_int_equal(history_after(&history, 50), 4);
    assert_int_equal(history_after(&history, UINT64_MAX), 4);
    history_destroy(&history);
}

static uint64_t place_of(const struct history *history, struct bytes id)
{
    const struct frame *frame = history_find(history, id);
    return frame ? frame->place : 0;
}

static void add_named(struct history *history, const char *id, uint64_t place, uint32_t size)
{
    struct frame *frame = frame_new(
        &(struct trigger){.data = BYTES("x"), .id = bytes_of(id), .position = 7, .place = place});
    history_add(history, frame, size);
    history_index(history);
    frame_unref(frame);
}

static void finds_frames_by_their_ids(void **state)
{
    (void)state;
    struct history history;
    char id[16];
    history_create(&history, 0);
    assert_int_equal(place_of(&history, BYTES("id-1")), 0);
    for (uint64_t place = 1; place <= 100; place++) {
        snprintf(id, sizeof(id), "id-%d", (int)place);
        add_named(&history, id, place, 10);
        for (uint64_t other = 1; other <= place + 1; other++) {
            snprintf(id, sizeof(id), "id-%d", (int)other);
            const bool there = other <= place && other + 10 > place;
            assert_int_equal(place_of(&history, bytes_of(id)), there ? other : 0);
        }
    }
    assert_int_equal(place_of(&history, BYTES("")), 0);
    history_unindex(&history);
    assert_int_equal(place_of(&history, BYTES("id-100")), 0);
    history_index(&history); /* what is there already, too */
    assert_int_equal(place_of(&history, BYTES("id-91")), 91);
    history_destroy(&history);
    assert_int_equal(place_of(&history, BYTES("id-100")), 0);
}

/* Nobody can say which of them a client has seen. */
static void an_id_given_twice_is_not_known(void **state)
{
    (void)state;
    struct history history;
    history_create(&history, 0);
    add_named(&history, "a", 1, 3);
    add_named(&history, "b", 2, 3);
    assert_int_equal(place_of(&history, BYTES("a")), 1);
    add_named(&history, "a", 3, 3);
    assert_int_equal(place_of(&history, BYTES("a")), 0);
    add_named(&history, "c", 4, 3); /* the first is gone, but who saw it may still come */
    assert_int_equal(place_of(&history, BYTES("a")), 0);
    assert_int_equal(place_of(&history, BYTES("b")), 2);
    add_named(&history, "d", 5, 3);
    add_named(&history, "e", 6, 3);
    assert_int_equal(place_of(&history, BYTES("a")), 0);
    add_named(&history, "a", 7, 3);
    assert_int_equal(place_of(&history, BYTES("a")), 7);
    history_destroy(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(keeps_the_newest_and_knows_what_it_lost, tear_down),
        cmocka_unit_test_teardown(without_size_everything_is_lost_at_once, tear_down),
        cmocka_unit_test_teardown(what_is_too_old_goes, tear_down),
        cmocka_unit_test_teardown(finds_the_first_newer, tear_down),
        cmocka_unit_test_teardown(finds_frames_by_their_ids, tear_down),
        cmocka_unit_test_teardown(an_id_given_twice_is_not_known, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
