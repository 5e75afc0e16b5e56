/* feed: what a feed is made of, for the rooms of the feeds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/app.h"
#include "engine/errand.h"
#include "engine/feeds.h"
#include "ports/later.h"

struct item;
struct tenure;
struct terms;

struct feed {
    struct list node; /* in feeds' list of all */
    struct app *app;
    struct feeds *feeds;
    struct generation *generation; /* the one of its upstream; held */
    const struct plan_upstream *upstream;
    struct atom *key;
    struct link *link; /* NULL once closed */
    struct tenure *tenure;     /* engine/tenure.h; NULL: a node by itself */
    const struct terms *terms; /* of what is at hand; NULL likewise */
    bool closing;              /* its link is, not by the end of its grace */
    struct list leases; /* the most recently authenticated last */
    bool early_left;    /* who had a lease before its link's first opening has gone, and may come back */
    struct atom *data;  /* the last leaseholder's, for a link that is reopened without one */
    struct errand asking, handling;
    struct errand renewing;   /* engine/renewal.h */
    uint64_t request_hash;    /* of what its link was last opened with */
    bool unrenewed;           /* and that was by rules of before */
    struct item *current; /* what the handler has at hand, and its view of it */
    struct event event;
    bool paused;
    struct list queue;
    uint32_t queued;
    struct job job;
};

/* The call that asks what its link is to be opened with. */
struct hook_call feed_request(const struct feed *feed);

/* Closes its link, if there is one, for another reason than the end of its grace. */
void feed_close(struct feed *feed);

/* What waits for its handler is not handled here. */
void feed_drop_queue(struct feed *feed);

/* The link has opened, and what came before nobody knows: tells it when what is queued has been handled. */
void feed_reopened(struct feed *feed);

/* Its job: handles what waits, or ends it. */
void feed_post(struct feed *feed);

/* ---- feed_leases.c ---- */

/* The data that is asked with is the most recently authenticated leaseholder's, if there is one now. */
void feed_take_data(struct feed *feed);


/* Those whom a gap in this feed concerns must re-read. */
void feed_tell_resync(struct feed *feed, const char *reason, uint64_t cause);

/* Those of them that have leases here. */
void feed_tell_leaseholders(struct feed *feed, const char *reason);

/* As a trigger, to be published with others: its name is written to `name`. False: it has no topic, and the leaseholders
 * were told. */
bool feed_resync_emit(struct feed *feed, const char *reason, uint64_t cause, struct buf *name,
                      struct app_emit *emit);

/* Those accepted before the first opening cannot know what happened in between; unless they hear so by others' way, or
 * it was open elsewhere. One that is only just beginning is told, if need be, when it has: lease_begin. */
void feed_tell_early(struct feed *feed, bool otherwise);
