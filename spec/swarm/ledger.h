/* ledger: what was published, and what each subscriber must therefore be shown.
 *
 * The triggers of a topic are numbered from 1 by their one publisher, which begins a number when
 * the one before was acknowledged. A *place* is where one subscriber is in one topic:
 *
 *   known      all up to `last` has come, so that last + 1 is the only number that may come next
 *   not known  (it has just connected, or was told to re-read the topic): any number above `last`,
 * but none above `by`, the first that was begun after it was there, or had been told
 *
 * A number may come again, or late, only across an *epoch* - a time in which the servers forgot
 * nothing -: if it was sent more than once, the epoch in which it was first sent is over, and the
 * subscriber was told since. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct record {
    uint32_t epoch;    /* in which it was sent first */
    uint32_t attempts; /* how often it was sent; more than one: it may have been published twice */
};

struct topic {
    char name[32];
    uint32_t begun, acked; /* the newest numbers */
    struct record *_records;
    uint32_t _room;
};

struct place {
    struct topic *topic;
    uint32_t last, by; /* by: 0 where it is known */
    uint32_t told;     /* the epoch in which it was last told that it knows nothing */
};

struct ledger {
    uint32_t epoch;       /* 1 is the first */
    uint64_t said, again; /* taken as good: in their turn, and again or late across an epoch */
};

/* Begins the next number, which must come to everybody who is there by now. Returns it. */
uint32_t ledger_begin(const struct ledger *ledger, struct topic *topic);

/* The newest number is sent once more, by somebody who does not know what became of it. */
void ledger_again(struct topic *topic);

/* From now on whatever comes next of the topic is good, if it is not behind what came already. */
void ledger_lose(const struct ledger *ledger, struct place *place);

enum verdict { LEDGER_GOOD, LEDGER_HOLE, LEDGER_DOUBLE, LEDGER_UNKNOWN };

/* A number came. LEDGER_HOLE: what was due did not, and nobody told; LEDGER_DOUBLE: it had come, or
 * was overtaken; LEDGER_UNKNOWN: nobody has sent it. */
enum verdict ledger_take(struct ledger *ledger, struct place *place, uint32_t number);

/* Is something still to come that was acknowledged, and of which the subscriber was not told? */
bool ledger_misses(const struct place *place);
