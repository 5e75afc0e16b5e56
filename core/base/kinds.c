#include "base/kinds.h"

#include "base/alloc.h"
#include "base/check.h"

struct kind {
    uint32_t count;
    uint32_t size;
    char name[];
};

void kinds_destroy(struct kinds *kinds)
{
    CHECK(kinds->_by_name.count == 0);
    dict_destroy(&kinds->_by_name);
}

struct kind *kinds_enter(struct kinds *kinds, struct bytes name, uint32_t most)
{
    struct kind *kind = dict_get(&kinds->_by_name, name);
    if ((kind ? kind->count : 0) >= most) return NULL;
    if (!kind) {
        kind = xcalloc(1, sizeof(*kind) + name.size);
        kind->size = (uint32_t)name.size;
        memcpy(kind->name, name.data, name.size);
        dict_set(&kinds->_by_name, name, kind);
    }
    kind->count++;
    return kind;
}

void kinds_leave(struct kinds *kinds, struct kind *kind)
{
    if (!kind || --kind->count) return;
    CHECK(dict_remove(&kinds->_by_name, bytes_run(kind->name, kind->size)) == kind);
    xfree(kind);
}
