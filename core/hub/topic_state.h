/* topic_state: what a topic is made of, for the rooms of the hub.
 *
 * A topic lives on while anything holds it: a seat, a run, a window, history
 * with frames in it. Whoever lets go of the last calls topic_release; the memory
 * goes at the end of the turn, if it is still unused then. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/wheel.h"
#include "hub/history.h"
#include "hub/hub.h"

struct subscriber;

/* One subscriber's place in a topic. */
struct member {
    struct subscriber *subscriber; /* NULL: it left while a fan-out was in the topic */
    uint32_t subscription;         /* the index of its own side */
};

struct topic {
    struct hub *hub;
    struct atom *name; /* a reference */
    const struct topic_options *options;
    struct member *members;
    uint32_t count, capacity; /* of members, with those that left */
    uint32_t present;         /* without */
    uint32_t runs, windows;   /* that wait */
    bool fanning;             /* a fan-out has an index into members: nobody moves */
    struct history history;
    struct timer expiry; /* of the oldest frame in history */
    struct list node;    /* in hub->topics */
    struct list unused;  /* in hub->unused, when it may be */
};

/* Gives a trigger its place in the order, in history and in the fan-out; returns its position. */
uint64_t topic_place(struct topic *topic, const struct emission *emission);

/* Adds a member; returns its index. */
uint32_t topic_add(struct topic *topic, struct subscriber *subscriber, uint32_t subscription);
void topic_remove(struct topic *topic, uint32_t index);

/* Ends what `fanning` began: the places of those who left are closed. */
void topic_fanned(struct topic *topic);

/* To be called by who let go of a topic. */
void topic_release(struct topic *topic);

/* Destroys the topic if nothing holds it; called at the end of the turn. */
void topic_bury(struct topic *topic);
void topic_destroy(struct topic *topic);

/* Drops from history what is older than its options allow. */
void topic_expire(struct topic *topic);
