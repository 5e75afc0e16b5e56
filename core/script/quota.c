/* quota: see quota.h. What is counted is what malloc gave, not what Lua says it
 * had: LuaJIT tells a wrong size when it frees a closure whose making was refused
 * half way, and a count that drifts would eat the quota up. */
#include "script/quota.h"

#include <malloc.h>

#include "base/alloc.h"

void *quota_alloc(void *owner, void *memory, size_t old_size, size_t new_size)
{
    struct quota *quota = owner;
    const size_t had = malloc_usable_size(memory);
    (void)old_size;
    if (new_size > had && quota->used_bytes + (new_size - had) > quota->limit_bytes) {
        quota->refusals++;
        return NULL;
    }
    if (new_size == 0) {
        xfree(memory);
        quota->used_bytes -= had;
        return NULL;
    }
    memory = xrealloc(memory, new_size);
    quota->used_bytes += malloc_usable_size(memory) - had;
    if (quota->used_bytes > quota->peak_bytes) quota->peak_bytes = quota->used_bytes;
    return memory;
}
