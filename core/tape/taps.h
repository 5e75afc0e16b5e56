/* taps: decorators around the ports through which the outside reaches a node, and
 * through which its triggers show. While there is a tape they write down what
 * passes; the engine and the adapters know nothing of it.
 *
 * Always in place, since a recording begins on a running server: each request, stream, fetch and
 * upstream's wire has a small block of its own, which is what lets a recording go on with the streams
 * and wires that are open when it begins. Who holds such a stream was said in a request that is gone:
 * the owner of the taps, who knows it otherwise, notes them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "event/cursor.h"
#include "ports/exchange.h"
#include "ports/fetch.h"
#include "ports/journal.h"
#include "ports/sink.h"
#include "ports/transport.h"
#include "tape/tape.h"

/* Whose a wire is, found by who opened it. */
struct tap_owner {
    struct bytes app, upstream, key;
};

/* A stream that is open when a recording begins. Texts whose data is NULL are not there. */
struct tap_stream {
    struct bytes app, name, path, query, user, tag, data; /* name: of its declaration */
    const struct bytes *topics;
    size_t topic_count;
};

struct taps {
    struct tape *tape;     /* NULL: nothing is recorded */
    uint64_t _recording;   /* counts the recordings, so that nobody goes on in one that is over */
    uint64_t _numbers;     /* of requests, fetches and wires */
    struct list _wires;    /* that are open */
    const struct cursor_epoch *_epoch;
    bool (*_find)(void *ctx, const void *owner, struct tap_owner *found);
    void *_ctx;
    struct journal journal;
    struct http_handler handler;
    struct fetch fetch;
    struct transport transport;
    struct http_handler *_handler;
    struct fetch *_fetch;
    struct transport *_transport;
};

/* Puts the taps around fetch and transport; the node gets those of the taps, and the journal. `find`
 * tells whose a wire is by the owner that was given to transport.open. */
void taps_create(struct taps *taps, struct fetch *fetch, struct transport *transport,
                 const struct cursor_epoch *epoch,
                 bool (*find)(void *ctx, const void *owner, struct tap_owner *found), void *ctx);

/* The node's handler, once there is a node; listeners get that of the taps. */
void taps_handle(struct taps *taps, struct http_handler *handler);

/* What passes goes to this tape from now on, which first gets the wires that are open; NULL: to
 * none. */
void taps_set(struct taps *taps, struct tape *tape);

/* The stream on this sink is in the recording from now on, and so is its end. The sink is what the
 * node's handler got from its exchange. False: there is no recording, or it is in it already. */
bool taps_note_stream(struct taps *taps, struct sink *sink, const struct tap_stream *stream);

/* Is a recording under way, and is it the one of this number? For the rooms of the taps. */
static inline bool taps_in(const struct taps *taps, uint64_t recording)
{
    return taps->tape && taps->_recording == recording;
}

/* The parts, each in its own file. */
void taps_create_handler(struct taps *taps);
void taps_create_fetch(struct taps *taps);
void taps_create_transport(struct taps *taps);
void taps_write_wires(struct taps *taps);
