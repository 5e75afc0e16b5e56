/* redis_conn: one connection to a Redis server: dialled, and *ready* when the server has taken who we are
 * and has the database. Words go out as commands, in one write a round of jobs; values come in.
 *
 *            start            dialled, greeted            every answer is good
 *   CLOSED ─────────▶ DIALLING ────────▶ GREETING ────────────────────────▶ READY
 *     ▲                   │                  │                                │
 *     └─ stop, or `lost` ─┴──────────────────┴────────────────────────────────┘
 *
 * The greeting is AUTH, CLIENT SETNAME sluice, SELECT, ROLE (where only a master will do) and PING, in
 * one write; DIALLING and GREETING have the connect time-out together.
 *
 * Its events come from within the loop's callbacks and from redis_conn_look, never from another
 * function here. From each of them it may be stopped and started, but not freed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "peers/redis_dial.h"
#include "peers/redis_values.h"

enum {
    REDIS_CONN_TURN_BYTES = 1 << 20, /* read in a turn: then others have theirs */
    REDIS_CONN_LATE_MS = 100         /* a timer that is later than this says that we slept */
};

/* Where and who; the texts are the owner's, and stay. */
struct redis_place {
    const char *path; /* of a Unix socket, or NULL: */
    const char *host;
    uint16_t port;
    const char *user, *password; /* NULL: none */
    int database;
    bool master; /* only one will do */
};

struct redis_conn;

struct redis_conn_events {
    void (*ready)(struct redis_conn *conn);
    /* Of READY. The value lives in the arena; hold it to keep it. */
    void (*value)(struct redis_conn *conn, const struct redis_value *value, size_t size,
                  struct arena *arena);
    /* It is CLOSED. `code`: "lost", "timeout" or "refused" (the server does not take user and password). What the
     * socket had was handed over before. */
    void (*lost)(struct redis_conn *conn, const char *code, const char *why);
};

enum redis_conn_state { REDIS_CONN_CLOSED, REDIS_CONN_DIALLING, REDIS_CONN_GREETING, REDIS_CONN_READY };

struct redis_conn {
    enum redis_conn_state state;
    const struct redis_conn_events *_events;
    struct loop *_loop;
    struct arenas *_arenas;
    struct redis_dial _dial;
    struct redis_place _place;
    struct redis_reader _reader;
    struct watch _watch;
    struct job _flush;
    struct timer _limit; /* of the way to READY */
    uint64_t _timeout_ms;
    bool _excused; /* the timer was late: we slept, and it was set again */
    bool _held, _reading;
    struct buf _out;
    size_t _sent; /* of _out */
    int _fd;
    uint8_t _greetings[5]; /* what was said, by its answer's place */
    uint8_t _said, _heard;
};

void redis_conn_create(struct redis_conn *conn, struct loop *loop, struct arenas *arenas,
                       const struct redis_conn_events *events);

void redis_conn_start(struct redis_conn *conn, const struct redis_place *place,
                      uint64_t timeout_ms);
void redis_conn_stop(struct redis_conn *conn); /* any number of times; no event comes any more */

/* The same, and what has not reached the server's machine by now never will. */
void redis_conn_drop(struct redis_conn *conn);

/* READY: sends a command; returns its bytes. */
size_t redis_conn_send(struct redis_conn *conn, const struct bytes *words, size_t count);
size_t redis_conn_command_size(const struct bytes *words, size_t count);

/* Reads nothing more for a while, and goes on. */
void redis_conn_hold(struct redis_conn *conn, bool held);

/* Reads what the socket has, before somebody judges that it has nothing. False: there may be more. */
bool redis_conn_look(struct redis_conn *conn);
