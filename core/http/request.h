/* request: the half of a connection that reads requests and has them answered:
 * states READING, ANSWERING and LINGERING. One request at a time; what a client
 * sends ahead waits, in the socket and in one buffer. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "http/conn.h"
#include "http/http1.h"
#include "ports/exchange.h"

/* A request's part of a connection. Owned by the connection, or spare. */
struct request {
    struct exchange exchange;
    struct conn *conn;
    struct http1 *http1;
    struct timer timer; /* READING, SENDING, LINGERING */
    struct job resume;  /* what was sent ahead has its turn */
    struct list spare;
    struct buf ahead;  /* read, and belongs to later requests */
    struct buf unsent; /* what the socket did not take of the answer */
    size_t unsent_from;
    uint8_t phase;   /* the http1_state that the timer stands for */
    bool processing; /* its requests are being taken up the stack */
    bool continued;  /* 100 was sent */
    bool closing;    /* the answer at hand is the last */
    bool lingering;  /* ... and not all was read */
    bool is_head;
    char address[INET6_ADDRSTRLEN]; /* the peer's */
    char client[PROXIES_ADDRESS_BYTES];
};

/* Starts the connection: reads at once, since a request mostly comes with the connection. */
void request_begin(struct conn *conn, const struct sockaddr *peer);

/* Called by reply.c: the answer is out. The next request, or the end. */
void request_answered(struct conn *conn);

/* The listener closes: an idle connection is closed, another one after its answer. */
void request_drain(struct conn *conn);

/* The exchange becomes a stream: gives the request back. Also the last step of conn_reap. */
void request_release(struct conn *conn);

/* Called by conn.c: the connection is closed; later, tell the handler if it still was to answer. */
void request_end(struct conn *conn);
void request_tell_gone(struct conn *conn);

void request_free_spare(struct http *http);
