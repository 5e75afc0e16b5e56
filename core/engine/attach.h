/* attach: a subscriber's life, from the request for a stream to its end:
 *
 *   AUTHENTICATING ─▶ KEYING ─▶ NAMING ─▶ GRANTING ─▶ LIVE ─▶ ended
 *     identity        upstream   topics   subscribe   retry, ready, replay, live
 *                     keys, leases        of ?topic=
 *
 * Each step may wait for a rule. The client may go away, or the app drain, in
 * any of them: then what was begun is undone, exactly once, in one place. */
#pragma once

#include <stdint.h>

#include "hub/hub.h"

struct app;
struct atom;
struct exchange;
struct farewell;
struct plan_stream;
struct seat;

/* Takes a request that matched this stream. */
void attach_request(struct app *app, struct plan_stream *stream, struct exchange *exchange);

/* Ends the streams of the user (NULL: everybody's), with the tag (NULL: any). Those who are on their way in
 * and whose identity is known are refused once what is asked about them is answered. Returns how many;
 * farewell NULL: only that. */
uint32_t attach_kick(struct app *app, struct atom *user, struct atom *tag,
                     const struct farewell *farewell);

/* Ends a seat in whatever step it is: refused as don't know, or ended with `retry:`. */
void attach_abandon(struct seat *seat, enum end_reason reason, uint64_t retry_ms);
