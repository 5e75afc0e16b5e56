/* quota: the memory of one VM, counted and bounded. What the VM asks for above
 * the limit is refused, which Lua turns into the error "not enough memory" and
 * survives. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct quota {
    size_t limit_bytes, used_bytes, peak_bytes;
    uint64_t refusals;
};

/* For lua_newstate; `quota` is a struct quota. */
void *quota_alloc(void *quota, void *memory, size_t old_size, size_t new_size);
