/* streams: N open SSE streams, about 110 bytes each: opened a few at a time, then read and
 * counted for as long as the loop turns. A stream that the server closes or answers
 * with anything but 200 ends the program with a sentence: a figure from fewer
 * streams than asked for would be a wrong one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "latency.h"
#include "loop.h"
#include "net.h"
#include "request.h"

struct stream;

struct streams {
    struct loop *loop;
    struct net_targets targets;
    struct request request;  /* its path may hold %d: the stream's number, from 0 */
    unsigned await_ready;    /* a stream is open at its `ready` event, not at its first byte */
    unsigned sample_every;   /* every how many reads the latency of one delivery is taken */
    struct latency *latency; /* NULL: none is */
    void (*on_data)(unsigned number, const char *line, size_t length); /* each data line of the
                                                                          stream of this number,
                                                                          or NULL */

    struct stream *_all;
    unsigned _begun, _open, _unsampled;
    uint64_t deliveries, resyncs, bytes; /* since streams_reset */
};

/* Opens `count` streams and returns when all are open. The fields above `_all` are the
 * caller's to set, the rest zero. */
void streams_open(struct streams *streams, unsigned count);

/* Sets the counters and the histogram to zero. */
void streams_reset(struct streams *streams);

/* Turns the loop until `deliveries` have come. Dies when nothing comes for 30 s: with
 * how many are missing, and how many resyncs came in their place. */
void streams_await(struct streams *streams, uint64_t deliveries);
