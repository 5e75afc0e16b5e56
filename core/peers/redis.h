/* redis: the port ports/redis.h over sockets and hiredis' reader: for each opened server a connection for
 * commands and one for channels, which are lost and made again together:
 *
 *             retry          sentinels: found        both ready
 *   WAITING ─────────▶ ASKING ─────────────▶ CONNECTING ─────────▶ STANDING
 *     ▲      (redis://, unix://: CONNECTING at once)  │                │
 *     └───────────────────────────────────────────────┴────────────────┘ lost, timeout, restart
 *
 * Of hiredis 0.14 only the reader is used. Its contexts look names up where they connect, and wait for the answer; its
 * async one calls everything that waits as it is freed; and each of their answers is a tree of mallocs.
 *
 * A wait for the next try is uniform in [0, 100 ms * 2^failures], at most 5 s, and counts anew after 10 s of
 * standing. A server that does not take user and password is told to the log once, as an error;
 * others that cannot be had, once, as a warning.
 *
 * Time-outs are the server's silence, not ours: who was stopped, or had a long turn, reads first
 * what the sockets have, and if a timer came late the server gets some time more, once.
 *
 * With sentinels both connections ask for their ROLE, and an answer READONLY gives them up: the
 * master is another one by then. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "ports/redis.h"

enum {
    REDIS_PEER_CONNECT_MS = 3000, /* to the end of the greeting */
    REDIS_PEER_TIMEOUT_MS = 2000, /* of the oldest command, or subscription, that waits */
    REDIS_PEER_CALLS = 65536,     /* that wait, of one server: more are "full" */
    REDIS_PEER_BYTES = 64 << 20,  /* of the commands that wait, likewise */
    REDIS_PEER_UNTOLD_BYTES = 8 << 20 /* that were read and are not told: no more is read */
};

struct redis_peer_limits {
    uint64_t connect_timeout_ms, timeout_ms; /* 0: the standard above, */
    size_t calls, bytes;                     /* of these likewise */
    bool idle; /* what is opened stays away: urls are looked at, nothing is connected to */
};

struct redis_opener *redis_peer_new(struct loop *loop, const struct redis_peer_limits *limits);

/* All that was opened is closed. */
void redis_peer_free(struct redis_opener *opener);

/* For what begins from now on, of those that are open, too. */
void redis_peer_limit(struct redis_opener *opener, const struct redis_peer_limits *limits);

/* How one of the opened servers stands, and what it was since it was opened. */
struct redis_peer_status {
    const struct redis *redis; /* which it is */
    const char *server; /* the url, without user and password; valid while it is open, */
    const char *why;    /* and why it is not up, or was not the last time; "": it was never */
    const char *state;  /* "waiting", "asking", "connecting", "up" */
    uint64_t ups, losts;         /* the latter: of those that were up, ended by anything but a close */
    uint64_t failures;           /* tries that did not come so far */
    uint64_t timeouts;           /* of both, those by silence */
    uint64_t commands, errors;   /* sent; answered with an error of the server's */
    uint64_t refused;            /* "away" and "full" */
    uint64_t messages;
    uint64_t calls, bytes;       /* that wait now */
    uint64_t untold_bytes;       /* read, and not told yet */
};

/* The one at `index` of those that are open, in their order; false: there are no more. */
bool redis_peer_status(const struct redis_opener *opener, size_t index,
                       struct redis_peer_status *status);

/* That of one that is open. */
void redis_peer_status_of(const struct redis_opener *opener, const struct redis *redis,
                          struct redis_peer_status *status);
