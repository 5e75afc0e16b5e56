/* conn: one accepted connection, from accept(2) to its end.
 *
 *             answer                    send_answer: not all was taken
 *   READING ──────────▶ ANSWERING ─────────────────────────────────────▶ SENDING
 *    ▲   │                │    │                                            │
 *    │   │ refuse         │    │ all was taken                 reply_resume │
 *    │   ▼                │    ▼                                            │
 *    │  (an error) ───────┼─▶ request_answered ◀────────────────────────────┘
 *    │                    │    │   │   │
 *    └── keeps alive ─────┼────┘   │   └── refused half-read: linger ──▶ LINGERING
 *                         │        │ the last answer                        │
 *            stream_begin │        ▼                                        │
 *                         │     CLOSED ◀──── end of file, LINGER_MS ────────┘
 *                         ▼        ▲
 *                     STREAMING ───┘ conn_close: the owner closes, the peer closes
 *
 * Any state becomes CLOSED when the peer closes or the connection breaks; READING
 * and SENDING also when the peer takes too long. READING, ANSWERING and LINGERING
 * are request.c's, SENDING is reply.c's, STREAMING is stream.c's, CLOSED is here.
 * LINGERING reads what a refused client still sends, bounded, lest the kernel
 * answer it with a reset that overtakes the refusal (RFC 9112 section 9.6).
 *
 * An idle stream is this struct and nothing else; what only a request needs is in
 * struct request, and is given back when the stream begins. */
#pragma once

#include "http/listener.h"
#include "loop/watch.h"
#include "ports/sink.h"

enum conn_state {
    CONN_READING,
    CONN_ANSWERING,
    CONN_SENDING,
    CONN_LINGERING,
    CONN_STREAMING,
    CONN_CLOSED,
};

struct request;
struct stream_head;

/* Owned by its listener's list, then by the http's list of the dead. */
struct conn {
    struct sink sink; /* of a stream */
    struct watch watch;
    struct listener *listener;
    struct list node;
    struct kind *place; /* among its address's connections, or NULL */
    union {
        struct request *request;  /* until a stream begins */
        struct stream_head *head; /* STREAMING: not sent yet, or NULL */
        const char *why;          /* CLOSED stream: for its owner */
    };
    uint32_t ignored_bytes; /* read and thrown away */
    uint8_t state;          /* enum conn_state */
    bool is_stream;
    bool blocked; /* a stream's socket took less than all; waits to be writable */
    bool wanted;  /* the stream's owner knows, and waits for `writable` */
};

/* A new connection on an accepted, non-blocking descriptor; takes it over. The caller goes on
 * with request_begin. */
struct conn *conn_new(struct listener *listener, int fd);

/* The one way to close: from anywhere, any number of times. The descriptor is closed at once;
 * whoever answers or streams is told, and the memory freed, at the end of the turn. `why` is a
 * static word. */
void conn_close(struct conn *conn, const char *why);

/* Frees what was closed: a job, run by the loop. */
void conn_reap(struct job *job);

static inline struct http *conn_http(const struct conn *conn)
{
    return conn->listener->http;
}

static inline int conn_fd(const struct conn *conn)
{
    return watch_fd(&conn->watch);
}
