/* vm: the Lua of one app and one generation: its state with its memory quota,
 * its sandbox, its tasks and the functions that its rule file declared. It loads
 * one rule file into a plan, and then answers the engine's hooks.
 *
 * It is not the app: topics, subscribers, links and stores are the core's and
 * outlive every VM. A reload makes a new VM beside the old one; the old one's
 * tasks run to their end, then it goes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/app.h"
#include "engine/hooks.h"

struct calls;
struct database_list;
struct fault_pace;
struct lua_State;
struct quota;
struct shadow;
struct store;
struct tasks;
struct unlisted;
struct vm;

/* What an option is where neither the rule nor the library says: the config's word. */
struct vm_standard {
    const char *name; /* of the config key */
    double value;     /* in the rule files' units */
};

struct vm_options {
    const struct engine_ports *ports; /* clock, later, random, log, fetch; must outlive the VM */
    const char *scripts_dir;          /* where sluice.lua is */
    size_t memory_bytes;              /* quota; 64 MiB */
    uint32_t slice_ms;                /* running without a pause; 100 */
    uint32_t deadline_ms;             /* a call's whole life; 5,000 */
    uint32_t end_ms;                  /* what goes on in it after a reload has so long; 30,000 */
    uint32_t tasks_max;               /* alive at once, background ones too; 10,000 */
    uint32_t background_max;          /* the library's own; 1,000 */
    uint32_t quarantine_after;        /* kills in a row; see quarantine.h; 0: never */
    const struct vm_standard *standards; /* what options are that rules leave out; ends with a
                                           NULL name; read while loading only */
    const char *redis; /* the url of rules that name none: the config's first; NULL: there is none */
    const char *(*env)(void *ctx, const char *name); /* for sluice.env; NULL: the process's */
    void *env_ctx;
    /* Answers a call in the rules' place, borrowed until its `done` has returned; false: they are
     * asked. For a rig, whose clients can say who they are; NULL: they always are. */
    bool (*known)(const struct hook_call *call, struct hook_result *result);
};

struct vm_counters {
    size_t memory_bytes, memory_peak_bytes, memory_limit_bytes;
    uint32_t tasks, background; /* alive */
    uint64_t runs;              /* tasks started */
    uint64_t errors;            /* that rules raised */
    uint64_t stopped, late;     /* killed: slice, deadline */
    uint64_t refused;           /* not begun: tasks_max, memory */
    uint32_t owed;              /* deliveries of the library that are not done: a drain waits for them */
    uint32_t quarantined;       /* hooks that are not run any more, */
    uint64_t held;              /* and their calls that were answered so */
};

struct vm *vm_new(const struct vm_options *options);

/* Loads the library and the rule file and checks what was declared. The plan is the caller's
 * (plan_free it after the VM: topic handles point into it). NULL: one line a fault in `errors`, each "file:line:
 * what is wrong, what to do". At most once a VM. */
struct plan *vm_load(struct vm *vm, const char *path, struct buf *errors);

/* The app exists and runs this VM's plan from now on. Starts what the library keeps going in the
 * background. Without an app, hooks that touch one raise. */
void vm_bind(struct vm *vm, struct app *app);

/* The same for rules that run in the shadow of the app's. */
void vm_bind_shadow(struct vm *vm, struct app *app, struct shadow *shadow);

/* An earlier generation of the app has ended: what the library keeps going in the background begins once
 * more, to find in the store what that one left there last. */
void vm_take_up(struct vm *vm);

struct hooks *vm_hooks(struct vm *vm);

/* The library keeps nothing going in the background any more: what it had left is cancelled, and
 * stands in the store for the next generation. For an old generation, and after a drain; calls go on
 * being answered. */
void vm_retire(struct vm *vm);

/* The time of an old generation is over: retires it, kills what is alive as late, and has every later
 * call answered UNKNOWN without running. One line in the log for all of it. Not from within a hook's `done`. */
void vm_shut(struct vm *vm);

/* No task is alive: nothing of an old generation is left. */
bool vm_idle(const struct vm *vm);

/* Tasks that are still alive are killed and answered UNKNOWN. Not from within a hook's `done`. */
void vm_free(struct vm *vm);

void vm_count(const struct vm *vm, struct vm_counters *counters);

/* For the rooms of this floor */

/* The VM that a Lua state belongs to. */
struct vm *vm_of(struct lua_State *L);
struct lua_State *vm_lua(struct vm *vm);
struct tasks *vm_tasks(struct vm *vm);
struct calls *vm_calls(struct vm *vm);
const struct vm_options *vm_options(const struct vm *vm);
struct app *vm_app(const struct vm *vm); /* NULL before vm_bind */
struct shadow *vm_shadow(const struct vm *vm); /* whose rules these are; NULL: the live ones */
struct plan *vm_plan(const struct vm *vm); /* from sluice.app on */
void vm_set_plan(struct vm *vm, struct plan *plan);
const char *vm_path(const struct vm *vm); /* the rule file's, as given to vm_load */
const char *vm_name(const struct vm *vm); /* the app's, or the file's before it said one */

/* Something is wrong with the rule file; loading goes on, so that one load finds every fault. */
void vm_fault(struct vm *vm, const char *line);

/* Pushes a file's chunk and returns 1; or nil, what is wrong, and 2. May raise. */
int vm_push_file(struct lua_State *L, const char *path, const char *chunk_name);

/* Before a task: collects garbage if the quota is near. */
void vm_relax(struct vm *vm);

/* Of all files that it has read: equal ones are, all but surely, of equal files. */
uint64_t vm_digest(const struct vm *vm);

/* vm_shut was called. */
bool vm_is_shut(const struct vm *vm);

struct database_list *vm_databases(struct vm *vm); /* those that its rules named */

struct unlisted *vm_unlisted(struct vm *vm);
struct vm_counters *vm_counters(struct vm *vm);
const struct quota *vm_quota(const struct vm *vm);
struct fault_pace *vm_pace(struct vm *vm, hook number); /* 0: of the background tasks */
struct buf *vm_scratch(struct vm *vm); /* here.h's */
