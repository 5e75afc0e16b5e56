/* What reads as a parcel is written and read again as the same one. */
#include "base/check.h"
#include "event/parcel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct bytes a, struct bytes b)
{
    CHECK(!a.data == !b.data && bytes_equal(a, b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parcel first, again;
    struct buf out = BUF_EMPTY;
    if (!parcel_read(bytes_run((const char *)data, size), &first)) return 0;
    parcel_write(&out, &first);
    CHECK(parcel_read(buf_bytes(&out), &again));
    same(first.type, again.type);
    same(first.data, again.data);
    same(first.replaces, again.replaces);
    same(first.user, again.user);
    same(first.tag, again.tag);
    same(first.meta, again.meta);
    same(first.id, again.id);
    same(first.node, again.node);
    CHECK(first.cause == again.cause && first.retry_ms == again.retry_ms);
    buf_destroy(&out);
    return 0;
}
