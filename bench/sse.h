/* sse: counts Server-Sent Events in a body that arrives in pieces (WHATWG HTML, section
 * 9.2.6): a block with a `data` field is an event, a block without one (heartbeats,
 * comments, `retry:`) is not. Events named `ready` and `resync` are sluice's own words
 * to a client and are counted apart, so that they never pass for deliveries.
 *
 * It is no full parser: it keeps no data, it only counts, 40 bytes a stream. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "line.h"

struct sse {
    struct line line;
    uint8_t has_data;
    uint8_t name;
};

struct sse_counts {
    uint64_t events; /* with data, `ready` and `resync` left out */
    uint64_t readies;
    uint64_t resyncs;
    const char *data; /* the last data field that lay in the piece whole, or NULL */
    size_t data_length;
    void (*on_data)(void *ctx, const char *line, size_t length); /* each data line, or NULL; of one
                                                                    that was cut, LINE_HEAD bytes */
    void *ctx;
};

/* Reads a piece and adds what it completes to the counts. */
void sse_feed(struct sse *sse, const char *piece, size_t length, struct sse_counts *counts);
