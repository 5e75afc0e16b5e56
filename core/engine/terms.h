/* terms: on which terms what a call of a rule's emits is published, where nodes share a Redis: in whose
 * name (a claim, with its memo), and what is remembered for who asks the same again. All may be absent. Kept by who makes the
 * call until it is done. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

struct terms {
    struct bytes claim; /* its name; size 0: in nobody's */
    uint32_t claim_server;
    uint64_t fence; /* that it was held with when the call began; not a later one */
    /* The memo that goes with it, asked when all that was emitted has been handed over; data NULL, or none
     * to ask: it stays as it is. */
    struct bytes (*memo)(const struct terms *terms);
    struct bytes record; /* the key of what is remembered; size 0: nothing is */
    struct bytes record_hash;
    uint64_t record_ttl_ms;
    /* What else the record holds, once the call has ended with this text. */
    void (*write_rest)(const struct terms *terms, struct bytes result, struct buf *out);
};
