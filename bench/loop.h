/* loop: the epoll loop of the benchmark's programs: one thread, one epoll descriptor.
 *
 * A source is embedded in whatever owns the descriptor, so that a connection
 * costs its own struct and nothing beside it. Registration is edge-triggered for
 * what only reads (a short read says that the socket is empty, and no second call
 * asks again) and is the caller's choice otherwise.
 *
 * Not a general event loop: no timers, no wake-ups from other threads. The bench
 * programs do not share core/'s loop, so that what is measured and what measures
 * have nothing in common. */
#pragma once

#include <stdint.h>

struct source {
    void (*ready)(struct source *source, uint32_t events);
    int fd;
};

struct epoll_event;

struct loop {
    int epoll_fd;
    struct epoll_event *_batch; /* what is left of the turn's events */
    int _left;
};

void loop_create(struct loop *loop);

/* Watches fd, which becomes the source's. `events` are EPOLLIN, EPOLLOUT, EPOLLET. */
void loop_add(struct loop *loop, struct source *source, int fd, uint32_t events);

/* Closes the descriptor, which ends its watching. A handler may close any source, which may be
 * freed at once: what this turn still holds of it is dropped. */
void loop_close(struct loop *loop, struct source *source);

/* Waits up to timeout_ms (-1: for ever) and calls the ready ones. Returns how many. */
int loop_turn(struct loop *loop, int timeout_ms);
