/* The store: what is kept, for how long, within which bounds. */
#include "hub/store.c"

#include "base/buf.h"
#include "unit.h"

static struct clock clock_;
static struct store *store;

static int begin(void **state)
{
    (void)state;
    clock_ = (struct clock){.now_ms = 1000};
    wheel_create(&clock_.wheel, clock_.now_ms);
    store = store_new(&clock_, 4, 40);
    return 0;
}

static int end(void **state)
{
    store_free(store);
    if (clock_.wheel.count) return -1;
    return nothing_left(state);
}

static void advance(uint64_t ms)
{
    clock_.now_ms += ms;
    wheel_advance(&clock_.wheel, clock_.now_ms);
}

static bool set(const char *key, const char *value, uint64_t ttl_ms)
{
    return store_set(store, bytes_of(key), bytes_of(value), ttl_ms);
}

/* NULL: there is none. */
static void holds(const char *key, const char *value)
{
    struct bytes found = store_get(store, bytes_of(key));
    if (!value) assert_null(found.data);
    if (value) assert_non_null(found.data);
    if (value) assert_text(found, value);
}

static void keeps_what_it_is_given(void **state)
{
    (void)state;
    holds("a", NULL);
    assert_true(set("a", "1", 0));
    assert_true(set("b", "", 0));
    holds("a", "1");
    holds("b", "");
    assert_true(set("a", "22", 0));
    holds("a", "22");
    assert_int_equal(store_count(store), 2);
    assert_int_equal(store_bytes(store), 4);
    assert_true(store_delete(store, BYTES("a")));
    assert_false(store_delete(store, BYTES("a")));
    holds("a", NULL);
    assert_int_equal(store_bytes(store), 1);
}

static void takes_any_bytes(void **state)
{
    (void)state;
    assert_true(store_set(store, BYTES("k\0ey"), BYTES("\0\xff"), 0));
    assert_bytes(store_get(store, BYTES("k\0ey")), BYTES("\0\xff"));
    assert_true(store_set(store, (struct bytes){NULL, 0}, (struct bytes){NULL, 0}, 0));
    holds("", "");
    assert_true(store_delete(store, BYTES("")));
}

static void lets_a_value_be_made_of_the_old_one(void **state)
{
    (void)state;
    assert_true(set("a", "hello", 0));
    struct bytes old = store_get(store, BYTES("a"));
    assert_true(store_set(store, BYTES("a"), bytes_run(old.data + 1, 3), 0));
    holds("a", "ell");
}

static void forgets_in_time(void **state)
{
    (void)state;
    assert_true(set("short", "1", 100));
    assert_true(set("long", "2", 200));
    assert_true(set("ever", "3", 0));
    advance(99);
    holds("short", "1");
    advance(1);
    holds("short", NULL);
    holds("long", "2");
    advance(100);
    holds("long", NULL);
    holds("ever", "3");
    assert_int_equal(store_bytes(store), 5);
}

static void counts_the_time_from_the_last_set(void **state)
{
    (void)state;
    assert_true(set("a", "1", 100));
    advance(90);
    assert_true(set("a", "2", 100));
    advance(90);
    holds("a", "2");
    assert_true(set("a", "3", 0));
    advance(1000);
    holds("a", "3");
}

static void refuses_what_is_too_much_and_evicts_nothing(void **state)
{
    (void)state;
    assert_true(set("a", "1", 0));
    assert_false(set("b", "a value of forty bytes, with its key....", 0));
    assert_true(set("b", "2", 0));
    assert_true(set("c", "3", 0));
    assert_true(set("d", "4", 0));
    assert_false(set("e", "5", 0));
    assert_true(set("d", "a longer value of 32 bytes......", 0));
    assert_false(set("a", "11111", 0));
    holds("a", "1");
    holds("e", NULL);
    assert_int_equal(store_count(store), 4);
    assert_int_equal(store_bytes(store), 39);
}

static void adds_only_where_nothing_is(void **state)
{
    (void)state;
    assert_int_equal(store_add(store, BYTES("a"), BYTES("1"), 100), STORE_ADDED);
    assert_int_equal(store_add(store, BYTES("a"), BYTES("2"), 100), STORE_EXISTS);
    holds("a", "1");
    advance(100);
    assert_int_equal(store_add(store, BYTES("a"), BYTES("2"), 0), STORE_ADDED);
    for (int i = 0; i < 3; i++) assert_true(set((const char *[]){"b", "c", "d"}[i], "x", 0));
    assert_int_equal(store_add(store, BYTES("e"), BYTES("1"), 0), STORE_FULL);
}

static void note(void *ctx, struct bytes key, struct bytes value)
{
    buf_printf(ctx, "%.*s=%.*s ", (int)key.size, key.data, (int)value.size, value.data);
}

static void lists_a_prefix_in_order(void **state)
{
    (void)state;
    struct buf seen = BUF_EMPTY;
    store_each(store, BYTES(""), note, &seen);
    assert_int_equal(seen.size, 0);
    assert_true(set("p:b", "2", 0));
    assert_true(set("q", "4", 0));
    assert_true(set("p:", "0", 0));
    assert_true(set("p:a", "1", 0));
    store_each(store, BYTES("p:"), note, &seen);
    assert_text(buf_bytes(&seen), "p:=0 p:a=1 p:b=2 ");
    buf_clear(&seen);
    store_each(store, BYTES(""), note, &seen);
    assert_text(buf_bytes(&seen), "p:=0 p:a=1 p:b=2 q=4 ");
    buf_destroy(&seen);
}

/* One over another: reads through, writes beside, and hides what it deleted or let time out. */
static void one_over_another_changes_nothing_there(void **state)
{
    (void)state;
    assert_true(set("a", "1", 0));
    assert_true(set("b", "2", 0));
    assert_true(set("c", "3", 0));
    struct store *over = store_new_over(store);
    struct buf seen = BUF_EMPTY;
    assert_text(store_get(over, BYTES("a")), "1");
    assert_int_equal(store_add(over, BYTES("a"), BYTES("x"), 0), STORE_EXISTS);
    assert_true(store_set(over, BYTES("a"), BYTES("x"), 0));
    assert_true(store_delete(over, BYTES("b")));
    assert_false(store_delete(over, BYTES("b")));
    assert_true(store_set(over, BYTES("c"), BYTES("y"), 1000));
    assert_true(store_set(over, BYTES("d"), BYTES("z"), 0));
    store_each(over, BYTES(""), note, &seen);
    assert_text(buf_bytes(&seen), "a=x c=y d=z ");
    advance(2000);
    assert_null(store_get(over, BYTES("c")).data);
    assert_null(store_get(over, BYTES("b")).data);
    assert_int_equal(store_add(over, BYTES("b"), BYTES("w"), 0), STORE_ADDED);
    assert_true(store_delete(over, BYTES("d")));
    buf_clear(&seen);
    store_each(over, BYTES(""), note, &seen);
    assert_text(buf_bytes(&seen), "a=x b=w ");
    buf_clear(&seen);
    store_each(store, BYTES(""), note, &seen);
    assert_text(buf_bytes(&seen), "a=1 b=2 c=3 ");
    buf_destroy(&seen);
    store_free(over);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(keeps_what_it_is_given),
        TEST(takes_any_bytes),
        TEST(lets_a_value_be_made_of_the_old_one),
        TEST(forgets_in_time),
        TEST(counts_the_time_from_the_last_set),
        TEST(refuses_what_is_too_much_and_evicts_nothing),
        TEST(adds_only_where_nothing_is),
        TEST(lists_a_prefix_in_order),
        TEST(one_over_another_changes_nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
