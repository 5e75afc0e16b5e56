/* leases: what a seat holds of links: a lease for each upstream that its stream
 * names and whose `key` gave one. Taken when the seat goes live; a reload takes
 * them over, and asks for the keys of upstreams that the stream names anew. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "plan/plan.h"

struct leases; /* NULL: the stream names no upstream */
struct seat;

/* Takes a lease for every key that is not empty. The keys are those of the upstreams of `asked`:
 * the seat's stream, or that of an earlier generation. False: too many links; those taken are given
 * back with the rest. */
bool leases_take(struct seat *seat, const struct plan_stream *asked, const struct buf *keys);

/* The seat's subscriber has begun, `resumes` from a cursor: see lease_begin. */
void leases_begin(struct seat *seat, bool resumes);

/* The seat's stream is another generation's now; `last` is the one that it was. A lease whose
 * upstream the stream no longer names goes back; a key that is new is asked at the end of the turn.
 * A seat whose key cannot be known, or leased, ends (END_RELOAD): who comes anew is told why. */
void leases_swap(struct seat *seat, const struct plan_stream *last);

/* Gives all back; harmless if there are none. */
void leases_release(struct seat *seat);
