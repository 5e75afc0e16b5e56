/* attach: a subscriber's life, from the request for a stream to its end:
 *
 *   AUTHENTICATING ─▶ KEYING ─▶ NAMING ─▶ GRANTING ─▶ LIVE ─▶ ended
 *     identity        upstream   topics   subscribe   retry, ready, replay, live
 *                     keys, leases        of ?topic=
 *
 * Each step may wait for a rule. The client may go away, or the app drain, in
 * any of them: then what was begun is undone, exactly once, in one place. A seat
 * is one subscriber-to-be and later the subscriber's owner: who it is and what
 * it holds. */
#pragma once

#include <stdbool.h>

#include "base/atom.h"
#include "engine/app.h"
#include "engine/hooks.h"
#include "hub/subscriber.h"
#include "plan/plan.h"
#include "ports/exchange.h"

struct seat;

/* Takes a request that matched this stream. */
void attach_request(struct app *app, struct plan_stream *stream, struct exchange *exchange);

/* Ends a seat in whatever step it is (drain): refused as don't know, or ended with `retry:`. */
void attach_abandon(struct seat *seat, uint64_t retry_ms);

/* Reads the tab's tag: X-Session-Tag, then ?tag=; NULL if there is none; the reference is the
 * caller's. False: it is malformed and the exchange is answered with 400. */
bool attach_read_tag(struct exchange *exchange, struct atom **tag);

/* Queries for the script border. */
const struct identity *seat_identity(const struct seat *seat);
struct atom *seat_tag(const struct seat *seat);
struct app *seat_app(const struct seat *seat);
struct subscriber *seat_subscriber(const struct seat *seat); /* NULL before it is live */
struct seat *seat_of(struct subscriber *subscriber);

/* Replaces what authenticate said of it (sub:set); takes a reference of `data`. */
void seat_set_data(struct seat *seat, struct atom *data);

/* A number that no other seat of this process ever has: what a script's handle keeps, so that a
 * handle outlives its seat safely. */
uint64_t seat_number(const struct seat *seat);
struct seat *seat_find(struct app *app, uint64_t number); /* NULL: gone */
