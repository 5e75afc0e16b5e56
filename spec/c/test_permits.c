/* What audiences answered: good for its time, bounded, forgotten when told. */
#include "engine/permits.c"

#include <time.h>

#include "unit.h"

static struct permits permits;
static struct atom *board, *other, *key, *ann, *bob;

static int setup(void **state)
{
    (void)state;
    permits_create(&permits);
    board = atom_of("board.1");
    other = atom_of("board.2");
    key = atom_of("1");
    ann = atom_of("ann");
    bob = atom_of("bob");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    permits_destroy(&permits);
    struct atom *const atoms[] = {board, other, key, ann, bob};
    for (size_t i = 0; i < sizeof(atoms) / sizeof(atoms[0]); i++) atom_unref(atoms[i]);
    return atom_live() ? -1 : 0;
}

static void put(struct atom *topic, struct atom *user, bool yes, uint64_t until_ms)
{
    permits_put(&permits, topic, key, user, yes, 0, until_ms, 100);
}

static enum permit at(struct atom *topic, struct atom *user, uint64_t now_ms)
{
    return permits_find(&permits, topic, key, user, now_ms);
}

static void an_answer_is_good_for_its_time(void **state)
{
    (void)state;
    put(board, ann, true, 10);
    put(board, bob, false, 20);
    assert_int_equal(at(board, ann, 9), PERMIT_YES);
    assert_int_equal(at(board, ann, 10), PERMIT_NONE);
    assert_int_equal(at(board, bob, 19), PERMIT_NO);
    assert_int_equal(at(other, ann, 0), PERMIT_NONE);
    assert_int_equal(permits_find(&permits, board, ann, key, 0), PERMIT_NONE);
}

static void a_later_answer_counts_and_an_earlier_one_does_not(void **state)
{
    (void)state;
    put(board, ann, true, 10);
    put(board, ann, false, 20);
    assert_int_equal(at(board, ann, 0), PERMIT_NO);
    put(board, ann, true, 15); /* was asked before, and answered late */
    assert_int_equal(at(board, ann, 0), PERMIT_NO);
    assert_int_equal(permits_count(&permits), 1);
}

static void what_is_forgotten_is_not_there(void **state)
{
    (void)state;
    put(board, ann, true, 10);
    put(board, bob, true, 10);
    put(other, ann, true, 10);
    permits_forget(&permits, board, ann);
    assert_int_equal(at(board, ann, 0), PERMIT_NONE);
    assert_int_equal(at(board, bob, 0), PERMIT_YES);
    permits_forget(&permits, NULL, ann);
    assert_int_equal(at(other, ann, 0), PERMIT_NONE);
    permits_forget(&permits, board, NULL);
    assert_int_equal(permits_count(&permits), 0);
}

static void the_oldest_go_where_there_is_no_room(void **state)
{
    (void)state;
    permits_put(&permits, board, key, ann, true, 0, 10, 2);
    permits_put(&permits, board, key, bob, true, 0, 10, 2);
    permits_put(&permits, other, key, bob, true, 0, 10, 2);
    assert_int_equal(at(board, ann, 0), PERMIT_NONE);
    assert_int_equal(at(board, bob, 0), PERMIT_YES);
    assert_int_equal(permits_count(&permits), 2);
    permits_put(&permits, other, key, ann, true, 0, 10, 0);
    assert_int_equal(permits_count(&permits), 0);
}

static void what_is_too_old_leaves(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", i);
        struct atom *user = atom_of(name);
        permits_put(&permits, board, key, user, true, (uint64_t)i, (uint64_t)i + 2, 1000);
        atom_unref(user);
        assert_true(permits_count(&permits) <= 3);
    }
}

/* A rule may forget one user after the other; walking everything each time would take a minute here. */
static void forgetting_walks_no_more_than_it_must(void **state)
{
    (void)state;
    enum { USERS = 30000 };
    static struct atom *users[USERS], *topics[USERS];
    for (int i = 0; i < USERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", i);
        users[i] = atom_of(name);
        snprintf(name, sizeof(name), "t%d", i);
        topics[i] = atom_of(name);
        permits_put(&permits, board, key, users[i], true, 0, 10, 3 * USERS);
        permits_put(&permits, topics[i], key, ann, true, 0, 10, 3 * USERS);
    }
    const clock_t began = clock();
    for (int i = 0; i < USERS; i += 2) {
        permits_forget(&permits, board, users[i]);
        permits_forget(&permits, topics[i], NULL);
    }
    assert_true(clock() - began < 2 * CLOCKS_PER_SEC);
    assert_int_equal(permits_count(&permits), USERS);
    for (int i = 0; i < USERS; i++) {
        assert_int_equal(at(board, users[i], 0), i % 2 ? PERMIT_YES : PERMIT_NONE);
        assert_int_equal(at(topics[i], ann, 0), i % 2 ? PERMIT_YES : PERMIT_NONE);
        atom_unref(users[i]);
        atom_unref(topics[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_good_for_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_later_answer_counts_and_an_earlier_one_does_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_forgotten_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_go_where_there_is_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_old_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(forgetting_walks_no_more_than_it_must, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
