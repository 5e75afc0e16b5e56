/* task: one run of rule code as a coroutine. This is the one room that resumes
 * coroutines.
 *
 *   IDLE ──start──▶ RUNNING ──park──▶ PARKED ──wake──▶ READY ──the VM's job──▶ RUNNING
 *     ▲               │                 │ deadline         │ deadline: nothing, it is about to run
 *     │               │                 ▼                  │
 *     │               │               DOOMED ──the job──┐  │
 *     └─ returned, raised, stopped ─────────────────────┴──┘ cancel, from anywhere
 *
 * Whoever lets a task wait arms something, gives the functions that disarm it
 * and that hand over what came, and parks. Waking only marks: the task runs in
 * a later job, never in somebody's callback.
 *
 * A task that is killed - its deadline, its slice, cancel - runs no more Lua at
 * all: its coroutine is dropped where it stands. So nothing in a rule can
 * swallow a kill: no pcall, no coroutine of its own. What must happen at the
 * end, however it came, belongs into `ended`.
 *
 * Coroutines are kept and used again: a run that does not wait costs no new one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/wheel.h"
#include "ports/clock.h"
#include "ports/later.h"

struct lua_State;
struct task;

enum task_end {
    TASK_RETURNED,
    TASK_RAISED,    /* the error value is on top of `co` */
    TASK_STOPPED,   /* its slice: ran for too long */
    TASK_LATE,      /* its deadline: waited for too long */
    TASK_CANCELLED, /* task_cancel, or the VM goes */
    TASK_REFUSED    /* never began: too many tasks, or no memory for one; `co` is NULL */
};

struct task_events {
    /* Both run inside the coroutine, where raising is fine. begin pushes the function and its
     * arguments, returns how many in all; finish finds the `count` results on an otherwise empty
     * stack and returns how many of them, and of what it pushes, stay there until `ended`. */
    int (*begin)(struct task *task, struct lua_State *co);
    int (*finish)(struct task *task, struct lua_State *co, int count);

    /* Inside the coroutine, when its function has returned and finish has read the results: returns true
     * pushed on L where nothing is left to wait for, or parks; what came is then collected like that of any
     * wait. Only called where the tasks settle; see tasks_create. */
    int (*settle)(struct task *task, struct lua_State *L);

    /* Once for each start, after the last instruction. `co` is valid during the call, which may
     * start, wake and cancel other tasks; this one may be started again or destroyed once it has
     * returned. */
    void (*ended)(struct task *task, enum task_end end, struct lua_State *co);
};

/* What a parked task waits for. */
struct wait_ops {
    /* Inside the coroutine, after the wake: pushes what came, returns how many. May raise. */
    int (*collect)(struct lua_State *L, void *ctx);

    /* Disarms what is still armed and frees ctx: exactly once, whether it came to `collect` or
     * not. */
    void (*release)(void *ctx);
};

enum task_state { TASK_IDLE, TASK_RUNNING, TASK_PARKED, TASK_READY, TASK_DOOMED };

struct tasks;

/* Embedded in what it runs for, zeroed before task_create; all but `serial` is private. */
struct task {
    struct list _node; /* in tasks' ready or waiting list */
    struct tasks *_tasks;
    const struct task_events *_events;
    struct lua_State *_co; /* kept between runs; NULL: none yet, or the last one was killed */
    int _co_ref;
    enum task_state _state;
    bool _cancelled; /* while it runs */
    struct timer _deadline;
    uint64_t _due_ms; /* 0: no deadline */
    const struct wait_ops *_wait;
    void *_wait_ctx;
    uint64_t begun_us, left_us; /* when it began, and when it last gave control back, */
    uint64_t busy_us;           /* and what of that it ran, not waited */
    uint64_t serial; /* another number in every run: what a handle keeps */
};

struct tasks_limits {
    uint32_t alive;    /* at once; above: REFUSED */
    uint32_t slice_ms; /* running without a pause */
    bool settle;       /* tasks may have to wait for something when their functions have returned */
};

/* The tasks of one VM. */
struct tasks {
    struct lua_State *_L;
    struct clock *_clock;
    struct later *_later;
    struct job _job;
    struct list _ready, _waiting;
    struct tasks_limits _limits;
    int _trampoline;
    uint64_t _serial;
    struct task *running; /* whose instructions are on the C stack, innermost; or NULL */
    uint32_t alive;
    uint64_t runs;
    char stopped_at[100]; /* where the last one that was STOPPED stood */
};

/* Builds Lua objects, so it may raise: call it protected. */
void tasks_create(struct tasks *tasks, struct lua_State *L, struct clock *clock,
                  struct later *later, const struct tasks_limits *limits);

/* Cancels what still waits. No task may be running. */
void tasks_destroy(struct tasks *tasks);

/* Ends what still waits as LATE. No task may be running, and what ends must start no others. */
void tasks_expire(struct tasks *tasks);

void task_create(struct task *task, struct tasks *tasks, const struct task_events *events);

/* Must be idle. Drops its coroutine; starting it again makes a new one. */
void task_destroy(struct task *task);

/* Runs it, up to its first wait or its end; false: it has ended, `ended` was called. After
 * deadline_ms, waiting or not, it waits no longer (0: no deadline). */
bool task_start(struct task *task, uint64_t deadline_ms);

/* Gives it up: it ends as CANCELLED before this returns. One that runs right now (the caller is
 * above it on the C stack) runs on to its end or its next wait. Harmless on an idle task. */
void task_cancel(struct task *task);

/* The same to one that waits, as LATE: it was waited for as long as it may be. */
void task_expire(struct task *task);

/* In a C function called from Lua, as `return task_park(L, tasks, ops, ctx);`: the coroutine stops
 * here. The Lua code around it must call a function made of task_collect right after. Where
 * nothing can wait (outside a task, under a C function such as table.sort) it releases and raises. */
int task_park(struct lua_State *L, struct tasks *tasks, const struct wait_ops *ops, void *ctx);

/* Pushes what came; the second half of every waiting call. */
int task_collect(struct lua_State *L, struct tasks *tasks);

/* What it waits for is there. Only for a task that is parked; marks it. */
void task_wake(struct task *task);

/* What task_park yields, so that Lua's coroutine wrappers can tell it from a rule's own yield. */
void *task_park_mark(void);
