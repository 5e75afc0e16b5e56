/* claim_asker: what a node's claims ask of one server. Questions are gathered until the turn's timers have all fired, so
 * that thousands go in few scripts; each has at most one script under way, and is told what it answered, or that
 * nothing came of it. What a question is and what an answer means is its owner's (claims.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "cluster/claim_script.h"
#include "cluster/cluster.h"

struct claim_batch;

/* Embedded in its owner, which finds itself by it. */
struct claim_question {
    struct list _due;
    struct claim_batch *_batch; /* that asks it, or NULL */
    uint32_t _slot;
};

struct claim_asker_events {
    /* It is about to be sent: adds its words. False: it asks nothing any more. Nothing may be asked from within. */
    bool (*write)(struct claim_question *question, struct claim_words *words);

    /* At most one of them, once, later; each may take back any question, this one, too, and free it. The answer is
     * borrowed; sent_us: the clock's when it was sent. */
    void (*answered)(struct claim_question *question, const struct claim_answer *answer, uint64_t sent_us);

    /* No answer came, or one that cannot be read: then redis_answer has a value. */
    void (*failed)(struct claim_question *question, const struct redis_answer *answer);
};

struct claim_asker {
    struct cluster *_cluster;
    struct clock *_clock;
    uint32_t _server;
    const struct claim_asker_events *_events;
    struct list _due;     /* questions that are to be sent */
    struct list _batches; /* under way */
    struct timer _send;
};

void claim_asker_create(struct claim_asker *asker, struct cluster *cluster, struct clock *clock,
                        uint32_t server, const struct claim_asker_events *events);

/* Nobody is told anything any more. */
void claim_asker_destroy(struct claim_asker *asker);

void claim_question_create(struct claim_question *question);

/* It is under way: its answer may not know of what is new. */
bool claim_question_is_under_way(const struct claim_question *question);

/* No answer to it means anything any more. */
void claim_question_take_back(struct claim_question *question);

/* Asked when the turn's timers have fired. Harmless while it waits for that, or is under way. */
void claim_ask(struct claim_asker *asker, struct claim_question *question);

/* What was asked goes out now. */
void claim_asker_send(struct claim_asker *asker);

/* What was asked and is not sent is not asked any more. */
void claim_asker_drop(struct claim_asker *asker);

/* Behind what was sent before, in the same order; what becomes of it is not told. */
void claim_asker_say(struct claim_asker *asker, const struct claim_words *words);
