/* presence_state: what presence is made of, for its rooms: presence.c knows who is
 * there, presence_shared.c who is on other nodes, presence_tell.c tells the rules. */
#pragma once

#include "base/atom.h"
#include "base/wheel.h"
#include "cluster/crowd.h"
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
    bool online;          /* it is there; with other nodes: what this one was handed last */
    bool told;            /* what rules were told last */
    bool counted;         /* among those who are there, or here */
    struct telling *call; /* that waits, or NULL */
    struct crowd_place place; /* with other nodes */
};

/* The entry of this user; NULL: there is none, or no such topic. */
struct entry *presence_entry(const struct presence *presence, const struct atom *topic,
                             const struct atom *user);

/* A new one, of nobody who is known to be there. */
struct entry *presence_entry_new(struct presence *presence, struct atom *topic,
                                 const struct plan_topic *declared, struct atom *user);

/* Counts it, or not any more. */
void presence_count_entry(struct entry *entry, bool counted);

/* Frees it, if there is nothing to know of it. */
void presence_release(struct entry *entry);

/* online has changed: rules are to be told, if they do not know. */
void presence_changed(struct entry *entry);

/* The entry goes; a call that waits goes on without it. */
void presence_untell(struct entry *entry);

/* Tells some of those that are due. */
void presence_tell(struct job *job);

/* ---- presence_shared.c: nothing of it is called on a node by itself ---- */

void presence_share(struct presence *presence, struct bytes app);
void presence_unshare(struct presence *presence);

/* Subscribers, a beat or what the topic declares may have changed. */
void presence_say(struct entry *entry);
