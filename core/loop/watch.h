/* watch: a descriptor's readiness. One watcher a descriptor, whose interest is
 * switched between reading, writing, both and none, embedded in what it belongs
 * to (it is most of what an idle stream costs, hence its plainness). */
#pragma once

#include <ev.h>

#include "loop/loop.h"

enum { WATCH_NONE = 0, WATCH_READ = 1, WATCH_WRITE = 2 };

struct watch {
    ev_io _io;
    void (*ready)(struct watch *watch, int events); /* may be set anew at any time */
};

/* Watches for nothing at first. */
void watch_create(struct watch *watch, struct loop *loop, int fd,
                  void (*ready)(struct watch *watch, int events));

/* From now on, calls `ready` whenever one of these is possible. Setting what is set is free. */
void watch_set(struct watch *watch, int events);

/* No call comes after this, nor one already under way in this turn. Before close(2); any number
 * of times. */
void watch_stop(struct watch *watch);

static inline int watch_fd(const struct watch *watch)
{
    return watch->_io.fd;
}
