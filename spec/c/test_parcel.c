/* Written, read, cut off, forged. */
#include "event/parcel.c"

#include "base/alloc.h"
#include "unit.h"

static const struct parcel full = {.type = {"say", 3},
                                   .data = {"a\0b,7:\n", 7},
                                   .replaces = {"", 0},
                                   .user = {"ann", 3},
                                   .tag = {"tag", 3},
                                   .meta = {"{}", 2},
                                   .id = {"urn:1", 5},
                                   .node = {"0011223344556677", 16},
                                   .cause = UINT64_MAX / 4,
                                   .retry_ms = 5};

static void same(struct bytes a, struct bytes b)
{
    assert_true(!a.data == !b.data);
    assert_true(bytes_equal(a, b));
}

static void reads_what_it_wrote(const struct parcel *parcel)
{
    struct buf out = BUF_EMPTY;
    struct parcel read;
    parcel_write(&out, parcel);
    assert_true(parcel_read(buf_bytes(&out), &read));
    same(read.type, parcel->type);
    same(read.data, parcel->data);
    same(read.replaces, parcel->replaces);
    same(read.user, parcel->user);
    same(read.tag, parcel->tag);
    same(read.meta, parcel->meta);
    same(read.id, parcel->id);
    same(read.node, parcel->node);
    assert_true(read.cause == parcel->cause && read.retry_ms == parcel->retry_ms);
    for (size_t size = 0; size < out.size; size++) { /* cut off anywhere: exactly so long, for the sanitizer */
        char *cut = xmalloc(size ? size : 1);
        if (size) memcpy(cut, out.data, size);
        assert_false(parcel_read(bytes_run(cut, size), &read));
        xfree(cut);
    }
    buf_add_text(&out, "3:new,"); /* of a later version */
    assert_true(parcel_read(buf_bytes(&out), &read));
    buf_destroy(&out);
}

static void a_full_one(void **state)
{
    (void)state;
    reads_what_it_wrote(&full);
}

static void absent_is_not_empty(void **state)
{
    (void)state;
    reads_what_it_wrote(&(struct parcel){.data = {"rule", 4}});
    reads_what_it_wrote(&(struct parcel){.type = {"", 0}, .data = {"", 0}});
}

static void what_is_none(void **state)
{
    (void)state;
    struct parcel read;
    static const char *const bad[] = {"", "x", "3:say", "3:say;", "-1:a,", "99999999999999999999:a,",
                                      "18446744073709551615:a,", "--------1;-2;", "--------;0;"};
    for (size_t i = 0; i < COUNT(bad); i++) assert_false(parcel_read(bytes_of(bad[i]), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_one),
        cmocka_unit_test(absent_is_not_empty),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
