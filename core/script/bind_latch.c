/* bind_latch: how the library's tasks wait for each other, and how it starts some
 * of its own. A latch is opened once; whoever waits for it, or comes later, goes
 * on. */
#include <lauxlib.h>
#include <lua.h>

#include "base/alloc.h"
#include "engine/ports.h"
#include "script/bind.h"
#include "script/call.h"
#include "script/handle.h"
#include "script/here.h"
#include "script/phase.h"
#include "script/vm.h"

struct latch {
    struct handle handle;
    bool open;
    struct list waiting; /* of struct wait; a wait keeps its latch on the coroutine's stack */
};

struct wait {
    struct list node;
    struct timer timer;
    struct clock *clock;
    struct task *task;
    bool opened;
};

static int l_open(lua_State *L);
static int l_wait(lua_State *L);

static const struct handle_member members[] = {
    {"open", 0, l_open}, {"wait", 0, l_wait}, {NULL, 0, NULL}};
static const struct handle_kind kind = {"latch", members, NULL, HANDLE_LATCH};

static int l_latch(lua_State *L)
{
    struct latch *latch = handle_new(L, &kind, sizeof *latch);
    list_create(&latch->waiting);
    return 1;
}

static void wake(struct wait *wait)
{
    clock_cancel(wait->clock, &wait->timer);
    list_remove(&wait->node);
    task_wake(wait->task);
}

static int l_open(lua_State *L)
{
    struct latch *latch = handle_check(L, 1, &kind);
    latch->open = true;
    while (!list_empty(&latch->waiting)) {
        struct wait *wait = CONTAINER(latch->waiting.next, struct wait, node);
        wait->opened = true;
        wake(wait);
    }
    return 0;
}

static void give_up(struct timer *timer)
{
    wake(CONTAINER(timer, struct wait, timer));
}

static int collect(lua_State *L, void *ctx)
{
    lua_pushboolean(L, ((struct wait *)ctx)->opened);
    return 1;
}

static void release(void *ctx)
{
    struct wait *wait = ctx;
    clock_cancel(wait->clock, &wait->timer);
    list_remove(&wait->node);
    xfree(wait);
}

static const struct wait_ops waiting = {collect, release};

/* latch:wait(seconds), then collect(): true: it is open; false: the time is up. One that is open
 * already is waited for, too, to the end of the turn. */
static int l_wait(lua_State *L)
{
    struct latch *latch = handle_check(L, 1, &kind);
    lua_Number seconds = luaL_checknumber(L, 2);
    phase_check(L, CALL_WAIT, "latch:wait");
    struct wait *wait = xcalloc(1, sizeof *wait);
    list_create(&wait->node);
    timer_init(&wait->timer, give_up);
    wait->clock = here_ports(L)->clock;
    wait->task = here_tasks(L)->running;
    wait->opened = latch->open;
    if (!latch->open) list_append(&latch->waiting, &wait->node);
    clock_after(wait->clock, &wait->timer,
                latch->open || seconds <= 0 ? 0 : (uint64_t)(seconds * 1000 + 0.5));
    return task_park(L, here_tasks(L), &waiting, wait);
}

static int l_latch_gc(lua_State *L)
{
    struct latch *latch = lua_touserdata(L, 1);
    while (!list_empty(&latch->waiting)) list_remove(latch->waiting.next);
    return 0;
}

/* background(what, seconds, function, after, hook): true, or false: too many of them */
static int l_background(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_pushboolean(L, call_background(L, luaL_checkstring(L, 1), 3, lua_isfunction(L, 4) ? 4 : 0,
                                       (uint64_t)(seconds * 1000),
                                       (hook)luaL_optinteger(L, 5, 0)));
    return 1;
}

/* owe(n): so many deliveries more, or with a number below 0 less, that the library has not done */
static int l_owe(lua_State *L)
{
    struct vm_counters *counters = vm_counters(vm_of(L));
    counters->owed = (uint32_t)((lua_Integer)counters->owed + luaL_checkinteger(L, 1));
    return 0;
}

/* retired(): a reload has replaced these rules; what of them is under way ends, but background tasks are
 * cancelled without `after`, and none begins */
static int l_retired(lua_State *L)
{
    lua_pushboolean(L, call_retired(L));
    return 1;
}

/* on_start(function): to be called, as a background task, once the app runs */
static int l_on_start(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_getfield(L, LUA_REGISTRYINDEX, "sluice.start");
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    return 0;
}

void bind_latch(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"latch", l_latch}, {"background", l_background}, {"on_start", l_on_start}, {"owe", l_owe},
        {"retired", l_retired}, {NULL, NULL}};
    handle_define(L, &kind);
    lua_pushcfunction(L, l_latch_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "sluice.start");
    luaL_setfuncs(L, functions, 0);
}
