/* quota: see quota.h. A block that shrinks is never refused: the collector
 * relies on it. */
#include "script/quota.h"

#include "base/alloc.h"

void *quota_alloc(void *owner, void *memory, size_t old_size, size_t new_size)
{
    struct quota *quota = owner;
    if (!memory) old_size = 0;
    if (new_size > old_size && quota->used_bytes + (new_size - old_size) > quota->limit_bytes) {
        quota->refusals++;
        return NULL;
    }
    quota->used_bytes += new_size - old_size;
    if (quota->used_bytes > quota->peak_bytes) quota->peak_bytes = quota->used_bytes;
    if (new_size) return xrealloc(memory, new_size);
    xfree(memory);
    return NULL;
}
