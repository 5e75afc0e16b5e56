/* ledger: what was published, and what each subscriber must therefore be shown.
 *
 * The triggers of a topic are numbered from 1 by their one publisher, which begins a number when
 * the one before was acknowledged. A *place* is where one subscriber is in one topic:
 *
 *   known      all up to `last` has come, so that last + 1 is the only number that may come next
 *   not known  (it has just connected, or was told to re-read the topic): any number above
 *              `last`, but none above `by`, the first that was begun after that
 *
 * Only an *epoch* - a time in which the servers forgot nothing - that is over makes a trigger come
 * again: behind a resync that says so, what had come before it may, once and in order. Nobody tells
 * of an epoch that did not begin. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct topic {
    char name[32];
    uint32_t begun, acked; /* the newest numbers */
};

struct place {
    struct topic *topic;
    uint32_t last, by; /* by: 0 where it is known */
    uint32_t before;   /* what it had when it was last told of an epoch */
    uint32_t again;    /* the newest that came again since */
};

struct ledger {
    uint64_t epoch_ms;    /* when the newest epoch began; 0: there was one only */
    uint64_t said, again; /* taken as good: in their turn, and again across an epoch */
};

/* From now on whatever comes next of the topic is good, if it is not behind what came already. */
void ledger_lose(struct place *place);

/* The same, and what came already may come again. */
void ledger_begin_anew(struct place *place);

enum verdict { LEDGER_GOOD, LEDGER_HOLE, LEDGER_DOUBLE, LEDGER_UNKNOWN };

/* A number came. LEDGER_HOLE: what was due did not, and nobody told; LEDGER_DOUBLE: it had come, or
 * was overtaken; LEDGER_UNKNOWN: nobody has sent it. */
enum verdict ledger_take(struct ledger *ledger, struct place *place, uint32_t number);

/* Is something still to come that was acknowledged, and of which the subscriber was not told? */
bool ledger_misses(const struct place *place);
