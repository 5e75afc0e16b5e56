/* The dictionary against an array as its model, and walks that remove. */
#include "base/dict.c"

#include <stdio.h>

#include "unit.h"

static int values[1000];

static struct bytes name_of(char *name, unsigned i)
{
    return bytes_run(name, (size_t)snprintf(name, 16, "key %u", i));
}

static void fill(struct dict *dict, unsigned count)
{
    char name[16];
    for (unsigned i = 0; i < count; i++) assert_null(dict_set(dict, name_of(name, i), &values[i]));
}

static void sets_gets_replaces_and_removes(void **state)
{
    (void)state;
    struct dict dict = DICT_EMPTY;
    assert_null(dict_get(&dict, BYTES("a")));
    assert_null(dict_remove(&dict, BYTES("a")));
    assert_null(dict_set(&dict, BYTES("a"), &values[1]));
    assert_ptr_equal(dict_set(&dict, BYTES("a"), &values[2]), &values[1]);
    assert_int_equal(dict.count, 1);
    assert_ptr_equal(dict_get(&dict, BYTES("a")), &values[2]);
    assert_ptr_equal(dict_remove(&dict, BYTES("a")), &values[2]);
    assert_null(dict_get(&dict, BYTES("a")));
    assert_int_equal(dict.count, 0);
    dict_destroy(&dict);
}

static void keys_are_copied_and_may_hold_any_bytes(void **state)
{
    (void)state;
    struct dict dict = DICT_EMPTY;
    char key[] = "here";
    dict_set(&dict, bytes_of(key), &values[0]);
    memset(key, 'x', 4);
    assert_ptr_equal(dict_get(&dict, BYTES("here")), &values[0]);
    dict_set(&dict, bytes_run(NULL, 0), &values[1]);
    dict_set(&dict, BYTES("\0"), &values[2]);
    dict_set(&dict, BYTES("\0\0"), &values[3]);
    assert_ptr_equal(dict_get(&dict, BYTES("")), &values[1]);
    assert_ptr_equal(dict_get(&dict, BYTES("\0")), &values[2]);
    assert_ptr_equal(dict_remove(&dict, BYTES("\0\0")), &values[3]);
    assert_null(
        find(&dict, hash_bytes("here", 4), BYTES("there"))); /* as if the hashes were equal */
    dict_destroy(&dict);
}

static void behaves_like_an_array(void **state)
{
    (void)state;
    enum { NAMES = 300 };
    void *model[NAMES] = {NULL};
    uint32_t count = 0;
    uint64_t seed = 1;
    struct dict dict = DICT_EMPTY;
    for (int step = 0; step < 60000; step++) {
        /* Tides, so that the size goes up and down. */
        bool rising = step / 5000 % 2 == 0;
        unsigned i = (unsigned)draw_below(&seed, NAMES);
        char name[16];
        struct bytes key = name_of(name, i);
        if (draw_below(&seed, 10) < (rising ? 7u : 2u)) {
            void *value = &values[draw_below(&seed, 1000)];
            assert_ptr_equal(dict_set(&dict, key, value), model[i]);
            count += !model[i];
            model[i] = value;
        } else {
            assert_ptr_equal(dict_remove(&dict, key), model[i]);
            count -= model[i] != NULL;
            model[i] = NULL;
        }
        assert_int_equal(dict.count, count);
        unsigned other = (unsigned)draw_below(&seed, NAMES);
        assert_ptr_equal(dict_get(&dict, name_of(name, other)), model[other]);
    }
    uint32_t seen = 0;
    for (struct dict_entry *e = dict_next(&dict, NULL); e; e = dict_next(&dict, e)) {
        char name[16];
        unsigned i = 0;
        while (i < NAMES && !bytes_equal(bytes_run(e->key, e->key_size), name_of(name, i))) i++;
        assert_in_range(i, 0, NAMES - 1);
        assert_ptr_equal(e->value, model[i]);
        seen++;
    }
    assert_int_equal(seen, count);
    dict_destroy(&dict);
}

static void a_walk_may_remove_where_it_stands(void **state)
{
    (void)state;
    struct dict dict = DICT_EMPTY;
    bool seen[1000] = {false};
    fill(&dict, 1000);
    for (struct dict_entry *e = dict_next(&dict, NULL); e; e = dict_next(&dict, e)) {
        int i = (int)((int *)e->value - values);
        assert_false(seen[i]);
        seen[i] = true;
        if (i % 3) assert_ptr_equal(dict_remove(&dict, bytes_run(e->key, e->key_size)), e->value);
    }
    for (int i = 0; i < 1000; i++) assert_true(seen[i]);
    assert_int_equal(dict.count, 334);
    dict_destroy(&dict);
}

static void a_walk_may_look_ahead_and_remove(void **state)
{
    (void)state;
    struct dict dict = DICT_EMPTY;
    fill(&dict, 1000);
    for (struct dict_entry *e = dict_next(&dict, NULL), *next; e; e = next) {
        next = dict_next(&dict, e);
        dict_remove(&dict, bytes_run(e->key, e->key_size));
    }
    assert_int_equal(dict.count, 0);
    assert_null(dict_next(&dict, NULL));
    dict_destroy(&dict);
}

static void gives_memory_back(void **state)
{
    (void)state;
    struct dict dict = DICT_EMPTY;
    char name[16];
    fill(&dict, 1000);
    assert_int_equal(bucket_count(&dict), 1024);
    for (unsigned i = 0; i < 1000; i++) dict_remove(&dict, name_of(name, i));
    for (unsigned i = 0; i < 20; i++) {
        dict_set(&dict, BYTES("a"), &values[0]);
        dict_remove(&dict, BYTES("a"));
    }
    assert_int_equal(bucket_count(&dict), SMALLEST);
    dict_destroy(&dict);
    assert_int_equal(dict.count, 0);
    assert_null(dict_next(&dict, NULL));
    dict_destroy(&dict);
}

static void set_null(void)
{
    struct dict dict = DICT_EMPTY;
    dict_set(&dict, BYTES("a"), NULL);
}

static void refuses_null_as_a_value(void **state)
{
    (void)state;
    assert_aborts(set_null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sets_gets_replaces_and_removes, nothing_left),
        cmocka_unit_test_teardown(keys_are_copied_and_may_hold_any_bytes, nothing_left),
        cmocka_unit_test_teardown(behaves_like_an_array, nothing_left),
        cmocka_unit_test_teardown(a_walk_may_remove_where_it_stands, nothing_left),
        cmocka_unit_test_teardown(a_walk_may_look_ahead_and_remove, nothing_left),
        cmocka_unit_test_teardown(gives_memory_back, nothing_left),
        cmocka_unit_test(refuses_null_as_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
