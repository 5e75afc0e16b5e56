/* phase: what rule code may call where, in one table. */
#pragma once

#include "engine/hooks.h"

struct lua_State;

/* Where rule code runs: while its file loads, in a hook, or as a background task of the
 * library's. */
enum phase { PHASE_HOOK = 0, PHASE_LOAD = HOOK_KINDS, PHASE_BACKGROUND, PHASES };

enum call_kind {
    CALL_DECLARE, /* app:topic, :stream, ..., inbox:on */
    CALL_EMIT,    /* handle:emit, :resync, app:flush */
    CALL_WAIT,    /* http, time.sleep: what suspends */
    CALL_APP,     /* app:users, :subscribers, :disconnect, :cursor; handle:subscribers */
    CALL_STORE,
    CALL_SEAT,    /* sub:set, sub:close */
    CALL_KINDS
};

/* Raises "handle:emit cannot be called in a filter; it can in an event handler, ..." unless the
 * table allows it now. `name` is what the rule wrote. */
void phase_check(struct lua_State *L, enum call_kind kind, const char *name);
