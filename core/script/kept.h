/* kept: what a Redis server answered, kept for a task. The answer's values live during the call that brings them,
 * when no Lua may run; so they are kept as bytes until the task goes on: a kind, then a number, or a
 * size and a text, or a count and so many values. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "ports/redis.h"

struct lua_State;

/* Embedded in what a task waits for. */
struct kept {
    const char *code; /* of an error; then `bytes` is its sentence */
    struct buf bytes; /* else the value */
};

void kept_take(struct kept *kept, const struct redis_answer *answer);

/* Pushes value | nil, code, sentence; returns how many. In a list false stands for nothing, and { err = sentence } for
 * an error, as Redis' own scripts have it, so that lists have no holes. */
int kept_push(struct lua_State *L, const struct kept *kept);

void kept_destroy(struct kept *kept);
