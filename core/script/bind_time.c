/* bind_time: what time it is, and waiting. The time is the core's clock, so that
 * rules under the rig live in its virtual time. */
#include <lauxlib.h>
#include <lua.h>

#include "base/alloc.h"
#include "engine/ports.h"
#include "script/bind.h"
#include "script/task.h"
#include "script/here.h"
#include "script/phase.h"

static struct clock *clock_of(lua_State *L)
{
    return here_ports(L)->clock;
}

/* now(): seconds since 1970, to the millisecond */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)clock_of(L)->wall_ms / 1000);
    return 1;
}

/* monotonic(): seconds that never jump */
static int l_monotonic(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)clock_of(L)->now_ms / 1000);
    return 1;
}

struct sleep {
    struct timer timer;
    struct clock *clock;
    struct task *task;
};

static void wake(struct timer *timer)
{
    task_wake(CONTAINER(timer, struct sleep, timer)->task);
}

static int collect(lua_State *L, void *ctx)
{
    (void)L, (void)ctx;
    return 0;
}

static void release(void *ctx)
{
    struct sleep *nap = ctx;
    clock_cancel(nap->clock, &nap->timer);
    xfree(nap);
}

static const struct wait_ops sleeping = {collect, release};

/* sleep(seconds), then collect() */
static int l_sleep(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    phase_check(L, CALL_WAIT, "time.sleep");
    struct sleep *nap = xcalloc(1, sizeof *nap);
    timer_init(&nap->timer, wake);
    nap->clock = clock_of(L);
    nap->task = here_tasks(L)->running;
    clock_after(nap->clock, &nap->timer, (uint64_t)(seconds * 1000 + 0.5));
    return task_park(L, here_tasks(L), &sleeping, nap);
}

/* The second half of every call that waits. */
static int l_collect(lua_State *L)
{
    return task_collect(L, here_tasks(L));
}

void bind_time(lua_State *L)
{
    static const luaL_Reg functions[] = {{"now", l_now},
                                         {"monotonic", l_monotonic},
                                         {"sleep", l_sleep},
                                         {"collect", l_collect},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, task_park_mark());
    lua_setfield(L, -2, "park_mark");
}
