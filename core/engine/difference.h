/* difference: what two rules emitted for one event, as lines, and where these differ. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

struct app_emit;
struct event;

struct difference {
    struct buf event; /* "inbox ann: inbound (id 7)" */
    struct buf lines; /* "  " both, "- " only the first, "+ " only the second */
};

/* Appends a line each: topic, type and data; whose tab caused it; what it replaces, how long it
 * waits. */
void difference_add(struct buf *lines, const struct app_emit *emits, size_t count);

void difference_create(struct difference *difference, const struct event *event,
                       struct bytes first, struct bytes second);
void difference_destroy(struct difference *difference);
