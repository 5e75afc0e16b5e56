/* presence: which users an app's topics have, where a rule file declares a topic
 * with `presence`. Users, not connections; subscribers without a user do not count.
 *
 *                    first subscriber (and beat)
 *            away ─────────────────────────────────▶ there ◀──────┐
 *             ▲                                       │ │         │ another one
 *             │ no beat in time                       │ │ last    │
 *             ├───────────────────────────────────────┘ ▼ left    │
 *             └──────── grace over ─────────────────── in grace ──┘
 *
 * The hub tells who joins and leaves a topic, however that came about: an entry's count is
 * that of the topic's members of this user, and begins with a look at those. Rules are told
 * of changes, `online` and `offline`, at the end of the turn, one call at a time for one user
 * on one topic. What comes and goes while a call waits, or before it was made, is told as what
 * it comes to: nothing, if that is what was told last. So nothing queues but the entries
 * themselves. A change whose call fails counts as told; the topic's subscribers get a resync
 * (reason "rule"), one for all that fail within a second.
 *
 * An entry is one user on one topic. Above the limit a newcomer has none: it is away for the
 * rules, until its next subscriber joins when there is room.
 *
 * A reload keeps all of it: who is there, and when graces and beats are over. A drain tells
 * nobody that users are gone, because they will be back.
 *
 * All this is so on a node by itself. With other nodes an entry here says what this node has (cluster/crowd.h); who is
 * there stands on the Redis servers, which know graces and beats as well and hand each change to one node. So a user's
 * change may be told on a node that has never seen that user, and calls on two nodes may overlap. What users
 * do while a server is away is told when it is back. A drain leaves them to the other nodes, that find them gone
 * unless they come back in time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "cluster/crowd.h"
#include "engine/ports.h"
#include "hub/hub.h"
#include "hub/lookup.h"

struct generation;

struct presence_counters {
    uint64_t changes; /* told to rules, */
    uint64_t failed;  /* whose call failed */
    uint64_t refused; /* users not counted: no room */
    uint32_t online;  /* users on topics now; with other nodes: on this one */
};

struct presence {
    struct attendance port;
    const struct engine_ports *_ports;
    struct hub *_hub;
    struct generation *const *_generation;
    const uint32_t *_entries_max;
    struct crowd *_crowd; /* NULL: a node by itself */
    struct lookup _topics, _entries;
    struct list _all;  /* of topics */
    struct list _due;  /* entries of which rules are to be told */
    struct job _job;
    uint32_t _calls;   /* that wait */
    bool _stopped;
    uint64_t _warned_ms;
    struct presence_counters counters;
};

/* The pointers are read whenever they are needed: the app's current generation, the limit. The hub is
 * given the port. */
void presence_create(struct presence *presence, const struct engine_ports *ports, struct hub *hub,
                     struct generation *const *generation, const uint32_t *entries_max);

/* Needs presence_idle. */
void presence_destroy(struct presence *presence);

/* The app has another generation, and its topics have their options of it: what a topic's `presence`
 * says now counts for who comes and goes from now on; without one, what is known of it is forgotten,
 * and nobody told. Users of a topic that had none before are told as coming. */
void presence_swap(struct presence *presence);

/* Nobody comes or goes any more (drain). What is under way, or was due, is still told. */
void presence_stop(struct presence *presence);

/* Nothing is to be told, and no call waits. */
bool presence_idle(const struct presence *presence);

/* A page of this user says that it is alive. False: it does not count, because the user has no
 * subscriber of this topic, or, where a tag is given, that tab has none. */
bool presence_beat(struct presence *presence, struct atom *topic, struct atom *user,
                   struct atom *tag);

/* NULL stands for a topic or user that nobody has. */
bool presence_online(const struct presence *presence, const struct atom *topic,
                     const struct atom *user);
uint32_t presence_count(const struct presence *presence, const struct atom *topic);

/* Those who are there, in no order. */
void presence_each(const struct presence *presence, const struct atom *topic,
                   void (*each)(void *ctx, struct atom *user), void *ctx);

/* ---- with other nodes ---- */

/* Who is there is asked of a Redis server; the queries above know this node alone. */
bool presence_is_shared(const struct presence *presence);
struct crowd_call *presence_ask(struct presence *presence, enum crowd_question question, struct bytes topic,
                                struct bytes user, redis_done_f *done, void *owner);

/* A beat that does not count here may count on another node. The topic is declared with beats; the tag's size 0: of any
 * tab. Answers 1 or 0. */
struct crowd_call *presence_beat_elsewhere(struct presence *presence, struct bytes topic, struct bytes user,
                                           struct bytes tag, redis_done_f *done, void *owner);
