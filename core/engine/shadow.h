/* shadow: other rules of a running app, in the shadow of the live ones: they are called
 * for the same events, and what they emit is compared, not delivered.
 *
 *   event ─┬─▶ shadow's handler ─▶ triggers
 *          │                          │
 *          │                       compared ──▶ counters, the last differences
 *          │                          │
 *          └─▶ live handler ─────▶ triggers ──▶ topics
 *
 * The shadow goes first, so that it sees the store as the live rules will see it.
 * Nothing that a shadow does reaches anybody: its requests go through the mirror, its
 * store is one over the app's, its log lines say that they are a shadow's, and its
 * bindings end nobody's stream. It sees the live rules' streams, users and store.
 * What is published over HTTP is such an event, too. Routes, hooks that answer questions, and timers are not called. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/app.h"
#include "engine/hooks.h"
#include "engine/mirror.h"
#include "ports/log.h"

struct generation;
struct publication;
struct store;

/* What a node's shadows are given in the place of its own ports. */
struct shadow_ports {
    struct engine_ports ports;
    struct mirror mirror;
    struct log _log;
    struct log *_real_log;
};

/* Puts the mirror between the live rules and the network: changes live->fetch. */
void shadow_ports_create(struct shadow_ports *shadow, struct engine_ports *live);
void shadow_ports_destroy(struct shadow_ports *shadow);

struct shadow_counters {
    uint64_t events;    /* that both were called for, and that are compared */
    uint64_t different; /* of these */
    uint64_t failed;    /* of these, the shadow's rule failed */
    uint64_t skipped;   /* not called for: too far behind */
};

struct shadow;

/* The app's shadow from now on; takes the reference of the generation. It has none yet. */
struct shadow *shadow_new(struct app *app, struct generation *generation);

/* Gives up what runs, and lets go of the generation. */
void shadow_free(struct shadow *shadow);

const struct shadow_counters *shadow_counters(const struct shadow *shadow);
struct store *shadow_store(struct shadow *shadow);

/* The last differences, for people: the event, and a line each for what only the live rules (-) or
 * only the shadow (+) emitted; lines of both are in between. */
void shadow_differences_each(const struct shadow *shadow,
                             void (*each)(void *ctx, struct bytes event, struct bytes lines),
                             void *ctx);

/* ---- for those who call rules and take what these emit ---- */

/* A live handler is about to be called, or there is none: the shadow's is, unless an earlier event of the
 * key is still with it. `life`: it is an event of the link's own. */
void shadow_event(struct shadow *shadow, const struct event *event, bool life);

/* The same for what was published: one call for all its events. */
void shadow_publication(struct shadow *shadow, const struct publication *publication);

/* The live call for this event, the first of a publication's, has ended, after all that it emitted. */
void shadow_live_ended(struct shadow *shadow, const struct event *event, enum outcome outcome);

/* What a call emitted, live or of the shadow; `event` is the one that it was made for, NULL: none. */
void shadow_emitted(struct shadow *shadow, const struct event *event, const struct app_emit *emits,
                    size_t count);
