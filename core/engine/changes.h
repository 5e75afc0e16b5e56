/* changes: what rules did to a live seat's topics after its stream's rules had named
 * them: topics that it was given (sub:join), that its client asked for at run time and a
 * topic's `subscribe` granted (sub:subscribe), and that were taken from it (sub:leave).
 *
 * They hold until the stream ends, through reloads (engine/review.h): what was given stays
 * as long as its topic is declared, what was granted is asked of the new `subscribe`,
 * what was left stays left. A client that comes back begins with what its stream's rules
 * name: a connection's changes end with it.
 *
 * Behind one pointer of the seat, because few have any. Bounded: what a seat has, and is being
 * asked about, by its stream's topics_max; what it left by the same number, above which
 * the oldest is forgotten (and would come back with a reload, told as new). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct grant; /* a question that waits */
struct naming;
struct seat;

enum change {
    CHANGE_DONE,
    CHANGE_NOTHING,   /* leave: it had it not */
    CHANGE_CLOSED,    /* the stream has ended */
    CHANGE_FULL,      /* topics_max, or the app's topics */
    CHANGE_FORBIDDEN, /* `subscribe` said no, or there is none */
    CHANGE_UNKNOWN,   /* it failed; or, of a join, no such topic is declared */
    CHANGE_AWAY       /* the topic could not be loaded: its Redis server is away */
};

/* It has it no more. */
enum change changes_leave(struct seat *seat, struct bytes name);

typedef void change_done_f(void *owner, enum change how);

/* It has the topic from when this is done, and gets what that has for newcomers. Done, too, if it had it. Where nodes
 * share a Redis and the topic is not loaded here it waits for that, so that it misses nothing from then on (engine/awaiting.h).
 * NULL: `done` was called already. */
struct grant *changes_join(struct seat *seat, struct bytes name, change_done_f *done, void *owner);

/* Asks the topic's `subscribe`; a yes is a join. NULL: `done` was called already. The rules of a reload
 * in between are asked again. */
struct grant *changes_ask(struct seat *seat, struct bytes name, change_done_f *done, void *owner);

/* `done` will not be called. */
void changes_cancel(struct grant *grant);

/* The seat's stream has ended: what waits is done as closed. Harmless without any. */
void changes_end(struct seat *seat);

/* ---- for a review ---- */

/* The next name that was granted, from *at on; false: that is all. */
bool changes_granted(const struct seat *seat, size_t *at, struct bytes *name);

/* Is the seat to have this topic, of which the new rules say whether they name it? */
bool changes_keep(const struct seat *seat, struct bytes name, bool named);

/* Forgets what the new rules have refused or do not declare. */
void changes_settle(struct seat *seat, const struct naming *naming);
