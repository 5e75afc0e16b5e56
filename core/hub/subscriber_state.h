/* subscriber_state: what a subscriber is made of, for the rooms of the hub. What a
 * fan-out touches stands first: two cache lines. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/wheel.h"
#include "hub/queue.h"
#include "hub/subscriber.h"
#include "hub/topic_state.h"

enum state { STATE_NEW, STATE_LIVE, STATE_LAGGED, STATE_ENDED };

/* What of its queue needs another yes, see recheck.h. */
enum unchecked { UNCHECKED_NONE, UNCHECKED_MARKED, UNCHECKED_ALL };

struct subscription {
    struct topic *topic;
    uint64_t joined_at; /* triggers up to this position are not for it, or came by replay */
    uint32_t member;    /* its index in the topic's members */
    bool missed;        /* something of this topic goes into the next lagged resync */
    bool replayed;      /* what it missed of this topic before it began was offered to it */
    bool untold;        /* it may not have been told of what another node withheld */
    bool newcomer;      /* it is to get what the topic has for newcomers, see newcomer.h */
};

struct subscriber {
    uint8_t state;       /* enum state */
    uint8_t reason;      /* enum end_reason, when ended */
    uint8_t unchecked;   /* enum unchecked */
    bool checking;       /* they are being asked: nothing is sent meanwhile */
    bool blocked;        /* the sink took less than all, and has not called yet */
    uint32_t missed;     /* what it was permitted and will not get, since the last lagged resync */
    struct queue *queue; /* NULL: nothing waits */
    struct sink *sink;   /* NULL: gone or closed */
    const struct subscriber_options *options;
    uint64_t seen;     /* the newest position that was offered to it */
    uint64_t since_ms; /* when it last took bytes, or has been blocked from */
    uint32_t topics, capacity;
    union {
        struct subscription one; /* while capacity is 0 */
        struct subscription *many;
    };
    struct atom *user, *tag; /* references; may be NULL */
    struct hub *hub;
    struct timer timer;     /* heartbeat or stall, whichever is next */
    uint64_t beat_ms;       /* when it last had a heartbeat that comes whatever else flows, or should have */
    struct list turn;       /* in hub->flushing or, ended, in hub->ended */
    struct list all;        /* in hub->subscribers */
    struct list tabs;       /* the ring of its user's subscribers */
    struct stale *stale;    /* topics that it must be told of once their verdicts are known again */
    struct atom *asked_tag; /* the tag that it asked for, if it got another */
    const struct subscriber_events *events;
    void *owner;
};

static inline struct subscription *subscriber_list(struct subscriber *subscriber)
{
    return subscriber->capacity ? subscriber->many : &subscriber->one;
}

/* Its subscription to the topic (of this name), or NULL. */
struct subscription *subscriber_find(struct subscriber *subscriber, const struct topic *topic);
struct subscription *subscriber_find_name(struct subscriber *subscriber, const struct atom *name);

/* Has it a topic whose publisher says the ids? Then no id that the client sees may be ours. */
bool subscriber_shows_ids(struct subscriber *subscriber);

/* The id of what is no trigger, for who has everything up to this position, into *out; NULL, no id, where nobody
 * knows the places (hub/order.h) or the client shall see none of ours. */
const struct places *subscriber_id(const struct subscriber *subscriber, uint64_t position,
                                   struct places *out);
const struct places *subscriber_show(const struct subscriber *subscriber,
                                     const struct places *at); /* only the latter; takes NULL */

/* The newest position for which the client has everything that it will get, once its queue is
 * out: what a heartbeat may say. */
uint64_t subscriber_position(const struct subscriber *subscriber);

/* The place of a server up to which the client has something at most. */
uint64_t subscriber_reaches(const struct subscriber *subscriber, uint8_t server);

/* To be called after a change of blocked or since_ms that brings the next due time nearer. */
void subscriber_watch(struct subscriber *subscriber);

/* Ends its memory; called at the end of the turn. Tells the owner. */
void subscriber_bury(struct subscriber *subscriber);
