/* publication: the events of one HTTP request, read and checked, and what their
 * handlers made of them. All of them are handled in one call of the rules
 * (HOOK_PUBLISH), which goes from one to the next; so what they emit goes out
 * together or not at all.
 *
 * Owns its bytes: the request may be gone before its events are handled. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/hooks.h"

struct app_emit;
struct hub;

struct publication {
    struct event *events;
    size_t count;
    bool list;                 /* it came as one, also of a single event */
    struct identity publisher; /* user NULL: an app, or anybody */
    hook *handlers;            /* of each; 0: none, it is passed over */
    uint64_t *causes;          /* what explain knows the call of each by */
    size_t next;               /* the first that is not handled yet */
    uint32_t triggers;         /* that came of them, */
    uint32_t subscribers;      /* and those of their topics, before filters */
    struct buf _bytes;
};

/* Why a request is refused. */
struct publication_fault {
    int status; /* 0: it is not */
    const char *code;
    char sentence[240];
};

/* Reads the request by its content type. JSON: one event or a list of them; a form: one event; anything
 * else is the data of one, the rest of which stands in the query. NULL: *fault says why. */
struct publication *publication_read(const struct http_request *request, struct atom *source,
                                     uint32_t batch_max, struct publication_fault *fault);
void publication_free(struct publication *publication);

/* The same events, for the rules of a shadow. */
struct publication *publication_copy(const struct publication *publication);

/* Bytes of its events. */
size_t publication_size(const struct publication *publication);

/* Who published it. One who speaks for any user says whose an event is; another's events are its
 * own, and false is returned where one claims something else. Keeps references. */
bool publication_publisher(struct publication *publication, const struct identity *publisher,
                           bool any_user, struct publication_fault *fault);

/* Finds each event's handler. False: one has none, which the ingest does not ignore. */
bool publication_resolve(struct publication *publication, const struct plan_ingest *ingest,
                         struct publication_fault *fault);

/* ---- for those who run the handlers ---- */

/* The next event that has a handler, or NULL. */
const struct event *publication_next(struct publication *publication, hook *handler);

/* The call that handles the event at hand is known to explain by this. */
void publication_cause(struct publication *publication, uint64_t cause);

/* The emits of all its events have been published on this hub. */
void publication_emitted(struct publication *publication, struct hub *hub,
                         const struct app_emit *emits, size_t count);
