/* feed: what a feed is made of, for the rooms of the feeds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/app.h"
#include "engine/errand.h"
#include "engine/feeds.h"
#include "ports/later.h"

struct item;

struct feed {
    struct list node; /* in feeds' list of all */
    struct app *app;
    struct feeds *feeds;
    struct generation *generation; /* the one of its upstream; held */
    const struct plan_upstream *upstream;
    struct atom *key;
    struct link *link; /* NULL once closed */
    struct list leases; /* the most recently authenticated last */
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
