/* Pointers by hash: compared with a plain set, with hashes that collide. */
#include "hub/lookup.c"

#include "unit.h"

enum { THINGS = 3000 };

struct thing {
    uint64_t hash;
    int number;
    bool in;
};

static uint64_t hash(const void *thing)
{
    return ((const struct thing *)thing)->hash;
}

static bool is(const void *thing, const void *key)
{
    return ((const struct thing *)thing)->number == *(const int *)key;
}

static void is_a_set_under_any_order(void **state)
{
    (void)state;
    static struct thing things[THINGS];
    uint64_t chance = 11;
    uint32_t count = 0, peak = 0;
    struct lookup lookup;
    lookup_create(&lookup, hash);
    for (int i = 0; i < THINGS; i++)
        things[i] = (struct thing){.hash = draw_below(&chance, 1 << 9) * 64, .number = i};
    for (int round = 0; round < 60000; round++) {
        int i = (int)draw_below(&chance, (round / 10000 % 2) ? 200 : THINGS);
        struct thing *found = lookup_find(&lookup, things[i].hash, is, &i);
        assert_ptr_equal(found, things[i].in ? &things[i] : NULL);
        if (things[i].in)
            lookup_remove(&lookup, &things[i]);
        else
            lookup_add(&lookup, &things[i]);
        things[i].in = !things[i].in;
        count += things[i].in ? 1 : -1u;
        if (count > peak) peak = count;
        assert_int_equal(lookup.count, count);
    }
    assert_true(peak > 1000);
    uint32_t walked = 0, at = 0;
    for (struct thing *thing; (thing = lookup_next(&lookup, &at)); walked++) assert_true(thing->in);
    assert_int_equal(walked, count);
    lookup_destroy(&lookup);
    assert_int_equal(alloc_live(), 0);
}

static void shrinks_when_it_empties(void **state)
{
    (void)state;
    static struct thing things[THINGS];
    struct lookup lookup;
    lookup_create(&lookup, hash);
    for (int i = 0; i < THINGS; i++) {
        things[i] = (struct thing){.hash = (uint64_t)i * 7, .number = i};
        lookup_add(&lookup, &things[i]);
    }
    assert_true(lookup._mask >= THINGS);
    for (int i = 0; i < THINGS; i++) lookup_remove(&lookup, &things[i]);
    assert_true(lookup._mask < 64);
    lookup_destroy(&lookup);
}

static void one_stands_for_another_of_the_same_hash(void **state)
{
    (void)state;
    struct thing a = {.hash = 5, .number = 1}, b = {.hash = 5, .number = 2};
    struct lookup lookup;
    lookup_create(&lookup, hash);
    lookup_add(&lookup, &a);
    lookup_replace(&lookup, &a, &b);
    assert_ptr_equal(lookup_find(&lookup, 5, is, &b.number), &b);
    assert_null(lookup_find(&lookup, 5, is, &a.number));
    assert_int_equal(lookup.count, 1);
    lookup_destroy(&lookup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_a_set_under_any_order),
        cmocka_unit_test(shrinks_when_it_empties),
        cmocka_unit_test(one_stands_for_another_of_the_same_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
