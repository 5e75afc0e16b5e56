/* snapshot: how a topic stands, made by the rules for one subscriber that gets the topic
 * without knowing what came before (hub/newcomer.h); for one that is told to re-read
 * everything, or joins while it lives.
 *
 * The subscriber has joined already, and takes a slot in its queue before anybody is asked:
 * so what happens from the join on stands behind that slot, and waits for it like for
 * an open verdict (hub/question.h). What comes may be in the snapshot already, but nothing is in
 * neither.
 *
 *   offered ─▶ slot held ─answer──────▶ one frame of all its events, without id
 *                        ├─nothing────▶ the slot is dropped
 *                        ├─not known, late ─▶ resync {"reason":"snapshot"} in its place
 *                        ├─overflow───▶ dropped; the lagged resync names the topic
 *                        └─reload, app:forget─▶ asked again, also when it is filled and not sent
 *
 * Filters and audiences have no say in it: it is made for this subscriber. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct snapshot;
struct subscriber;
struct topic;

/* Takes the slot and asks. */
void snapshot_offer(struct subscriber *subscriber, struct topic *topic);

/* The answer for the slot at `index`, whose question is taken away already. */
void snapshot_answered(struct subscriber *subscriber, uint32_t index, struct topic *topic,
                       const struct snapshot *snapshot);

/* The slot at `index` was asked about, or filled, by earlier rules, or before what its audience had answered was
 * taken back. `in_time`: what is asked has no more time than it had, so that nobody can be held for ever. */
void snapshot_renew(struct subscriber *subscriber, uint32_t index, bool in_time);
