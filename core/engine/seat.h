/* seat: one subscriber-to-be and later the subscriber's owner: who it is, what
 * it holds (leases, a time to end), and the hooks that hear of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/buf.h"
#include "engine/app.h"
#include "engine/errand.h"
#include "engine/generation.h"
#include "engine/hooks.h"
#include "hub/subscriber.h"
#include "ports/exchange.h"
#include "ports/sink.h"

struct arrival;
struct changes;
struct farewell;

/* Open to attach.c, which fills it; everybody else uses the functions. */
struct seat {
    struct app *app;
    struct generation *generation; /* the one of its stream; held */
    const struct plan_stream *stream;
    struct arrival *arrival;       /* attach's, until it is live */
    struct subscriber *subscriber; /* from then on */
    struct identity who;
    struct atom *tag;      /* asked for; once live, the subscriber's own */
    uint64_t number;
    struct leases *leases; /* engine/leases.h; NULL: none */
    struct ending *ending; /* lifetime or expiry, or NULL */
    struct errand telling; /* the connect or disconnect hook */
    struct toll_place *place; /* among its address's streams, or NULL */
    struct atom *target;   /* once live: path and query of its request, see seat_keep */
    struct review *review; /* engine/review.h; NULL: it is not asked now */
    struct changes *changes; /* engine/changes.h; NULL: none */
    uint32_t since_s;      /* once live: since when, in seconds since 1970 */
    bool unreviewed;       /* but is to be */
    bool counted;          /* among the node's streams; false: there was no room */
    bool told;             /* `connect` was called, or would have been */
};

/* Of the app's current generation, which the stream must be of. Takes the reference of `tag` (which
 * may be NULL). */
struct seat *seat_new(struct app *app, const struct plan_stream *stream, struct atom *tag);

/* Gives back what it holds. The arrival must be gone. */
void seat_free(struct seat *seat);

/* To the stream of the same name in the app's current generation. False: it has none, and the seat
 * stays what it is. Leases and the subscriber's options are not its matter. */
bool seat_renew(struct seat *seat);

/* The app has another generation: a live seat goes over to it with all that it holds, or ends
 * (END_RELOAD) where its stream is gone. One on its way in stays: attach renews it at the end. */
void seat_swap(struct seat *seat);

/* It gets its subscriber, of these topics. In the same turn seat_begin must follow. */
void seat_prepare(struct seat *seat, struct topic *const *topics, size_t count);

/* It is live, on this sink; cursor as for subscriber_start. From now on it frees itself. */
void seat_begin(struct seat *seat, struct sink *sink, struct bytes cursor);

/* A rule ends it, if it is live: END_KICKED. */
void seat_part(struct seat *seat, const struct farewell *farewell);

/* Keeps of the request what a later generation's rules may ask of it: path and query, but not what the
 * client said of itself (tag, last_event_id); and gives it back, borrowed. */
void seat_keep(struct seat *seat, const struct http_request *request);
void seat_request(const struct seat *seat, struct http_request *request);

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
