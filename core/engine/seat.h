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
#include "plan/plan.h"
#include "ports/sink.h"

struct arrival;

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
    struct lease *leases;  /* stream->upstream_count of them, or NULL */
    struct ending *ending; /* lifetime or expiry, or NULL */
    struct errand telling; /* the connect or disconnect hook */
    bool counted;          /* among the node's streams; false: there was no room */
};

/* Of the app's current generation, which the stream must be of. Takes the reference of `tag` (which
 * may be NULL). */
struct seat *seat_new(struct app *app, const struct plan_stream *stream, struct atom *tag);

/* Gives back what it holds. The arrival must be gone. */
void seat_free(struct seat *seat);

/* Takes a lease for every key that is not empty; keys are in the order of stream->upstreams. False: too
 * many links; those taken go back with the seat. */
bool seat_take_leases(struct seat *seat, const struct buf *keys);

/* It is live: a subscriber of these topics on this sink; cursor as for subscriber_start. From now
 * on it frees itself. */
void seat_begin(struct seat *seat, struct sink *sink, const struct bytes *names, size_t count,
                struct bytes cursor);

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
