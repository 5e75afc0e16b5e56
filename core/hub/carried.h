/* carried: a topic whose triggers come by a bus (ports/bus.h), from this node and from others.
 *
 * It is *loaded* or not. What is not loaded knows nothing: no history, nothing retained, and what comes for it is
 * ignored. Loading brings what others had before this node wanted it, without a fan-out; from then on it
 * is live.
 *
 *            topic_load_begin, topic_load …, topic_loaded
 *   NOT LOADED ──────────────────────────▶ LOADED ◀─┐ topic_receive, topic_break
 *       ▲                                    │ └────┘
 *       └─── topic_unload, or the topic goes ┘
 *
 * Ids say what was heard of each server (hub/order.h). So the bus keeps three rules, for each server:
 *   - It hands over triggers in the order of their places, those of all topics of all hubs together: where
 *     one is missing, the whole server waits until the hole is filled, or given up (topic_break).
 *   - It loads a topic up to where the server is heard, neither less nor more: what is newer comes by
 *     topic_receive, after the load.
 *   - It says order_heard when it knows of a place that everything in front of it has come. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "ports/journal.h"

struct topic;

/* Who waits for a topic to be loaded. Embedded in its owner. */
struct topic_waiter {
    struct list _node;
    struct topic *_topic;
    void (*done)(struct topic_waiter *waiter); /* once */
};

/* ---- for who attaches ---- */

bool topic_is_loaded(const struct topic *topic); /* without a bus always */

/* Of one that is not loaded: makes it wanted. `done` comes later, or, where the topic cannot be loaded, never: how long to
 * wait is the caller's. */
void topic_await(struct topic *topic, struct topic_waiter *waiter);
void topic_await_no_more(struct topic_waiter *waiter); /* also when it was called, never when it never waited */

/* ---- for the bus ---- */

/* As long as it is held, so many times as it was not let go of, the topic stays, with what was loaded. */
void topic_hold(struct topic *topic);
void topic_let_go(struct topic *topic);

/* The bus's own record of it; NULL until it is set. */
void *topic_carrier(const struct topic *topic);
void topic_set_carrier(struct topic *topic, void *carrier);
uint8_t topic_server(const struct topic *topic);

/* Begins to load it, or, behind topic_break, to load it anew. `lost`: the newest place of a trigger that is not kept
 * any more; 0: none was. */
void topic_load_begin(struct topic *topic, uint64_t lost);

/* The next of its history, the oldest first; it took its place at this time of the hub's clock. */
void topic_load(struct topic *topic, uint64_t place, const struct emission *emission,
                uint64_t at_ms);

/* What it retains, likewise, if its options say so; also of one that is loaded. */
void topic_load_retained(struct topic *topic, const struct emission *emission, uint64_t at_ms);

/* It is whole. Those who joined it meanwhile are live from here on, and get what it has for newcomers; where it has
 * triggers from behind their join they are told to re-read it ("history"). Those who wait are told. Asks rules. */
void topic_loaded(struct topic *topic);

/* Takes what was loaded away. Nobody has it here. */
void topic_unload(struct topic *topic);

/* A trigger, or a resync, has its place: history, fan-out. One that the topic has already is ignored; one that
 * comes too late for the ids that were given since breaks the topic. */
void topic_receive(struct topic *topic, uint64_t place, const struct emission *emission);

/* A trigger that its server did not take, for this node's subscribers alone: what they have of it is no part of any
 * id, and they are to be told to re-read once the server is back. Retained until the topic is loaded. */
void topic_receive_here(struct topic *topic, const struct emission *emission);

/* What came between is not known: a hole that cannot be filled, a server that began anew. Whoever has the topic is
 * told to re-read it, by an event of its own without a place, and so is who comes back from before what is heard
 * now: in front of what follows a hole, order_heard says up to where the hole goes. Nothing that was loaded stays.
 * What came before is fanned out first, so that nothing of it stands behind the news. Asks rules. */
void topic_break(struct topic *topic, const char *reason);
