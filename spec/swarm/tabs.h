/* tabs: the subscribers. Each is an EventSource (WHATWG HTML, section 9.2): when its stream ends it
 * waits for what `retry:` said and connects again, with its last event id - always to another node,
 * if there is one. It holds all that comes against the ledger, and a stream whose node says nothing
 * is waited for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spec/swarm/swarm.h"

struct tabs;

struct tabs *tabs_new(struct swarm *swarm, unsigned count);

/* From now on the first `count` are there, or come; the others leave for good. None is there at
 * first. */
void tabs_let(struct tabs *tabs, unsigned count);

/* Connects who is due, some at a time, and lets one of them go every cut_every_ms, to come back
 * with its id. */
void tabs_tick(struct tabs *tabs);
void tabs_set_cuts(struct tabs *tabs, uint32_t mean_ms);

unsigned tabs_open(const struct tabs *tabs); /* that had their `ready` */
unsigned tabs_missing(const struct tabs *tabs, char *first,
                      unsigned size); /* places; the first as a sentence */

/* Whose are open? `there` has an entry a user. */
void tabs_users(const struct tabs *tabs, bool *there);
