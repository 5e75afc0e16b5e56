/* topic_state: what a topic is made of, for the rooms of the hub.
 *
 * A topic lives on while anything holds it: a seat, a run, a window, history
 * with frames in it, what it retains, a limiter. With a bus, which has these for all, not history nor what is
 * retained, but the bus itself, and who waits for it. Whoever lets go of the last calls topic_release; the memory
 * goes at the end of the turn, if it is still unused then. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/wheel.h"
#include "hub/history.h"
#include "hub/hub.h"

struct limiter;
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
    uint8_t server;           /* that gives its triggers their places */
    bool loaded, wanted;      /* hub/carried.h; without a bus it always is loaded */
    uint32_t holds;           /* of the bus */
    struct list waiters;      /* for it to be loaded */
    void *carrier;            /* the bus's */
    bool fanning;             /* a fan-out has an index into members: nobody moves */
    struct history history;
    struct frame *retained;  /* hub/retain.h; NULL: nothing */
    struct frame *bare;      /* the same as newcomers get it, once one did */
    struct limiter *limiter; /* hub/limiter.h; NULL: as good as new */
    struct timer expiry; /* of the oldest frame in history, or of what is retained */
    struct list node;    /* in hub->topics */
    struct list unused;  /* in hub->unused, when it may be */
};

/* The time of its hub, and what it reaches the outside by. */
uint64_t topic_now(const struct topic *topic);
const struct hub_ports *topic_ports(const struct topic *topic);

/* What stands in `event:` of a trigger of this type; NULL: of a resync. */
struct bytes topic_event_name(const struct topic *topic, const struct atom *type);

/* Gives a trigger its place, unless the topic's limit forbids it (hub/limiter.h): then 0. */
uint64_t topic_admit(struct topic *topic, const struct emission *emission);

/* Gives a trigger its place in the order, in history and in the fan-out; returns its position. With a bus, hands
 * it over: 0. */
uint64_t topic_place(struct topic *topic, const struct emission *emission);

/* The rest of that, once the order has the trigger's position and place. */
void topic_put(struct topic *topic, const struct emission *emission);

/* The same, of one that has a position alone: it has no id, and no history knows it. */
void topic_put_here(struct topic *topic, const struct emission *emission);

/* The frame of a trigger at the newest position; its place is that of its server in `id`. NULL: it has none of its own,
 * and no id. */
struct frame *topic_frame(struct topic *topic, const struct emission *emission,
                          const struct places *id, uint64_t at_ms);

void topic_keep(struct topic *topic, struct frame *frame); /* in history */
uint64_t topic_newest(const struct topic *topic); /* the newest place that it has, or had */

/* Has what the topic keeps dropped in time. */
void topic_watch_expiry(struct topic *topic);

/* Members came or went, or who waits: the bus hears whether the topic is wanted. */
void topic_review_wants(struct topic *topic);

/* Brings what it has been given to its subscribers now, and with it all that was given before to other topics. Asks
 * rules; not from within a fan-out. */
void topic_fan_out(struct topic *topic);

/* What a subscription notes that begins now, as joined_at: the position or, of a topic that is not loaded yet, the
 * place that is heard, until it is. */
uint64_t topic_join_mark(const struct topic *topic);

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

/* Drops from history, and of what is retained, what is older than its options allow. */
void topic_expire(struct topic *topic);
