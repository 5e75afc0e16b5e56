/* ingest: events that are published over HTTP, from the request to its answer.
 *
 *   request ─▶ who is it? ─▶ read ─▶ too many? ─▶ asked before? ─▶ its turn ─▶ handlers ─▶ answer ─▶ fan-out
 *                 │            │          │             │               │            │
 *              40x, 503       4xx        429        that answer,     429, 503    500, 422
 *                                                   or wait for it
 *
 * Where nodes share a Redis, "asked before" is asked there as well, behind its turn (ingest_once.c).
 *
 * A publish whose handlers run goes on when its publisher goes away, so that its answer is there for
 * who asks again; before, it is given up. Which ingest it is stays with its name: handlers are those
 * of the rules that run when its turn has come. */
#pragma once

#include <stdint.h>

#include "base/list.h"

struct app;
struct exchange;
struct pattern_match;
struct plan_ingest;

/* Lines of publishers and kept answers, by the ingest's name. The app's: they survive reloads. */
struct ingests {
    struct app *_app;
    struct list _intakes;
};

void ingests_create(struct ingests *ingests, struct app *app);

/* Needs that nothing is under way: publishes count as visits. */
void ingests_destroy(struct ingests *ingests);

/* The app has other rules: what is kept for ingests that they do not declare goes. */
void ingests_swap(struct ingests *ingests);

/* Takes the exchange, and the match (which it destroys). */
void ingest_request(struct app *app, const struct plan_ingest *ingest, struct exchange *exchange,
                    struct pattern_match *match);
