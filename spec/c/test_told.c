/* Which cursors may belong to clients that were not told. */
#include "hub/told.c"

#include "unit.h"

static struct told told;
static struct atom *ann, *bob, *topic;

static int set_up(void **state)
{
    (void)state;
    told_create(&told, NULL);
    ann = atom_of("ann");
    bob = atom_of("bob");
    topic = atom_of("t");
    return 0;
}

static int tear_down(void **state)
{
    told_destroy(&told);
    atom_unref(ann);
    atom_unref(bob);
    atom_unref(topic);
    return atom_live() ? -1 : nothing_left(state);
}

static bool concerns(struct atom *user, uint64_t position)
{
    return told_concerns(&told, user, topic, 0, position);
}

static void from_the_mark_on_who_stands_behind_it(void **state)
{
    (void)state;
    struct stretch *stretch = told_open(&told, ann, topic, 0, 10);
    assert_false(concerns(ann, 9)); /* is asked about it again in the replay */
    assert_true(concerns(ann, 10));
    assert_true(concerns(ann, 1000)); /* the subscriber lives on, and may be half open */
    assert_false(concerns(bob, 10));
    assert_false(told_concerns(&told, ann, bob, 0, 10));
    told_widen(&told, stretch, 8);
    told_widen(&told, stretch, 12);
    assert_true(concerns(ann, 8));
    assert_false(concerns(ann, 7));
    told_close(&told, stretch, 20);
    assert_true(concerns(ann, 8));
    assert_true(concerns(ann, 20));
    assert_false(concerns(ann, 21));
}

static void with_nothing_to_tell_nothing_stays(void **state)
{
    (void)state;
    told_close(&told, told_open(&told, NULL, topic, 0, 10), 0);
    assert_false(concerns(NULL, 10));
    assert_int_equal(told._by_key.count, 0);
}

static void marks_of_several_subscribers_are_one_stretch(void **state)
{
    (void)state;
    struct stretch *first = told_open(&told, NULL, topic, 0, 10);
    assert_ptr_equal(told_open(&told, NULL, topic, 0, 5), first);
    told_close(&told, first, 30);
    assert_true(concerns(NULL, 99));
    told_close(&told, first, 0);
    assert_true(concerns(NULL, 5));
    assert_true(concerns(NULL, 30));
    assert_false(concerns(NULL, 31));
    told_close(&told, told_open(&told, NULL, topic, 0, 50), 60); /* later, once more */
    assert_true(concerns(NULL, 5) && concerns(NULL, 40) && concerns(NULL, 60));
    assert_false(concerns(NULL, 61));
}

static void what_falls_out_raises_the_floor(void **state)
{
    (void)state;
    struct stretch *held = told_open(&told, ann, topic, 0, 1);
    for (uint64_t i = 0; i < TOLD_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", (int)i);
        struct atom *user = atom_of(name);
        told_close(&told, told_open(&told, user, topic, 0, 10 + i), 100 + i);
        atom_unref(user);
    }
    assert_false(concerns(bob, 5));
    told_close(&told, told_open(&told, bob, topic, 0, 7000), 7001);
    assert_true(concerns(bob, 100)); /* the oldest stood there */
    assert_false(concerns(bob, 101));
    assert_int_equal(told._settled, TOLD_MAX);
    assert_true(concerns(ann, 9000)); /* a mark holds its stretch */
    told_close(&told, held, 0);
}

/* The places of one server say nothing of another's. */
static void each_server_has_a_floor_of_its_own(void **state)
{
    (void)state;
    struct atom *other = atom_of("other");
    told_close(&told, told_open(&told, ann, other, 3, 10), 5000);
    for (uint64_t i = 0; i < TOLD_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", (int)i);
        struct atom *user = atom_of(name);
        told_close(&told, told_open(&told, user, topic, 0, 10), 20);
        atom_unref(user);
    }
    assert_true(told_concerns(&told, bob, other, 3, 5000));
    assert_false(told_concerns(&told, bob, other, 3, 5001));
    assert_false(told_concerns(&told, bob, topic, 0, 1));
    atom_unref(other);
}

static char changes[200];

static void note_change(struct stretch_watcher *watcher, struct atom *user, struct atom *name, uint8_t server,
                        uint64_t from, uint64_t to)
{
    (void)watcher;
    const size_t at = strlen(changes);
    snprintf(changes + at, sizeof(changes) - at, "%s %s %d %d%s; ", user ? user->text : "-", name->text, server,
             (int)from, to == STRETCH_OPEN ? "" : to == STRETCH_GONE ? " gone" : " to");
}

static void who_shares_them_hears_of_each_change(void **state)
{
    (void)state;
    struct stretch_watcher watcher = {note_change};
    told_destroy(&told);
    told_create(&told, &watcher);
    struct stretch *stretch = told_open(&told, ann, topic, 1, 10);
    assert_ptr_equal(told_open(&told, ann, topic, 1, 12), stretch); /* which changes nothing */
    told_widen(&told, stretch, 11);
    told_widen(&told, stretch, 8);
    told_close(&told, stretch, 20);
    told_close(&told, stretch, 0); /* of one that is told: the other's end stays */
    told_close(&told, told_open(&told, ann, topic, 1, 30), 40);
    told_close(&told, told_open(&told, NULL, topic, 0, 5), 0);
    assert_string_equal(changes, "ann t 1 10; ann t 1 8; ann t 1 8 to; ann t 1 8; ann t 1 8 to; - t 0 5; - t 0 5 gone; ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(from_the_mark_on_who_stands_behind_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_nothing_to_tell_nothing_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_of_several_subscribers_are_one_stretch, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_falls_out_raises_the_floor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_server_has_a_floor_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_shares_them_hears_of_each_change, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
