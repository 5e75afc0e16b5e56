/* sink: where a subscriber's bytes go: an HTTP/1.1 connection, an HTTP/2
 * stream, a client in memory. A sink buffers nothing of its own beyond the
 * kernel's socket; what it did not take stays in the subscriber's queue. */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct sink;

/* What a sink tells its owner. Neither is called from within write or close. */
struct sink_events {
    void (*writable)(void *owner);              /* after a write that took less than all */
    void (*gone)(void *owner, const char *why); /* the peer closed or failed; once, then nothing
                                                   more; the sink is freed by itself. "stalled":
                                                   the peer took nothing for too long */
};

struct sink_ops {
    /* Takes up to all of the bytes in one system call; returns how many. Less than all: the
     * sink calls `writable` once when it can take more. Never -1: a broken socket takes
     * nothing and calls `gone` later. */
    size_t (*write)(struct sink *sink, const struct iovec *pieces, int count);

    /* Ends the stream cleanly after what was taken. No event comes after it; the sink is
     * freed by itself. `why` is a static word for the log. */
    void (*close)(struct sink *sink, const char *why);
};

struct sink {
    const struct sink_ops *ops;
    const struct sink_events *events; /* set by the owner, with `owner`, when it takes the sink */
    void *owner;
};
