/* parcel: a trigger on its way from node to node: what it is made of, as bytes. What is absent stays absent,
 * an empty text stays an empty text.
 *
 * Its parts are those of base/netstring.h, in the order of the struct. What a later version adds stands behind, and is
 * not looked at by an earlier one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

struct parcel {
    struct bytes type; /* absent: a resync, whose reason is the data */
    struct bytes data, replaces, user, tag, meta, id; /* data NULL: absent */
    struct bytes node; /* where it comes from, */
    uint64_t cause;    /* and the call that it is of there; 0: none's */
    uint64_t retry_ms;
};

void parcel_write(struct buf *out, const struct parcel *parcel);

/* The parts point into the bytes. False: it is none. */
bool parcel_read(struct bytes bytes, struct parcel *parcel);
