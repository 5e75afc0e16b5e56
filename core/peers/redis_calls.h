/* redis_calls: the commands of one connection that wait for their answers, in order. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "ports/redis.h"

struct redis_call {
    struct list _node;
    redis_done_f *done; /* NULL: cancelled */
    void *owner;
    uint64_t since_ms;
    size_t size; /* of the command */
};

struct redis_calls {
    struct list _list;
    size_t count, bytes; /* that wait */
};

void redis_calls_create(struct redis_calls *calls);

/* A call that does not wait yet; xfree it, once it is told. */
struct redis_call *redis_call_new(redis_done_f *done, void *owner, size_t size, uint64_t now_ms);

void redis_calls_add(struct redis_calls *calls, struct redis_call *call);

/* The oldest, which waits no more, or NULL. */
struct redis_call *redis_calls_take(struct redis_calls *calls);

/* Since when the oldest waits; UINT64_MAX: none does. */
uint64_t redis_calls_since_ms(const struct redis_calls *calls);
