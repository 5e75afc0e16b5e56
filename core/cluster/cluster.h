/* cluster: this node among others on the same Redis servers. It has a name of its own for as long as
 * the process lives, says every second that it is alive, and knows of each server whether it can be
 * used, and since when. What is shared through the servers - triggers (trunk.h), links (claims.h), who is
 * there - stands on this: scripts that a server runs as one step, channels, a mailbox for each node.
 *
 * A server is *away* until this node has *entered* it, and again from when its connection is lost:
 *
 *            up                    entered
 *   AWAY ─────────▶ ENTERING ─────────────────▶ HERE
 *    ▲                  │                          │
 *    └── down, silent ──┴──────────────────────────┘
 *
 * A server's *epoch* is a time in which it forgot nothing: it begins when the server's process does
 * (its run_id), and when its data are gone (a flush). Who enters an epoch that it did not know is told
 * `fresh`: nothing that it heard from this server before counts any more. A server that answers a script
 * with another epoch is entered anew, without a new connection.
 *
 * A connection can be there and be dead. So each beat is published to the node's own mailbox, too;
 * if none came back for a while, the server is given up and entered again.
 *
 * Names of keys and channels begin with the prefix; clusters with different prefixes share
 * nothing. Several servers share the names by consistent hashing: cluster_server_of. So all nodes must have the same
 * list of them: who has another one than those that live is not let in, and says so as an error. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/random.h"
#include "ports/redis.h"

enum {
    CLUSTER_SERVERS = 8,
    CLUSTER_BEAT_MS = 1000,
    CLUSTER_SILENT_MS = 4000, /* without a beat of its own: the server is given up */
    CLUSTER_DEAD_MS = 10000,  /* a node that did not say so for so long is taken for dead by the others */
    CLUSTER_NODE_SIZE = 16    /* a node's name: hex digits */
};

struct cluster;
struct cluster_call;

struct cluster_ports {
    struct clock *clock;
    struct random *random;
    struct log *log;
    struct redis_opener *opener;
};

/* Hears what becomes of servers. Embedded in its owner; told in the order of adding. */
struct cluster_watcher {
    struct list _node;
    void (*entered)(struct cluster_watcher *watcher, uint32_t server, bool fresh);
    void (*away)(struct cluster_watcher *watcher, uint32_t server);
    /* May be NULL. A beat came back: it stands behind all that was published up to this place. */
    void (*beat)(struct cluster_watcher *watcher, uint32_t server, uint64_t place);
};

/* A channel that this node listens to while it is here. Embedded in its owner, which finds itself by it. */
struct cluster_channel {
    struct atom *_name;
    uint32_t _server;
    /* It is subscribed, after cluster_listen and each time that the server was entered; messages that
     * were published from now on come. */
    void (*subscribed)(struct cluster_channel *channel);
    void (*message)(struct cluster_channel *channel, struct bytes payload);
};

/* One kind of letters of this node's mailbox (the same on all servers). */
struct cluster_letters {
    struct list _node;
    const char *kind;
    bool always; /* what they say is true in any epoch: they come as long as there is a connection, and not only while
                  * the server is here */
    void (*letter)(struct cluster_letters *letters, uint32_t server, struct bytes payload); /* behind "KIND " */
};

/* A script for the server's Lua: core/cluster/NAME.lua. */
struct cluster_script {
    const char *name, *text, *end;
};

/* NULL: one of the urls is none; a sentence in error. Begins to connect. The prefix is copied. */
struct cluster *cluster_new(const struct cluster_ports *ports, const char *const *urls, size_t count,
                            struct bytes prefix, struct buf *error);

/* Nobody watches or listens any more. Says nothing to anybody; the others find out. */
void cluster_free(struct cluster *cluster);

void cluster_watch(struct cluster *cluster, struct cluster_watcher *watcher);
void cluster_unwatch(struct cluster_watcher *watcher);

/* The name is that behind the prefix: "t:posta:user:ann". Begins at once where the server is here. */
void cluster_listen(struct cluster *cluster, uint32_t server, struct bytes name,
                    struct cluster_channel *channel);
void cluster_unlisten(struct cluster *cluster, struct cluster_channel *channel);

void cluster_letters(struct cluster *cluster, struct cluster_letters *letters);
void cluster_no_letters(struct cluster_letters *letters);

/* Runs a script, which the server was given when it was entered. It gets KEYS[1] = the prefix, and as
 * ARGV the epoch of this server as the node knows it, then the arguments. A script begins with a look
 * at the epoch (core/cluster/epoch.lua): if it is another one it does nothing, and the answer is the
 * error "epoch" (a code beside those of ports/redis.h); the server is entered anew by itself. "fenced" is
 * another code: what was to be done in a claim's name was refused. Where the server is not here the answer is
 * "away". `done` comes later, once. */
struct cluster_call *cluster_run(struct cluster *cluster, uint32_t server,
                                 const struct cluster_script *script, const struct bytes *arguments,
                                 size_t count, redis_done_f *done, void *owner);
void cluster_cancel(struct cluster_call *call);

/* It cannot be used as it is: both connections are given up and made again, after a while. */
void cluster_restart(struct cluster *cluster, uint32_t server, const char *why);

/* A beat now, unless one is on its way: it says how far the server is. */
void cluster_hasten_beat(struct cluster *cluster, uint32_t server);

/* Something came of another epoch: the server is away, and entered anew without another connection. */
void cluster_reenter(struct cluster *cluster, uint32_t server, const char *why);

/* What befell a server, as this node saw it. */
struct cluster_counters {
    uint64_t entered, aways; /* it became usable, and was so no more */
    uint64_t epochs;         /* of the former, those that began anew */
};

/* ---- queries ---- */

uint32_t cluster_servers(const struct cluster *cluster);
const char *cluster_identity(const struct cluster *cluster, uint32_t server); /* its url, without credentials */
uint64_t cluster_beat_age_ms(const struct cluster *cluster, uint32_t server); /* since the last came back */
struct bytes cluster_refusal(const struct cluster *cluster, uint32_t server); /* why beats are; empty: they are taken */
const struct cluster_counters *cluster_counters(const struct cluster *cluster, uint32_t server);
const struct redis *cluster_redis(const struct cluster *cluster, uint32_t server); /* for who asks how it stands */
bool cluster_evicts(const struct cluster *cluster, uint32_t server); /* it may drop keys, said as it was entered */
uint32_t cluster_server_of(const struct cluster *cluster, struct bytes name);
bool cluster_here(const struct cluster *cluster, uint32_t server);

/* All are here, and the last beat came back from each in time: for /ready. */
bool cluster_is_ready(const struct cluster *cluster);
struct bytes cluster_node(const struct cluster *cluster);

/* The name of the epoch, as scripts know it, and the secret that the nodes share in it; both empty until the server was
 * entered for the first time. */
struct bytes cluster_epoch(const struct cluster *cluster, uint32_t server);
struct bytes cluster_secret(const struct cluster *cluster, uint32_t server);

/* What the server said when it was entered: the place at which the epoch began. */
uint64_t cluster_start(const struct cluster *cluster, uint32_t server);
