/* terms: on which terms what a call of a rule's emits is published, where nodes share a Redis: in whose
 * name (a claim, with its memo), and what is remembered for who asks the same again. All may be absent. Kept by who makes the
 * call until it is done. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

struct claim;

struct terms {
    struct claim *claim; /* NULL: in nobody's name */
    struct bytes memo;   /* data NULL: it stays as it is */
    struct bytes record; /* the key of what is remembered; size 0: nothing is */
    struct bytes record_hash;
    uint64_t record_ttl_ms;
    /* What else the record holds, once the call has ended with this text. */
    void (*write_rest)(const struct terms *terms, struct bytes result, struct buf *out);
};
