/* journal: who wants to know what becomes of triggers: the engine, so that it can
 * explain afterwards who got one and who did not (engine/explain.h), and a rig that
 * shows a spec what went where.
 *
 * It hears of what an emit came to, and of every trigger that a subscriber of its
 * topic does not get. That one gets it, it does not hear: that is the plain way, and
 * the plain way pays nothing for being explained.
 *
 * Each function may be NULL. None may call the hub. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/bytes.h"

struct frame;
struct subscriber;

/* What one trigger is made of before it has its place. Borrowed. */
struct emission {
    struct atom *type; /* NULL: a resync of the topic */
    struct atom *replaces, *user, *tag;
    struct atom *meta; /* JSON, for filters; or NULL */
    struct bytes data;
    struct bytes id;    /* of the publisher's; empty: none was given */
    uint64_t retry_ms;  /* 0: no line */
    uint64_t within_ms; /* how long its window is open; 0: it had none */
    uint64_t cause;     /* whose emit it is: a number of the journal's user; 0: nobody's */
    bool elsewhere;     /* it is another node's */
};

/* Why a subscriber does not get a trigger of a topic that it has. */
enum spared {
    SPARED_DENIED,   /* the filter said no, */
    SPARED_WITHHELD, /* or gave no answer */
    SPARED_ECHO,     /* it caused it itself */
    SPARED_REPLACED, /* a newer one with the same key took its place in the queue */
    SPARED_LAGGED,   /* the queue was full */
    SPARED_REASONS
};

/* The place that one took. Borrowed, but a reference of the frame may be taken. */
struct placing {
    struct frame *frame;
    struct atom *topic;
    uint64_t position;
    uint64_t place; /* the position, unless servers give the places, */
    uint8_t server; /* and whose it is */
    uint32_t subscribers; /* that its topic has */
};

struct journal {
    /* Called once a trigger that takes its place in the order, in order, before anybody gets it. */
    void (*placed)(struct journal *journal, const struct placing *placing,
                   const struct emission *emission);

    /* One that its topic's limit gave no place. */
    void (*limited)(struct journal *journal, struct atom *topic, const struct emission *emission);

    /* An emission that waited in a window gives way to a newer one, and never takes a place. */
    void (*merged)(struct journal *journal, struct atom *topic, const struct emission *emission);

    /* The subscriber does not get the trigger at `position`. Its address tells it from others for
     * as long as it lives; one that comes after it may have it again. */
    void (*spared)(struct journal *journal, uint64_t position, const struct subscriber *subscriber,
                   enum spared reason);

    /* It is new, and came back with a cursor: what is replayed to it is newer than `position`. */
    void (*resumed)(struct journal *journal, uint64_t position,
                    const struct subscriber *subscriber);
};
