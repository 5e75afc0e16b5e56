#include "base/crowd.h"

#include "base/alloc.h"
#include "base/check.h"

struct crowd_count {
    uint32_t number;
    uint32_t kind_size;
    char kind[];
};

void crowd_destroy(struct crowd *crowd)
{
    CHECK(crowd->_counts.count == 0);
    dict_destroy(&crowd->_counts);
}

struct crowd_count *crowd_enter(struct crowd *crowd, struct bytes kind, uint32_t most)
{
    struct crowd_count *count = dict_get(&crowd->_counts, kind);
    if ((count ? count->number : 0) >= most) return NULL;
    if (!count) {
        count = xcalloc(1, sizeof(*count) + kind.size);
        count->kind_size = (uint32_t)kind.size;
        memcpy(count->kind, kind.data, kind.size);
        dict_set(&crowd->_counts, kind, count);
    }
    count->number++;
    return count;
}

void crowd_leave(struct crowd *crowd, struct crowd_count *count)
{
    if (!count || --count->number) return;
    CHECK(dict_remove(&crowd->_counts, bytes_run(count->kind, count->kind_size)) == count);
    xfree(count);
}

uint32_t crowd_of(const struct crowd *crowd, struct bytes kind)
{
    const struct crowd_count *count = dict_get(&crowd->_counts, kind);
    return count ? count->number : 0;
}
