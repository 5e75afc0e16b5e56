/* trunk_state: what the trunk is made of, for its rooms: trunk.c (topics, publishing), stream.c (what comes, in
 * order), loading.c (what is fetched). */
#pragma once

#include "base/atom.h"
#include "base/buf.h"
#include "base/list.h"
#include "cluster/trunk.h"

enum topic_state { TOPIC_LISTENING, TOPIC_QUEUED, TOPIC_LOADING, TOPIC_LIVE, TOPIC_STALE };

struct trunk_topic {
    struct trunk *trunk;
    struct stream *stream;
    struct atom *name; /* a reference */
    struct cluster_channel channel;
    struct list node;   /* in stream->topics */
    struct list queued; /* in stream->queue while QUEUED */
    enum topic_state state;
    bool subscribed;    /* on the connection of the day */
    bool holed;         /* STALE: because something was seen to be missing */
    uint64_t last;    /* the newest place that was handed on; LIVE and STALE */
    uint64_t looked_at, looked_for; /* stream.c's look for holes: up to where, and for which token */
    const struct trunk_topic_events *events;
    void *owner;
};

/* What came, in order, and waits to be handed on. */
struct arrived {
    struct list node;
    enum { ARRIVED_MESSAGE, ARRIVED_BEAT, ARRIVED_TOKEN } kind;
    struct trunk_topic *topic; /* of a message; NULL: it was closed */
    uint64_t place, prev;    /* of a message; of a beat and a token the place up to which all stands before it */
    uint64_t token;
    size_t size;
    char parcel[];
};

/* A message of what is retained only: `place` is no trigger's of its own. */
static inline bool arrived_is_retained(const struct arrived *arrived)
{
    return arrived->kind == ARRIVED_MESSAGE && arrived->place == arrived->prev;
}

/* One server's. */
struct stream {
    struct trunk *trunk;
    uint32_t server;
    bool here;
    struct list topics, queue; /* all; those to be loaded, in order */
    struct list arrived;
    size_t held, held_bytes;
    uint32_t stale;            /* topics that wait for their check, */
    uint32_t unsubscribed;     /* so many of them for their subscription first */
    bool token_came;           /* that of the loading under way */
    uint64_t heard;            /* handed on */
    struct loading *loading;   /* under way; NULL: nothing is */
    struct job job;
};

struct trunk {
    struct cluster *cluster;
    struct cluster_ports ports;
    struct later *later;
    struct trunk_limits limits;
    const struct trunk_events *events;
    void *owner;
    struct cluster_watcher watcher;
    struct cluster_letters loaded;
    uint64_t tokens;
    uint64_t newest[CLUSTER_SERVERS]; /* places that publishing was answered with */
    struct list publishing; /* what was published and is not answered */
    uint32_t count;
    struct stream streams[CLUSTER_SERVERS];
    struct trunk_counters counters;
};

/* ---- stream.c ---- */

void stream_create(struct stream *stream, struct trunk *trunk, uint32_t server);
void stream_destroy(struct stream *stream);

/* The server is away: what waits is given up, what was live must be checked. */
void stream_away(struct stream *stream);
void stream_here(struct stream *stream, bool fresh);

void stream_message(struct trunk_topic *topic, struct bytes payload);
void stream_beat(struct stream *stream, uint64_t place);
void stream_token(struct stream *stream, uint64_t token, uint64_t place);

/* Looks again at what waits, at the end of the turn. */
void stream_post(struct stream *stream);

/* The topic goes: nothing that waits is its any more. */
void stream_forget(struct trunk_topic *topic);

void stream_subscribed(struct trunk_topic *topic);

/* It is to be loaded: what it had, if it had something, is as nothing. */
void stream_queue(struct trunk_topic *topic);

/* Everything of live topics up to here has been handed on. */
void stream_hear(struct stream *stream, uint64_t place);

/* Hands one message on, if it is none that was handed on already. */
void stream_hand_on(struct trunk_topic *topic, const struct trunk_message *message);

/* Hands on what newcomers get now. */
void stream_retain(struct trunk_topic *topic, const struct trunk_message *message);

void stream_free_arrived(struct stream *stream, struct arrived *arrived);

/* ---- loading.c ---- */

/* One loading at a time a stream. Of queued topics: good from its token on. Of all stale ones: good from the token
 * of its last part on. */
enum loading_kind { LOADING_NEW, LOADING_CHECK };

void loading_new(struct stream *stream);
void loading_check(struct stream *stream);

enum loading_kind loading_kind(const struct loading *loading);
bool loading_answered(const struct loading *loading);
uint64_t loading_token(const struct loading *loading);

/* Its token has come, which says `place`: what was loaded is handed on. For a check together with what has arrived in
 * front of the token, which is taken away. */
void loading_finish_new(struct stream *stream, uint64_t place);
void loading_finish_check(struct stream *stream, uint64_t place);

/* A topic is closed; or all of it is given up: its topics are to be loaded, or checked, again. */
void loading_forget(struct loading *loading, const struct trunk_topic *topic);
void loading_drop(struct stream *stream);
