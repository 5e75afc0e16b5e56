/* source: the upstream that the nodes have links to: GET /feed/USER is a stream of that user's
 * events, numbered from 1, of which it keeps all: Last-Event-ID goes on from there, and who comes
 * without begins with what is new. At any moment one link a user is what there may be; two are an
 * overlap, which is a fault unless somebody who held one is stopped. *
 * It is the app's server, too, that is told what a user has read: POST /read/USER/ROW, rows being
 * the numbers of events. A row below one that it took is a fault; the same again is counted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spec/swarm/swarm.h"

struct upstream;

struct upstream *upstream_new(struct swarm *swarm);
unsigned upstream_port(const struct upstream *upstream);
void upstream_tick(struct upstream *upstream);

/* Each user has an event every mean_ms or so; 0: none any more. */
void upstream_set_every(struct upstream *upstream, uint32_t mean_ms);

/* One more event for each. */
void upstream_last(struct upstream *upstream);

/* From now on two links of one user are no fault, or they are. */
void upstream_excuse(struct upstream *upstream, bool excused);

/* Cuts so many links, at random. */
void upstream_cut(struct upstream *upstream, unsigned count);

/* One in so many POSTs is refused as 503, and counts as not taken; 0: none. */
void upstream_refuse(struct upstream *upstream, uint32_t one_in);

/* Users who have not read their newest event. */
unsigned upstream_unread(const struct upstream *upstream, char *first, unsigned size);

/* Users who have a link; links beyond the first, of all users. */
unsigned upstream_linked(const struct upstream *upstream);
unsigned upstream_doubled(const struct upstream *upstream);
