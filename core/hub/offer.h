/* offer: one trigger meets one subscriber: is it its own echo, may it have it,
 * where does it stand in the queue. And what happens when the queue is full: the
 * subscriber lags, what it was permitted and will not get is counted, and one
 * resync says the number. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hub/queue.h"
#include "ports/verdict.h"

struct atom;
struct subscriber;
struct topic;

/* Whether the trigger is an echo of this tab that it is not to see. */
bool offer_is_echo(const struct subscriber *subscriber, const struct atom *tag,
                   const struct frame *frame);

/* Verdict and slot; the echo is judged. May call the verdict port, and with it rules. `room` is a
 * guess how many slots come. */
void offer_trigger(struct subscriber *subscriber, struct topic *topic, struct frame *frame,
                   uint32_t room);

/* The verdict of the topic is known to be yes: a stale subscriber is told. */
void offer_told(struct subscriber *subscriber, struct topic *topic);

/* A frame of the hub's own (SLOT_RESYNC or SLOT_CONTROL); takes the reference. */
void offer_control(struct subscriber *subscriber, enum slot_kind kind, struct frame *frame);

/* A slot for the topic's snapshot, still without a frame. NULL: there is no room, or it is gone; one that lags is
 * told of the topic. The slot is good until the next call. */
struct slot *offer_place(struct subscriber *subscriber, struct topic *topic);

/* What comes of such a slot: a frame of this kind, or with NULL nothing. */
void offer_settled(struct subscriber *subscriber, uint32_t index, enum slot_kind kind,
                   struct frame *frame);

/* The late verdict on the slot at `index`, whose question is taken away already. One that had replaced
 * another, and is not permitted any more, is told of: the client has neither. */
void offer_answered(struct subscriber *subscriber, uint32_t index, enum verdict verdict,
                    bool only_count);
