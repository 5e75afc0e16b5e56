#include "cluster/telling.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cluster/scripts.h"

struct cluster_call *telling_begin(struct cluster *cluster, uint32_t server, struct bytes name,
                                   uint64_t fence, struct bytes word, redis_done_f *done,
                                   void *owner)
{
    char digits[24];
    const int size = snprintf(digits, sizeof(digits), "%" PRIu64, fence);
    const struct bytes words[] = {name, bytes_run(digits, (size_t)size), word};
    return cluster_run(cluster, server, &cluster_scripts[SCRIPT_TELL], words,
                       sizeof(words) / sizeof(words[0]), done, owner);
}

bool telling_read(struct bytes payload, struct bytes *word, struct bytes *name)
{
    const char *space = payload.size ? memchr(payload.data, ' ', payload.size) : NULL;
    if (!space) return false;
    const size_t size = (size_t)(space - payload.data);
    *word = bytes_run(payload.data, size);
    *name = bytes_run(space + 1, payload.size - size - 1);
    return true;
}
