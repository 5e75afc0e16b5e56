/* watchdog: stops Lua code that runs for too long without a pause, also in an
 * endless loop, inside pcall and inside nested coroutines.
 *
 * A timer of this thread's processor time ticks (it stands still while the
 * process sleeps, and a process that is not given the processor loses nothing
 * by it). When the code at hand has used its slice, the signal handler sets a
 * Lua hook that raises at the next instruction, and at every next one until
 * control is back in C, so that no pcall can swallow it. Works on interpreted
 * code only: with the JIT on, a compiled loop checks no hook.
 *
 * One thread of a process may use it. Uses SIGVTALRM. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lua_State;

/* Embedded in the C stack frame that enters Lua; private. */
struct watch {
    struct lua_State *_L;
    struct watch *_outer;
    uint32_t _ticks_left;
    volatile bool _fired;
    char at[100]; /* once it was stopped: where, "rules/posta.lua:12" */
};

/* Counted: the first start arms the timer, the last stop disarms it. */
void watchdog_start(void);
void watchdog_stop(void);

/* Around every entry into Lua; may nest. The slice is rounded up to whole ticks of 10 ms. While an
 * inner one runs, the outer's slice stands still. */
void watchdog_enter(struct watch *watch, struct lua_State *L, uint32_t slice_ms);

/* True: the code was stopped (or was about to be). */
bool watchdog_leave(struct watch *watch);

/* For C functions that run for long: stops the code as the hook would, if its time is over. */
void watchdog_check(struct lua_State *L);
