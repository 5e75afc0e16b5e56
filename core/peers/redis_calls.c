#include "peers/redis_calls.h"

#include "base/alloc.h"

void redis_calls_create(struct redis_calls *calls)
{
    *calls = (struct redis_calls){.count = 0};
    list_create(&calls->_list);
}

struct redis_call *redis_call_new(redis_done_f *done, void *owner, size_t size, uint64_t now_ms)
{
    struct redis_call *call = xmalloc(sizeof(*call));
    *call = (struct redis_call){.done = done, .owner = owner, .size = size, .since_ms = now_ms};
    list_create(&call->_node);
    return call;
}

void redis_calls_add(struct redis_calls *calls, struct redis_call *call)
{
    list_append(&calls->_list, &call->_node);
    calls->count++;
    calls->bytes += call->size;
}

static struct redis_call *first(const struct redis_calls *calls)
{
    if (list_empty(&calls->_list)) return NULL;
    return CONTAINER(calls->_list.next, struct redis_call, _node);
}

struct redis_call *redis_calls_take(struct redis_calls *calls)
{
    struct redis_call *call = first(calls);
    if (!call) return NULL;
    list_remove(&call->_node);
    calls->count--;
    calls->bytes -= call->size;
    return call;
}

uint64_t redis_calls_since_ms(const struct redis_calls *calls)
{
    const struct redis_call *call = first(calls);
    return call ? call->since_ms : UINT64_MAX;
}
