/* redis_names: channels that are named in one command: gathered while the same is asked of them, said by a job. So
 * a thousand that are wanted in one turn are a few commands, in the order in which they were asked for. */
#pragma once

#include "base/buf.h"
#include "peers/redis_conn.h"

enum { REDIS_NAMES_MAX = 500 }; /* in one command */

struct redis_names {
    struct redis_conn *_conn;
    struct loop *_loop;
    struct job _say;
    const char *_word;
    struct buf _names; /* each behind its size */
    size_t _count;
};

/* The connection outlives it. */
void redis_names_create(struct redis_names *names, struct loop *loop, struct redis_conn *conn);

/* The connection is READY, or forgotten about before the job. The word is a static one: "SUBSCRIBE"; the name is
 * copied. */
void redis_names_add(struct redis_names *names, const char *word, struct bytes name);

/* What was gathered is not said any more; frees what that took. Any number of times. */
void redis_names_forget(struct redis_names *names);
