/* awaiting: what must be there before who attaches can begin, where nodes share a Redis: its topics, loaded - what they
 * had is on a server, and whether a cursor misses something is known only then -, and all that
 * the client has seen already: it may come from a node that had heard more than this one. Embedded in who
 * waits; zeroed: it waits for nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/wheel.h"
#include "ports/later.h"

enum { AWAITING_MS = 5000, AWAITING_LOOK_MS = 20 };

struct engine_ports;
struct topic;

typedef void awaiting_done_f(void *owner, bool loaded);

/* The topic of this name, made if it is not there; NULL: it cannot be had, which is not this room's affair. */
typedef struct topic *awaiting_open_f(void *owner, struct bytes name);

/* What is to be waited for. Borrowed until awaiting_start returns, but for the ports. */
struct awaiting_wants {
    const struct engine_ports *ports;
    const struct bytes *names;
    size_t count;
    struct bytes cursor; /* the client's last id; empty: none */
};

struct awaiting {
    const struct engine_ports *_ports;
    struct awaited *_topics;
    size_t _count, _open;
    struct buf _cursor;
    struct timer _timer; /* looks again; _until_ms: gives up */
    uint64_t _until_ms;
    struct job _job;
    awaiting_done_f *_done;
    void *_owner;
};

/* True: there is nothing to wait for, and `done` will not be called. Else it is
 * called later, once; false: they could not be had in time. */
bool awaiting_start(struct awaiting *awaiting, const struct awaiting_wants *wants,
                    awaiting_open_f *open, awaiting_done_f *done, void *owner);

/* `done` will not be called. Harmless when it waits for nothing. */
void awaiting_cancel(struct awaiting *awaiting);
