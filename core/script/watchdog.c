/* watchdog: see watchdog.h.
 *
 * The handler runs on the thread that runs Lua (SIGEV_THREAD_ID), between two
 * instructions of the interpreter or within a C function. lua_sethook is the one
 * call that LuaJIT allows there (its own stand-alone interpreter does the same for
 * Ctrl-C). It must not meet itself: `busy` is set while the main line disarms.
 *
 * Ticks are counted, not times read: entering and leaving cost two stores each, which
 * a server that enters Lua a million times a second can pay. */
#include "script/watchdog.h"

#include <lua.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "script/raise.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { TICK_MS = 10 };

static struct watch *volatile current;
static volatile sig_atomic_t busy;
static unsigned users;
static timer_t ticker;
static struct sigaction before;
static char stop_mark; /* its address is what the hook raises */

static void note_place(lua_State *L, char *at, size_t size)
{
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (!raise_is_rule(&frame)) continue;
        snprintf(at, size, "%s:%d", frame.short_src, frame.currentline);
        return;
    }
}

static void raise_stop(lua_State *L, lua_Debug *where)
{
    (void)where;
    if (!current->at[0]) note_place(L, current->at, sizeof current->at);
    lua_pushlightuserdata(L, &stop_mark);
    lua_error(L);
}

void watchdog_check(lua_State *L)
{
    if (current && current->_fired) raise_stop(L, NULL);
}

static void tick(int number)
{
    (void)number;
    struct watch *watch = current;
    if (!watch || busy) return;
    if (watch->_ticks_left > 0) {
        watch->_ticks_left--;
        return;
    }
    watch->_fired = true;
    lua_sethook(watch->_L, raise_stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
                1);
}

void watchdog_start(void)
{
    if (users++ > 0) return;
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGVTALRM, &action, &before) == 0);
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGVTALRM;
    event.sigev_notify_thread_id = gettid();
    CHECK(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &ticker) == 0);
    const struct timespec period = {.tv_nsec = TICK_MS * 1000000L};
    const struct itimerspec times = {.it_interval = period, .it_value = period};
    CHECK(timer_settime(ticker, 0, &times, NULL) == 0);
}

void watchdog_stop(void)
{
    CHECK(users > 0);
    if (--users > 0) return;
    timer_delete(ticker);
    sigaction(SIGVTALRM, &before, NULL);
}

void watchdog_enter(struct watch *watch, lua_State *L, uint32_t slice_ms)
{
    watch->_L = L;
    watch->_outer = current;
    watch->_ticks_left = (slice_ms + TICK_MS - 1) / TICK_MS;
    watch->_fired = false;
    watch->at[0] = '\0';
    atomic_signal_fence(memory_order_seq_cst); /* the handler sees a whole watch */
    current = watch;
}

bool watchdog_leave(struct watch *watch)
{
    CHECK(current == watch);
    current = watch->_outer;
    atomic_signal_fence(memory_order_seq_cst);
    if (!watch->_fired) return false;
    busy = 1;
    lua_sethook(watch->_L, NULL, 0, 0);
    busy = 0;
    return true;
}
