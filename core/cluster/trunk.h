/* trunk: triggers through the Redis servers, to every node that has subscribers for their topic, in one order a
 * server. What a trigger is made of is a *parcel* to it, bytes that it does not look into.
 *
 * Publishing is one script: all triggers of a call get their places, stand in their topics' histories
 * and are published, or none. Where the call was answered with "lost" or "timeout" nobody knows.
 *
 * Each message names its topic's newest place before it. So it is seen when one is missing (a server drops what a
 * slow node does not take, and all while a connection is lost), and that is fetched from the history; nothing
 * of that server is handed on meanwhile. A topic of this node is
 *
 *     listening ──subscribed──▶ queued ──▶ loading ──answer, and all before it──▶ LIVE ◀── checked ──┐
 *                                  ▲                                                │                │
 *                                  │                          a hole, the server is away, an epoch ──▶ STALE
 *                                  └──────────────── what it missed is not all there ◀───────────────┘
 *
 * With another epoch those who have a topic are told, and nothing is known of it but what came since that
 * began: from there on it is checked like one that missed something.
 *
 * An answer and the messages come on two connections. What puts them in order is the answer's token, which
 * the script publishes to the node's mailbox in the same step (load.lua). When a server comes back, nothing of it is
 * handed on until all topics that were live are checked: so what a subscriber gets of several topics
 * keeps their order, and a cursor says the truth.
 *
 * Everything is told from the end of a turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "cluster/cluster.h"
#include "ports/later.h"

struct trunk;
struct trunk_topic;

struct trunk_message {
    uint64_t place;
    uint64_t age_ms; /* since it took its place; of what is loaded */
    struct bytes parcel;
};

/* What a topic has when it becomes live. Borrowed. */
struct trunk_load {
    uint64_t lost; /* the newest place that is not among the messages: who knows less has missed it */
    const struct trunk_message *messages; /* the oldest first, at most as many as asked for */
    size_t count;
    const struct trunk_message *retained; /* for newcomers; NULL: nothing */
    const char *resync; /* NULL, or why those who had the topic before must re-read: "history" */
};

/* Each may open topics and publish, but closes none. */
struct trunk_topic_events {
    /* Of one that was live: nothing that it had counts any more ("epoch"); who has it must re-read. At once, before
     * anything newer is heard, so that nobody can come back with an id from behind it and not know. */
    void (*broken)(void *owner, const char *reason);

    void (*load)(void *owner, const struct trunk_load *load);
    void (*receive)(void *owner, const struct trunk_message *message); /* live: once, in order */

    /* How many of its newest triggers are wanted when it is loaded, 0: none. */
    uint32_t (*history)(void *owner);

    /* Live: what newcomers get is this now. In order with the triggers; but whoever was cut off may hear it again. */
    void (*retain)(void *owner, const struct trunk_message *message);
};

struct trunk_events {
    /* Everything up to this place of the server has been handed on, of all live topics. */
    void (*heard)(void *owner, uint32_t server, uint64_t place);

    /* A server's epoch is another one: cursors of before are of no use. Before any load of it. */
    void (*epoch)(void *owner, uint32_t server);

    /* It cannot be used, and again can: what was not published can be told now. */
    void (*away)(void *owner, uint32_t server);
    void (*here)(void *owner, uint32_t server);
};

struct trunk_item {
    struct bytes topic;      /* "APP:NAME" */
    struct bytes parcel;
    uint32_t history_size;
    uint64_t history_ttl_ms; /* 0: no matter how long; the server keeps it a day without a trigger */
    bool retain;
    bool retain_only;        /* it gets no place; with `retain` */
    uint64_t retain_ttl_ms;  /* 0: no matter how long; the server: seven days */
};

/* In whose name, and what is remembered of it. All may be empty. */
struct trunk_terms {
    struct bytes claim; /* see claims.h; size 0: in nobody's */
    uint64_t fence;
    bool memo_given;
    struct bytes memo;
    struct bytes record; /* the key of what is remembered; size 0: nothing */
    struct bytes record_hash, record_rest;
    uint64_t record_ttl_ms;
};

struct trunk_answer {
    const char *code;   /* NULL: done. "away", "full", "lost", "timeout", "epoch", "fenced", "error" */
    const char *sentence;
    uint32_t server;
    struct bytes again; /* with code NULL: it was done before; the record: hash, places, rest. data NULL: it was not */
    uint64_t newest;    /* the place of the last trigger; 0: there was none */
};

typedef void trunk_done_f(void *owner, const struct trunk_answer *answer);

struct trunk_limits {
    size_t held_messages, held_bytes; /* that wait while something is fetched; 100,000 and 64 MiB: above, their topics
                                         are loaded anew, and told */
};

struct trunk_counters {
    uint64_t published, refused; /* triggers; those whose publishing failed */
    uint64_t received, doubles;
    uint64_t holes, filled;      /* seen; whose triggers all were there */
    uint64_t loads, checks;      /* topics loaded; checked after a server was away */
    uint64_t epochs;
    uint32_t topics;             /* now */
};

struct trunk *trunk_new(struct cluster *cluster, const struct cluster_ports *ports, struct later *later,
                    const struct trunk_limits *limits, const struct trunk_events *events, void *owner);

/* All topics are closed. What was published and is not answered is not heard of any more. */
void trunk_free(struct trunk *trunk);

/* Listens to a topic. */
struct trunk_topic *trunk_topic_open(struct trunk *trunk, struct bytes name,
                                     const struct trunk_topic_events *events, void *owner);
void trunk_topic_close(struct trunk_topic *topic);
bool trunk_topic_live(const struct trunk_topic *topic);

/* Everything is copied. `done` comes later, once; NULL: nobody is interested. All topics must be the server's:
 * trunk_server_of. */
void trunk_publish(struct trunk *trunk, uint32_t server, const struct trunk_item *items, size_t count,
                 const struct trunk_terms *terms, trunk_done_f *done, void *owner);

uint32_t trunk_server_of(const struct trunk *trunk, struct bytes topic);
/* The newest place of the server that this node's publishing was answered with, in the epoch of now. */
uint64_t trunk_newest(const struct trunk *trunk, uint32_t server);

/* Triggers were given up before they were handed over: they count as refused. */
void trunk_note_refused(struct trunk *trunk, size_t count);

const struct trunk_counters *trunk_counters(const struct trunk *trunk);
