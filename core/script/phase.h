/* phase: what rule code may call where, in one table. */
#pragma once

#include <stdbool.h>

#include "engine/hooks.h"

struct lua_State;

/* Where rule code runs: while its file loads, in a hook, or as a background task of the
 * library's. */
enum phase { PHASE_HOOK = 0, PHASE_LOAD = HOOK_KINDS, PHASE_BACKGROUND, PHASES };

enum call_kind {
    CALL_DECLARE, /* app:topic, :stream, ..., inbox:on */
    CALL_EMIT,    /* handle:emit, :resync */
    CALL_FLUSH,   /* app:flush: not where all or nothing goes out */
    CALL_WAIT,    /* http, redis, time.sleep: what suspends */
    CALL_APP,     /* app:users, :subscribers, :disconnect, :cursor, :presence; handle:subscribers */
    CALL_STORE,
    CALL_SEAT,    /* sub:set, :close, :join, :subscribe, :leave, presence:beat; app:forget */
    CALL_KINDS
};

/* What the table says, for tests that go through all of it. */
bool phase_allows(enum phase phase, enum call_kind kind);
const char *phase_name(enum phase phase); /* "a filter" */

/* The name of a call that waits, as phase_check is given it; NULL behind the last. */
const char *phase_wait(unsigned index);

/* Raises "handle:emit cannot be called in a filter; it can in an event handler, ..." unless the
 * table allows it now. `name` is what the rule wrote; one of a CALL_WAIT stands in the list above. */
void phase_check(struct lua_State *L, enum call_kind kind, const char *name);
