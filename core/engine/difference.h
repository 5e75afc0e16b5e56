/* difference: what two rules emitted for one event, as lines, and where these differ. What is
 * long is shown in part, and compared in whole. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct app_emit;
struct event;

/* What one call emitted. Zeroed: nothing yet. */
struct emitted {
    struct buf lines; /* bounded: "... and 7 more" stands for the rest */
    uint32_t count, shown;
    uint64_t hash; /* of all of it */
};

/* Adds a line each: topic, type and data; whose tab caused it; what it replaces, how long it
 * waits. */
void emitted_add(struct emitted *emitted, const struct app_emit *emits, size_t count);

/* The call failed. */
void emitted_add_failure(struct emitted *emitted);

bool emitted_equal(const struct emitted *a, const struct emitted *b);
void emitted_destroy(struct emitted *emitted);

struct difference {
    struct buf event; /* "inbox ann: inbound (id 7)" */
    struct buf lines; /* "  " both, "- " only the first, "+ " only the second */
};

/* Nothing more can be added to the two. */
void difference_create(struct difference *difference, const struct event *event,
                       struct emitted *first, struct emitted *second);
void difference_destroy(struct difference *difference);
