/* crowd_state: what a crowd is made of, for its two rooms: crowd.c knows places and who asks, crowd_calls.c speaks with the
 * servers. */
#pragma once

#include "base/alloc.h"
#include "base/check.h"
#include "base/wheel.h"
#include "cluster/crowd.h"

enum { CROWD_BATCH = 100 /* entries of one call */ };

struct crowd_server {
    struct crowd *crowd;
    uint32_t index;
    bool heir;       /* the session that begins is the first of an epoch, and not of the node */
    bool broken;     /* it answers with errors; said once */
    bool tended;     /* is under way */
    bool owes;       /* that changes arrived */
    uint64_t session, call, seen;
    uint64_t before, before_seen; /* of the last session that is known to have begun */
    struct list places, due;      /* due: something is to be said of them; */
    struct list settled;          /* or nothing, and their owner is to be told so */
    struct timer send, tend;
    uint64_t tend_ms; /* while that is armed */
};

struct crowd {
    struct cluster *cluster;
    struct cluster_ports ports;
    struct cluster_watcher watcher;
    struct cluster_letters letters;
    const struct crowd_events *events;
    void *owner;
    struct buf app;
    struct list calls;
    bool started, stopped;
    struct crowd_server servers[CLUSTER_SERVERS];
};

enum crowd_kind { CROWD_BEGIN, CROWD_SAY, CROWD_TEND, CROWD_BEAT, CROWD_ASK };

/* A script under way, and whom it is about: NULL for places that were taken back. */
struct crowd_call {
    struct list node;
    struct crowd_server *server;
    struct cluster_call *call;
    enum crowd_kind kind;
    uint64_t session, number;
    redis_done_f *done; /* of BEAT and ASK */
    void *owner;
    uint32_t count;
    struct crowd_place *places[CROWD_BATCH];
    bool here[CROWD_BATCH];
};

/* ---- crowd_calls.c ---- */

void crowd_begin_session(struct crowd_server *server);

/* Of this place there may be something to say. */
void crowd_due(struct crowd_server *server, struct crowd_place *place);

/* Says what is due, ahead of what is asked next. */
void crowd_send_due(struct crowd_server *server);

void crowd_on_send(struct timer *timer);
void crowd_on_tend(struct timer *timer);

struct crowd_call *crowd_call_new(struct crowd_server *server, enum crowd_kind kind, redis_done_f *done, void *owner);
void crowd_run_ask(struct crowd_call *call, struct bytes question, struct bytes topic, struct bytes user);
void crowd_run_beat(struct crowd_call *call, struct bytes topic, struct bytes user, struct bytes tag,
                   uint64_t beat_ms);
