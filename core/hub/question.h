/* question: an open question about one slot: may this subscriber have it, or what is it (a
 * snapshot). It holds the slot, and what stands behind it, for at most verdict_ms; then the
 * answer is "unknown". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ports/verdict.h"

struct frame;
struct question;
struct slot;
struct subscriber;
struct topic;

/* Asks. PENDING: *question is set, for question_tie or question_drop at once. */
enum verdict question_ask(struct subscriber *subscriber, struct topic *topic, struct frame *frame,
                          struct question **question);

/* Asks for the topic's snapshot, for this slot of the subscriber's queue, which waits from now on, at most until
 * `until_ms` (0: for its full time); the answer is told to snapshot_answered, never before this returns. */
void question_ask_snapshot(struct subscriber *subscriber, struct topic *topic, struct slot *slot,
                           uint64_t until_ms);

/* When it has waited long enough. */
uint64_t question_until(const struct question *question);

/* Whose snapshot is asked for; NULL: it is about a verdict. */
struct topic *question_topic(const struct question *question);

/* The slot, in the queue of the subscriber that was asked about, waits for the answer;
 * `only_count`: only to be counted. */
void question_tie(struct question *question, struct slot *slot, bool only_count);

/* Nobody waits for the answer. */
void question_drop(struct question *question);

/* The slot goes without waiting for its answer; nothing to do if it has no question. */
void question_cancel(struct subscriber *subscriber, struct slot *slot);

/* From now on, the slot is not to be sent, only counted if the answer is yes. */
void question_only_count(struct question *question);
bool question_only_counts(const struct question *question);

void question_free(struct question *question);
