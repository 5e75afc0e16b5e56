/* crowd: which users the topics of one app have, over all nodes. A node says what it has; the servers know
 * who is there in the whole cluster, until when, and hand each change to the node whose word brought it
 * about: that one tells its rules. Every record of a topic stands on the topic's server.
 *
 * A *place* is a user on a topic as this node has it. The owner marks it whenever it may have changed; what it is then
 * is asked at the end of the turn, for all that were marked, so thousands that come at once go in few scripts. A place
 * is *settled* when the server has nothing of it that the node would have to take back.
 *
 *                mark (here)              answer
 *   settled ────────────────▶ said ─────────────────▶ known to the server
 *      ▲                        ▲                          │ mark
 *      └──── answer (gone) ─────┴──────────────────────────┘
 *
 * The node registers in a *session*, a new one for each time that it comes to the server, or that the others took
 * it for dead, and then everything again (crowd.lua): so nothing that is marked while the server is away is
 * lost, and nothing counts twice. What dead nodes had is cleared by those that live, and so are graces and beats
 * that are over: each node looks every two seconds, and when the next one is due. What was handed to a node and
 * may not have arrived is handed again, to it or, when it is dead, to another.
 *
 * In a fresh epoch the places say themselves that rules were told of them before; for as long as a dead node takes to
 * be found, nobody is told to be offline. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"
#include "cluster/cluster.h"

enum {
    CROWD_TEND_MS = 2000,
    CROWD_REGISTER_MS = 5000 /* for what an earlier session had to be registered in the next */
};

struct crowd;
struct crowd_call;

/* Embedded in its owner, zeroed before crowd_add. */
struct crowd_place {
    struct list _node, _due;
    uint32_t _server;
    uint32_t _asked; /* words about it that are under way */
    bool _said;      /* the server may have it */
    bool _there;     /* as the server said last: then rules know, */
    bool _before;    /* or in an earlier epoch, and nothing was said in this one */
};

/* What a place is. The names are borrowed for as long as it is the owner's. */
struct crowd_state {
    struct bytes topic, user;
    bool here;         /* it has a subscriber */
    uint64_t grace_ms; /* how long the topic's grace is, */
    uint64_t left_ms;  /* and how much of it is left */
    bool beats;        /* they matter: */
    uint64_t beat_ms;  /* for how long the last one of this node counts still; 0: there was none */
};

/* None is told from within a function of this room. */
struct crowd_events {
    /* Where beats matter, appends the tags of its tabs here: ",a,b,". */
    struct crowd_state (*describe)(void *owner, struct crowd_place *place, struct buf *tags);

    /* A beat came to another node, of a user that this one may have. */
    void (*beaten)(void *owner, struct bytes topic, struct bytes user);

    /* A change is this node's to tell. It may be of a user that it has no place of. */
    void (*changed)(void *owner, struct bytes topic, struct bytes user, bool online);

    /* The owner may take the place back, and the memory. */
    void (*settled)(void *owner, struct crowd_place *place);
};

/* Says nothing before crowd_start. The app's name is copied. */
struct crowd *crowd_new(struct cluster *cluster, const struct cluster_ports *ports, struct bytes app,
                      const struct crowd_events *events, void *owner);

/* All places are taken back. Who asks is answered "away". */
void crowd_free(struct crowd *crowd);

/* There is something to know of: it registers, and does its part of what falls to all. Harmless again. */
void crowd_start(struct crowd *crowd);

/* Says no more what comes and goes (drain): the other nodes find out, if the users do not come to one of them first.
 * Changes that are under way are still told. */
void crowd_stop(struct crowd *crowd);

/* The topic is the app's name of it. */
void crowd_add(struct crowd *crowd, struct crowd_place *place, struct bytes topic);
void crowd_mark(struct crowd *crowd, struct crowd_place *place);
bool crowd_settled(const struct crowd_place *place);

/* At any time; if it was not settled the server goes on having it, until crowd_renew. */
void crowd_remove(struct crowd *crowd, struct crowd_place *place);

/* Begins new sessions: what is not a place any more is cleared away with the old ones. */
void crowd_renew(struct crowd *crowd);

enum crowd_question { CROWD_LIST, CROWD_COUNT, CROWD_ONLINE };

/* Behind all that was marked before. `done` comes later, once: a list of texts in no order, a number, 1 or 0; or an
 * error of cluster_run. */
struct crowd_call *crowd_ask(struct crowd *crowd, enum crowd_question question, struct bytes topic,
                           struct bytes user, redis_done_f *done, void *owner);

/* A page of the user's is alive, which may be on another node. The tag's size 0: of any tab. Answers 1 or 0:
 * does it count? */
struct crowd_call *crowd_beat(struct crowd *crowd, struct bytes topic, struct bytes user, struct bytes tag,
                            uint64_t beat_ms, redis_done_f *done, void *owner);
void crowd_cancel(struct crowd_call *call);
