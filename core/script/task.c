/* task: see task.h.
 *
 * The body of every coroutine is one Lua function, the trampoline, that calls
 * `begin` and `finish` as C functions: so all work on the Lua stack happens
 * inside the coroutine, protected, where a refused allocation is an ordinary
 * error. Outside, between resumes, only calls are made that cannot raise.
 *
 * A coroutine whose body returned is started again with the same body: LuaJIT
 * allows that while its status is 0. One that raised or was killed is dropped for
 * the collector. */
#include "script/task.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/check.h"
#include "script/watchdog.h"

static char park_mark;

void *task_park_mark(void)
{
    return &park_mark;
}

/* The trampoline */

static const char trampoline[] = "local begin, finish = ...\n"
                                 "local function run(fn, ...) return finish(fn(...)) end\n"
                                 "return function() return run(begin()) end\n";

/* A second one, so that who has nothing to settle does not pay for it. */
static const char settling[] =
    "local begin, finish, settle, collect = ...\n"
    "local function done(...) if not settle() then collect() end return ... end\n"
    "local function run(fn, ...) return done(finish(fn(...))) end\n"
    "return function() return run(begin()) end\n";

static struct task *upvalue_running(lua_State *L)
{
    struct tasks *tasks = lua_touserdata(L, lua_upvalueindex(1));
    return tasks->running;
}

static int l_begin(lua_State *L)
{
    struct task *task = upvalue_running(L);
    return task->_events->begin(task, L);
}

static int l_finish(lua_State *L)
{
    struct task *task = upvalue_running(L);
    return task->_events->finish(task, L, lua_gettop(L));
}

static int l_settle(lua_State *L)
{
    struct task *task = upvalue_running(L);
    return task->_events->settle(task, L);
}

static int l_collect(lua_State *L)
{
    return task_collect(L, lua_touserdata(L, lua_upvalueindex(1)));
}

/* Coroutines */

static int make_coroutine(lua_State *L)
{
    struct task *task = lua_touserdata(L, 1);
    lua_State *co = lua_newthread(L);
    task->_co_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    task->_co = co;
    return 0;
}

static bool have_coroutine(struct task *task)
{
    lua_State *L = task->_tasks->_L;
    if (task->_co) return true;
    if (lua_cpcall(L, make_coroutine, task) == 0) return true;
    lua_pop(L, 1);
    return false;
}

static void drop_coroutine(struct task *task)
{
    if (!task->_co) return;
    luaL_unref(task->_tasks->_L, LUA_REGISTRYINDEX, task->_co_ref);
    task->_co = NULL;
}

/* Ends */

static void release_wait(struct task *task)
{
    const struct wait_ops *wait = task->_wait;
    if (!wait) return;
    task->_wait = NULL;
    wait->release(task->_wait_ctx);
}

static void end(struct task *task, enum task_end how)
{
    struct tasks *tasks = task->_tasks;
    list_remove(&task->_node);
    clock_cancel(tasks->_clock, &task->_deadline);
    release_wait(task);
    task->_state = TASK_IDLE;
    task->serial = ++tasks->_serial; /* handles of this run are empty from here on */
    tasks->alive--;
    task->_events->ended(task, how, task->_co);
    if (how == TASK_RETURNED)
        lua_settop(task->_co, 0);
    else
        drop_coroutine(task);
}

static void wait_on(struct task *task)
{
    struct tasks *tasks = task->_tasks;
    lua_settop(task->_co, 0);
    task->_state = TASK_PARKED;
    list_append(&tasks->_waiting, &task->_node);
    if (task->_due_ms && !timer_armed(&task->_deadline))
        wheel_arm(&tasks->_clock->wheel, &task->_deadline, task->_due_ms);
}

/* Runs until the next wait (true) or the end. */
static bool resume(struct task *task)
{
    struct tasks *tasks = task->_tasks;
    struct task *outer = tasks->running;
    struct watch watch;
    task->_state = TASK_RUNNING;
    tasks->running = task;
    const uint64_t resumed_us = clock_read_us(tasks->_clock);
    if (!task->begun_us) task->begun_us = resumed_us;
    watchdog_enter(&watch, task->_co, tasks->_limits.slice_ms);
    int status = lua_resume(task->_co, 0);
    bool stopped = watchdog_leave(&watch);
    tasks->running = outer;
    task->left_us = clock_read_us(tasks->_clock);
    task->busy_us += task->left_us - resumed_us;
    if (status == LUA_YIELD) {
        CHECK(task->_wait); /* the sandbox lets no other yield out */
        if (!task->_cancelled) {
            wait_on(task);
            return true;
        }
        end(task, TASK_CANCELLED);
    } else if (status == 0) {
        end(task, TASK_RETURNED);
    } else {
        if (stopped) memcpy(tasks->stopped_at, watch.at, sizeof watch.at);
        end(task, stopped ? TASK_STOPPED : TASK_RAISED);
    }
    return false;
}

static void run_ready(struct job *job)
{
    struct tasks *tasks = CONTAINER(job, struct tasks, _job);
    struct list round;
    list_create(&round);
    list_move(&round, &tasks->_ready);
    while (!list_empty(&round)) {
        struct task *task = CONTAINER(round.next, struct task, _node);
        list_remove(&task->_node);
        if (task->_state == TASK_DOOMED)
            end(task, TASK_LATE);
        else
            resume(task);
    }
}

static void make_ready(struct task *task, enum task_state state)
{
    struct tasks *tasks = task->_tasks;
    task->_state = state;
    list_remove(&task->_node);
    list_append(&tasks->_ready, &task->_node);
    later_post(tasks->_later, LATER_SOON, &tasks->_job);
}

static void late(struct timer *timer)
{
    struct task *task = CONTAINER(timer, struct task, _deadline);
    if (task->_state == TASK_PARKED) make_ready(task, TASK_DOOMED);
}

/* The face */

void tasks_create(struct tasks *tasks, lua_State *L, struct clock *clock, struct later *later,
                  const struct tasks_limits *limits)
{
    memset(tasks, 0, sizeof *tasks);
    tasks->_L = L;
    tasks->_clock = clock;
    tasks->_later = later;
    tasks->_limits = *limits;
    job_create(&tasks->_job, run_ready);
    list_create(&tasks->_ready);
    list_create(&tasks->_waiting);
    static const lua_CFunction parts[] = {l_begin, l_finish, l_settle, l_collect};
    const char *text = limits->settle ? settling : trampoline;
    if (luaL_loadbuffer(L, text, strlen(text), "=sluice")) lua_error(L);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        lua_pushlightuserdata(L, tasks);
        lua_pushcclosure(L, parts[i], 1);
    }
    lua_call(L, sizeof parts / sizeof parts[0], 1);
    tasks->_trampoline = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void end_all(struct list *list, enum task_end how)
{
    while (!list_empty(list)) end(CONTAINER(list->next, struct task, _node), how);
}

void tasks_destroy(struct tasks *tasks)
{
    CHECK(!tasks->running);
    while (tasks->alive) { /* what ends may start others */
        end_all(&tasks->_waiting, TASK_CANCELLED);
        end_all(&tasks->_ready, TASK_CANCELLED);
    }
    later_cancel(&tasks->_job);
}

void tasks_expire(struct tasks *tasks)
{
    CHECK(!tasks->running);
    end_all(&tasks->_waiting, TASK_LATE);
    end_all(&tasks->_ready, TASK_LATE);
}

void task_create(struct task *task, struct tasks *tasks, const struct task_events *events)
{
    list_create(&task->_node);
    timer_init(&task->_deadline, late);
    task->_tasks = tasks;
    task->_events = events;
    task->_state = TASK_IDLE;
}

void task_destroy(struct task *task)
{
    CHECK(task->_state == TASK_IDLE);
    drop_coroutine(task);
}

bool task_start(struct task *task, uint64_t deadline_ms)
{
    struct tasks *tasks = task->_tasks;
    CHECK(task->_state == TASK_IDLE);
    if (tasks->alive >= tasks->_limits.alive || !have_coroutine(task)) {
        task->_events->ended(task, TASK_REFUSED, NULL);
        return false;
    }
    tasks->alive++;
    tasks->runs++;
    task->serial = ++tasks->_serial;
    task->_cancelled = false;
    task->begun_us = task->busy_us = 0;
    task->_due_ms = deadline_ms ? tasks->_clock->now_ms + deadline_ms : 0;
    lua_rawgeti(task->_co, LUA_REGISTRYINDEX, tasks->_trampoline);
    return resume(task);
}

void task_cancel(struct task *task)
{
    if (task->_state == TASK_RUNNING)
        task->_cancelled = true;
    else if (task->_state != TASK_IDLE)
        end(task, TASK_CANCELLED);
}

void task_expire(struct task *task)
{
    CHECK(task->_state != TASK_RUNNING);
    if (task->_state != TASK_IDLE) end(task, TASK_LATE);
}

int task_park(lua_State *L, struct tasks *tasks, const struct wait_ops *ops, void *ctx)
{
    struct task *task = tasks->running;
    if (!task || !lua_isyieldable(L)) {
        ops->release(ctx);
        return luaL_error(L, "a call that waits cannot be made here: a function of C's (a sort, a "
                             "gsub, a metamethod) or no task is around it");
    }
    release_wait(task); /* one whose collect raised, into a rule's pcall */
    task->_wait = ops;
    task->_wait_ctx = ctx;
    lua_pushlightuserdata(L, &park_mark);
    return lua_yield(L, 1);
}

int task_collect(lua_State *L, struct tasks *tasks)
{
    struct task *task = tasks->running;
    CHECK(task && task->_wait);
    int count = task->_wait->collect(L, task->_wait_ctx);
    release_wait(task);
    return count;
}

void task_wake(struct task *task)
{
    if (task->_state == TASK_PARKED) make_ready(task, TASK_READY);
}
