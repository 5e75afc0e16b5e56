/* sources: an app's foreign messages: what others publish on channels of a Redis server. Each declared source
 * has a connection of its own and hands its messages to the rules in order, one at a time.
 *
 * Channels keep nothing, so what is not heard cannot be read again. Everything that may have been missed is a
 * *gap*: the time before a channel is subscribed - the first time, after a lost connection, when another
 * node held the source before -, messages above the queue's bound, a handler that failed. Each gap ends in a
 * resync to the topics that the source is declared with, at its place among the messages.
 *
 * In a cluster one node holds a source (engine/holding.h); the others have it wait. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct app;

struct sources_counters {
    uint64_t messages; /* that were handled, or had no handler */
    uint64_t failed;   /* whose handler failed */
    uint64_t gaps;     /* that were told, of whatever reason but a failed handler */
    uint64_t lost;     /* connections */
};

void sources_counters_add(struct sources_counters *sum, const struct sources_counters *more);

struct sources {
    struct app *_app;
    struct list _all;
    struct sources_counters counters;
};

void sources_create(struct sources *sources, struct app *app);

/* Needs sources_idle. */
void sources_destroy(struct sources *sources);

/* The app has its first generation, or another: a source of the same name stays, and what waits with it; where
 * its channel or server is another one, it is subscribed anew, which is a gap. One that is gone is closed. */
void sources_swap(struct sources *sources);

/* Closes every connection now (drain). */
void sources_close(struct sources *sources);

/* None is connected, and no message waits for its handler or is with it. */
bool sources_idle(const struct sources *sources);
