/* Streams that were ended for good. */
#include "engine/finals.c"

#include <stdio.h>

#include "unit.h"

static void are_known_for_a_minute_by_stream_user_and_tag(void **state)
{
    (void)state;
    struct finals finals;
    struct atom *s = atom_of("s"), *t = atom_of("t"), *ann = atom_of("ann"), *tag = atom_of("tag");
    finals_create(&finals);
    finals_add(&finals, s, ann, tag, 1000);
    assert_true(finals_has(&finals, s, ann, tag, 1000));
    assert_true(finals_has(&finals, s, ann, tag, 60999));
    assert_false(finals_has(&finals, t, ann, tag, 1000));
    assert_false(finals_has(&finals, s, tag, tag, 1000));
    assert_false(finals_has(&finals, s, ann, ann, 1000));
    assert_false(finals_has(&finals, s, ann, NULL, 1000));
    assert_false(finals_has(&finals, s, NULL, tag, 1000));
    assert_false(finals_has(&finals, s, ann, tag, 61000));
    assert_int_equal(finals._by_key.count, 0);
    finals_add(&finals, s, ann, NULL, 70000);
    finals_add(&finals, s, NULL, tag, 70000);
    assert_true(finals_has(&finals, s, ann, NULL, 70001));
    assert_true(finals_has(&finals, s, NULL, tag, 70001));
    assert_false(finals_has(&finals, s, ann, tag, 70001));
    finals_add(&finals, s, ann, NULL, 100000); /* again: counts anew */
    assert_true(finals_has(&finals, s, ann, NULL, 159999));
    finals_destroy(&finals);
    atom_unref(s);
    atom_unref(t);
    atom_unref(ann);
    atom_unref(tag);
    assert_int_equal(atom_live(), 0);
}

static void nobody_is_not_everybody(void **state)
{
    (void)state;
    struct finals finals;
    struct atom *s = atom_of("s");
    finals_create(&finals);
    finals_add(&finals, s, NULL, NULL, 0);
    assert_false(finals_has(&finals, s, NULL, NULL, 0));
    finals_destroy(&finals);
    atom_unref(s);
}

static void above_the_bound_the_oldest_is_forgotten(void **state)
{
    (void)state;
    struct finals finals;
    struct atom *s = atom_of("s"), *first = atom_of("user 0"), *second = atom_of("user 1");
    finals_create(&finals);
    for (int i = 0; i <= FINALS_MAX; i++) {
        char name[24];
        snprintf(name, sizeof(name), "user %d", i);
        struct atom *user = atom_of(name);
        finals_add(&finals, s, user, NULL, 5);
        atom_unref(user);
    }
    assert_int_equal(finals._by_key.count, FINALS_MAX);
    assert_false(finals_has(&finals, s, first, NULL, 6));
    assert_true(finals_has(&finals, s, second, NULL, 6));
    finals_destroy(&finals);
    atom_unref(s);
    atom_unref(first);
    atom_unref(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(are_known_for_a_minute_by_stream_user_and_tag, nothing_left),
        cmocka_unit_test_teardown(nobody_is_not_everybody, nothing_left),
        cmocka_unit_test_teardown(above_the_bound_the_oldest_is_forgotten, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
