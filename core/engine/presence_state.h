/* presence_state: what presence is made of, for its two rooms: presence.c knows who
 * is there, presence_tell.c tells the rules. */
#pragma once

#include "base/atom.h"
#include "base/wheel.h"
#include "engine/generation.h"
#include "engine/presence.h"

struct telling;

/* A topic that has entries. */
struct presence_topic {
    struct presence *presence;
    struct atom *name;
    const struct plan_topic *declared; /* in the app's current generation */
    struct list node, entries;
    uint32_t online;
    struct timer resync; /* armed: a call failed */
    uint64_t cause;      /* of the last one that did */
};

struct entry {
    struct presence_topic *topic;
    struct atom *user;
    struct list node;
    struct list due;      /* in presence->_due, or in none */
    struct timer timer;   /* of what ends first, grace or beat, while it is online */
    uint64_t grace_ms;    /* without subscribers: it is there until then */
    uint64_t beat_ms;     /* where beats count: it is there until then */
    uint32_t subscribers;
    bool online;          /* it is there */
    bool told;            /* what rules were told last */
    struct telling *call; /* that waits, or NULL */
};

/* Frees it, if there is nothing to know of it. */
void presence_release(struct entry *entry);

/* online has changed: rules are to be told, if they do not know. */
void presence_changed(struct entry *entry);

/* The entry goes; a call that waits goes on without it. */
void presence_untell(struct entry *entry);

/* Tells some of those that are due. */
void presence_tell(struct job *job);
