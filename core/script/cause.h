/* cause: what explain is told of a call: which function ran for what, what became
 * of it, and that it is the cause of what it emits. A call is noted when it is
 * known to matter: at its beginning if it handles an event, else when it emits or
 * fails. Questions - who is it, may it have this - leave no note, not even failed
 * ones, which the log has: one of them a subscriber would push out all the rest. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct running;

void cause_begin(struct running *running);

/* The call goes on to the next of its events, which is noted by itself. */
void cause_next(struct running *running);

/* What explain knows it by, for what it emits; 0: it does not, as the calls of shadow rules. */
uint64_t cause_of(struct running *running);

/* How it ended; `dropped`: nobody waits for it any more. */
void cause_returned(struct running *running);
void cause_failed(struct running *running, struct bytes error);
void cause_dropped(struct running *running);
void cause_unheard(struct running *running, const char *why); /* what it emitted was not published */
