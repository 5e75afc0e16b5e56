/* review: after a reload, the live streams are asked anew which topics they have, by
 * the new rules and a few at a time, so that ten thousand streams are no storm of
 * requests to the app's server. What a stream no longer has it leaves, what is new
 * it joins, and either is told (resync, "reload"). What rules changed of its topics while it
 * lived (engine/changes.h) holds.
 *
 * Of the request that opened a stream, only its path and query are kept. A stream
 * whose rules want to see more of it, or fail, ends with a time to come back: it
 * is let in anew, or refused, by the rules of the day. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "ports/later.h"

struct app;
struct review;
struct seat;

struct reviews {
    struct app *_app;
    struct job _job;
    uint32_t _at;          /* the place in the table of seats to go on from */
    uint32_t _under_way;
    uint32_t _sent_away;   /* since the round began */
};

void reviews_create(struct reviews *reviews, struct app *app);

/* Nothing may be under way any more. */
void reviews_destroy(struct reviews *reviews);

/* The seat's rules are other ones: it is due. */
void review_due(struct seat *seat);

/* It is not asked any more; harmless if it was not. For a seat that ends. */
void review_drop(struct seat *seat);
