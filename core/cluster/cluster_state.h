/* cluster_state: what a cluster is made of, for its rooms: cluster.c (who watches, listens and asks), entering.c (how
 * a server becomes usable and is lost), running.c (scripts, and the beat). */
#pragma once

#include "base/dict.h"
#include "base/list.h"
#include "cluster/cluster.h"
#include "cluster/scripts.h"

enum { SHA_SIZE = 40 };

/* What each question begins with, so that it can be freed where no answer comes any more. */
struct asked {
    struct list node;
    struct server *server;
    uint32_t conversation;
};

enum server_state { SERVER_AWAY, SERVER_ENTERING, SERVER_HERE };

struct server {
    struct cluster *cluster;
    uint32_t index;
    char *identity; /* what all nodes call it: its url without the credentials */
    struct redis *redis;
    enum server_state state;
    uint32_t conversation; /* counts: answers of an earlier one are dropped */
    uint32_t open_answers; /* of the conversation at hand */
    bool mailbox;          /* is subscribed */
    bool fresh;
    bool evicts;           /* so it said the last time that it was entered */
    struct buf epoch, secret;
    uint64_t start;
    struct list asked;    /* struct asked: what was asked and is not answered yet */
    struct dict channels; /* by their whole names */
    struct timer tick;
    uint64_t ticked_ms, heard_ms, beats;
    bool beating; /* one is on its way */
    struct buf refused; /* why the last one was, in the words of Redis; empty: it was taken */
    struct buf said; /* to the log, why it cannot be used, and when */
    uint64_t said_ms;
    struct cluster_counters counters;
};

struct cluster {
    struct cluster_ports ports;
    struct buf prefix;
    char node[CLUSTER_NODE_SIZE + 1];
    char list[17]; /* names the list of servers, the same on all nodes that share names out alike */
    struct list watchers, letters;
    char shas[SCRIPTS][SHA_SIZE];
    uint32_t count;
    struct server servers[CLUSTER_SERVERS];
};

static inline uint64_t cluster_now(const struct cluster *cluster)
{
    return cluster->ports.clock->now_ms;
}

/* ---- entering.c ---- */

/* What a server is given to tell. */
extern const struct redis_events server_events;

/* Ends what was: tells who watches, if it was here. */
void server_leave(struct server *server, const char *why);

/* It cannot be used as it is: told to the log, the same once a minute; it is given up, and had again after a while. */
void server_give_up(struct server *server, const char *why);

/* Begins to make it usable; its connections stand. */
void server_enter(struct server *server);

/* ---- cluster.c ---- */

void server_tell_entered(struct server *server);
void server_tell_away(struct server *server);
void server_tell_beat(struct server *server, uint64_t place);
void server_subscribe_all(struct server *server);
void server_mailbox_name(const struct cluster *cluster, struct buf *out);
bool server_is_mailbox(const struct cluster *cluster, struct bytes channel);
void server_take_letter(struct server *server, struct bytes letter);

/* A question of `size` bytes, and its end. */
void *asked_new(struct server *server, size_t size);
void asked_free(struct asked *asked);

/* ---- running.c ---- */

/* The first beat; the others follow until server_quiet. */
void server_beat(struct server *server);
void server_quiet(struct server *server);
void server_hear_beat(struct server *server, struct bytes payload);
void server_on_tick(struct timer *timer);
