/* idempotency: what was answered to whom, so that who asks again with the same id
 * gets the same answer and nothing is done twice. While the first is under way its
 * record stands already, and others can wait at it; if it fails it leaves none.
 *
 * Bounded by time, by number and by bytes: the oldest answers go first. Time is an
 * argument; what an answer is, is the caller's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/dict.h"
#include "base/list.h"

struct idempotency {
    struct dict _records;
    struct list _answered; /* the oldest first */
    uint32_t answers;
    size_t bytes; /* of them */
};

struct idempotency_bounds {
    uint64_t ttl_ms;
    uint32_t count;
    size_t bytes;
};

struct record {
    struct list node;
    uint64_t hash;       /* of what was asked */
    struct bytes answer; /* data NULL: it is under way */
    struct list waiting; /* the callers' own, while it is */
    uint64_t _until_ms;
    uint32_t _key_size;
    char _key[];
};

enum idempotency_found {
    RECORD_NEW,      /* the caller's is the first, and it is under way now */
    RECORD_UNDERWAY, /* another is */
    RECORD_ANSWERED,
    RECORD_OTHER     /* the same id stands for something else */
};

void idempotency_create(struct idempotency *idempotency);

/* Needs that nothing is under way. */
void idempotency_destroy(struct idempotency *idempotency);

/* The record of this id of this asker: found, or made. */
enum idempotency_found idempotency_look(struct idempotency *idempotency, struct bytes asker,
                                        struct bytes id, uint64_t hash, uint64_t now_ms,
                                        struct record **record);

/* It was answered; nobody waits at it any more. The answer is copied; one that is above the bound
 * for bytes alone, or a bound of none, leaves no record. */
void idempotency_answer(struct idempotency *idempotency, struct record *record,
                        struct bytes answer, uint64_t now_ms,
                        const struct idempotency_bounds *bounds);

/* It failed; nobody waits at it any more. */
void idempotency_forget(struct idempotency *idempotency, struct record *record);
