/* listener: a listening socket, TCP or Unix, whose connections' requests go to one
 * handler. How addresses are written: address.h. */
#pragma once

#include "http/address.h"
#include "http/http.h"
#include "http/socket.h"
#include "loop/watch.h"
#include "ports/exchange.h"

/* Private to the rooms of http/. Owned by the http's list, freed after its last connection. */
struct listener {
    struct http *http;
    struct http_handler *handler;
    struct list node;  /* in http->listeners */
    struct list conns; /* not closed */
    uint32_t held;     /* connections not freed yet */
    uint32_t open;     /* connections not closed yet, */
    uint64_t accepted; /* and all that there were */
    char *name;        /* as the config writes it */
    char *bound;       /* the same with the real port */
    struct address address;
    struct watch watch;
    struct socket_file file; /* what is removed at the end is ours */
    bool closed;
    bool trusted; /* who sends here has been let in by a router of ours */
};

/* Listens; NULL: appends one sentence with the address to `error`. The handler must outlive all
 * exchanges. A Unix socket's file that nobody answers on is replaced. */
struct listener *listener_open(struct http *http, const char *address, struct http_handler *handler,
                               struct buf *error);

/* The same beside others that share the port: see SOCKET_SHARE. */
struct listener *listener_share(struct http *http, const char *address, struct http_handler *handler,
                                struct buf *error);

/* Its requests are `trusted` (ports/exchange.h) from now on. */
void listener_trust(struct listener *listener);

/* Listens on a socket that somebody else opened and listens on; takes it over. Its options and a Unix
 * socket's file are left as they are. NULL: appends one sentence. */
struct listener *listener_take(struct http *http, int fd, const char *address,
                               struct http_handler *handler, struct buf *error);

/* Accepts no more and removes the Unix socket's file. Idle connections are closed now, others
 * after their answer; streams go on until their owners end them. The listener is freed by itself
 * after the last. */
void listener_close(struct listener *listener);

/* Where it listens, with the port that the kernel chose for 0: "127.0.0.1:43121". */
const char *listener_address(const struct listener *listener);

/* Within http/: other limits hold for what is accepted from now on. */
void listener_limit(struct listener *listener);

/* Within http/: closes everything at once; a connection was freed; the listener of a list node. */
void listener_abort(struct listener *listener);
void listener_released(struct listener *listener);
struct listener *listener_at(struct list *node);
