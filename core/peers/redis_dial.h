/* redis_dial: the way to a connected socket: to a Unix socket, or to the addresses of a host, one after
 * the other. Nothing blocks: a numeric address needs no look-up, "localhost" is the loopback (RFC
 * 6761, 6.3), and any other name is asked of the system (getaddrinfo) in a thread of its own, whose
 * answer comes to the loop through a pipe. There is no time-out here.
 *
 * A look-up that was given up goes on until the system answers, and is freed then; what is
 * not answered when the process ends is left. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "loop/watch.h"

enum { DIAL_ADDRESSES = 8 };

struct lookup;

struct redis_dial {
    struct loop *_loop;
    struct watch _watch; /* of the socket that connects */
    struct lookup *_lookup;
    struct sockaddr_storage _addresses[DIAL_ADDRESSES];
    int _count, _next;
    int _fd;          /* -1: none */
    char _why[160];   /* of the address before */
    /* Once, never before redis_dial_start returns: the socket, which is the owner's now (non-blocking, close on
     * exec); or -1 and a sentence. */
    void (*done)(struct redis_dial *dial, int fd, const char *why);
    struct timer _soon;
};

void redis_dial_create(struct redis_dial *dial, struct loop *loop,
                       void (*done)(struct redis_dial *dial, int fd, const char *why));

/* Begins: `path` of a Unix socket, or NULL and a host and its port. */
void redis_dial_start(struct redis_dial *dial, const char *path, const char *host, uint16_t port);

/* Gives up what it does, if anything. */
void redis_dial_stop(struct redis_dial *dial);

/* Looks at once whether it is done, for who has a time-out to judge; `done` may be called. */
void redis_dial_look(struct redis_dial *dial);
