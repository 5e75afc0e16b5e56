/* posts: one publisher a room, each with one publish under way, to a node drawn anew each time.
 * What is not acknowledged - refused as 503, a connection that is lost, no answer for PATIENCE_MS -
 * may have been published or not: it is sent again, with the same Idempotency-Key, until it is. So
 * numbers are consecutive, and each is to come once. */
#pragma once

#include <stdint.h>

#include "spec/swarm/swarm.h"

struct posts;

struct posts *posts_new(struct swarm *swarm);
void posts_tick(struct posts *posts);

/* Each room is published to every mean_ms or so; 0: no more. */
void posts_set_every(struct posts *posts, uint32_t mean_ms);

/* One more in each room, as soon as what is under way is acknowledged. */
void posts_last(struct posts *posts);

unsigned posts_under_way(const struct posts *posts);
