/* naming: which topics a seat has: those that its stream's `topics` gives, and those
 * that its client asks for (`?topic=`) and that the topic's `subscribe` grants. Both
 * may wait. Asked on the way in, and again after a reload: then also about the topics that
 * were granted while it lived. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "engine/errand.h"
#include "plan/pattern.h"
#include "ports/exchange.h"

struct seat;

enum naming_end {
    NAMING_DONE,
    NAMING_FORBIDDEN, /* `subscribe` said no; only where naming is strict */
    NAMING_UNKNOWN    /* a rule failed, or gave too many */
};

/* Once. It may destroy the naming. */
typedef void naming_done_f(void *owner, enum naming_end how);

struct naming {
    struct bytes *names; /* owned copies, each once */
    size_t count;
    struct seat *_seat;
    const struct http_request *_request;
    struct errand _errand;
    struct bytes _asked; /* what is left of the query to look through */
    size_t _granted_at;  /* and of what was granted since, see engine/changes.h */
    struct pattern_match _match; /* of the topic that `subscribe` is asked about */
    bool _strict;
    enum outcome _granted; /* what it answered, */
    bool _granting;        /* if it did so at once */
    naming_done_f *_done;
    void *_owner;
};

/* By the rules of the seat's generation. The request must live until the end. Strict: one topic that is
 * not granted ends it; else that one is not among the names. */
void naming_start(struct naming *naming, struct seat *seat, const struct http_request *request,
                  bool strict, naming_done_f *done, void *owner);

/* Gives up what waits: `done` will not be called. Harmless on a zeroed one, or one that is done. */
void naming_cancel(struct naming *naming);

/* Cancels, and frees the names. */
void naming_destroy(struct naming *naming);

bool naming_has(const struct naming *naming, struct bytes name);
