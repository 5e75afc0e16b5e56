/* awaiting: topics that must be loaded before who attaches to them can begin, where nodes share a Redis: what they
 * had is on a server, and whether a cursor misses something is known only then. Embedded in who waits;
 * zeroed: it waits for nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/wheel.h"
#include "ports/later.h"

enum { AWAITING_MS = 5000, AWAITING_LOOK_MS = 50 };

struct engine_ports;
struct topic;

typedef void awaiting_done_f(void *owner, bool loaded);

/* The topic of this name, made if it is not there; NULL: it cannot be had, which is not this room's affair. */
typedef struct topic *awaiting_open_f(void *owner, struct bytes name);

struct awaiting {
    const struct engine_ports *_ports;
    struct awaited *_topics;
    size_t _count, _open;
    struct timer _timer; /* looks again; _until_ms: gives up */
    uint64_t _until_ms;
    struct job _job;
    awaiting_done_f *_done;
    void *_owner;
};

/* Waits for all topics of these names. True: there is nothing to wait for, and `done` will not be called. Else it is
 * called later, once; false: they could not be had in time. */
bool awaiting_start(struct awaiting *awaiting, const struct engine_ports *ports,
                    const struct bytes *names, size_t count, awaiting_open_f *open,
                    awaiting_done_f *done, void *owner);

/* `done` will not be called. Harmless when it waits for nothing. */
void awaiting_cancel(struct awaiting *awaiting);
