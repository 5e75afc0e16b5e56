/* fanout: brings what took its place in the order to the queues of a topic's
 * subscribers, in order, in pieces.
 *
 * Consecutive triggers of one topic are a run. A run is fanned out subscriber by
 * subscriber: each gets all of the run's frames and, if nothing else waits for it,
 * its one write, while it is in the cache. Runs are fanned out strictly one after
 * the other. A step is bounded; the rest waits for the next round of `later`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/list.h"
#include "ports/later.h"

struct hub;
struct topic;
struct frame;
struct run;

enum { RUN_FRAMES = 256 }; /* at most in one run, and pieces in one write */

struct fanout {
    struct list runs; /* oldest first */
    struct job job;
    bool begun;    /* the oldest is being fanned out */
    uint32_t written; /* whole runs, of the oldest, whose latency is not noted yet */
    int step_cost; /* what a step may cost before it yields; specs make it small */
    struct run *spare;
};

void fanout_create(struct fanout *fanout);

/* Forgets what is not fanned out yet. */
void fanout_destroy(struct fanout *fanout);

/* The frame has its place; its topic has subscribers. */
void fanout_add(struct hub *hub, struct topic *topic, struct frame *frame);

/* Fans out everything now, without yielding. Not from within a fan-out. */
void fanout_finish(struct fanout *fanout);

/* The oldest frame that is not fanned out to all; NULL: none is left. Borrowed. */
const struct frame *fanout_next(const struct fanout *fanout);

/* The position before it; UINT64_MAX: none is left. */
uint64_t fanout_before(const struct fanout *fanout);
