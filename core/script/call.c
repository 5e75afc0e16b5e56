/* call: see call.h. A `running` is never freed before its VM: handles that rules
 * kept too long point to it, and see by its serial number that their call is over. */
#include "script/call.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/publication.h"
#include "engine/shadow.h"
#include "engine/unpublished.h"
#include "script/cause.h"
#include "script/fault.h"
#include "script/quarantine.h"
#include "script/quota.h"
#include "script/vm.h"
#include "script/vm_hook.h"

enum { IDLE_MAX = 256, TEXT_KEPT = 64 << 10 };

/* The pool */

static const struct task_events events;

static struct running *last_of(struct list *list)
{
    struct running *running = CONTAINER(list->prev, struct running, _node);
    list_remove(&running->_node);
    return running;
}

static struct running *take(struct calls *calls)
{
    if (!list_empty(&calls->_idle)) {
        calls->_idle_count--;
        return last_of(&calls->_idle);
    }
    if (!list_empty(&calls->_bare)) return last_of(&calls->_bare);
    struct running *running = xcalloc(1, sizeof *running);
    list_create(&running->_node);
    running->vm = calls->_vm;
    task_create(&running->task, vm_tasks(calls->_vm), &events);
    return running;
}

static void give_back(struct calls *calls, struct running *running)
{
    buf_clear(&running->text);
    if (running->text.capacity > TEXT_KEPT) buf_destroy(&running->text);
    list_append(&calls->_idle, &running->_node);
    if (++calls->_idle_count <= IDLE_MAX) return;
    struct running *coldest = CONTAINER(calls->_idle.next, struct running, _node);
    list_remove(&coldest->_node);
    calls->_idle_count--;
    task_destroy(&coldest->task);
    list_append(&calls->_bare, &coldest->_node);
}

static void destroy_all(struct list *list)
{
    while (!list_empty(list)) {
        struct running *running = last_of(list);
        task_destroy(&running->task);
        batch_destroy(&running->batch);
        buf_destroy(&running->text);
        buf_destroy(&running->again);
        xfree(running->names);
        xfree(running->headers);
        xfree(running);
    }
}

/* What a task does */

static int begin(struct task *task, lua_State *co)
{
    struct running *running = CONTAINER(task, struct running, task);
    if (running->phase != PHASE_BACKGROUND) {
        vm_hook_push(running->vm, co, running->call.hook);
        return 1 + call_push_arguments(running, co);
    }
    lua_rawgeti(co, LUA_REGISTRYINDEX, running->function);
    lua_pushboolean(co, running->before_returned);
    return 2;
}

static int finish(struct task *task, lua_State *co, int count)
{
    struct running *running = CONTAINER(task, struct running, task);
    return running->phase == PHASE_BACKGROUND ? 0 : call_read_result(running, co, count);
}

static void start_soon(struct calls *calls, struct running *running);

static void background_ended(struct running *running, bool returned)
{
    struct calls *calls = vm_calls(running->vm);
    lua_State *L = vm_lua(running->vm);
    list_remove(&running->_node);
    luaL_unref(L, LUA_REGISTRYINDEX, running->function);
    running->function = running->after;
    running->after = LUA_NOREF;
    running->call.hook = 0;
    running->before_returned = returned;
    if (running->function != LUA_NOREF && !calls->_closing) {
        start_soon(calls, running);
        return;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, running->function);
    calls->background--;
    give_back(calls, running);
}

static void hook_ended(struct running *running)
{
    hook_done_f *done = running->done;
    running->result.cause = running->cause;
    if (done && !running->cancelled) done(running->owner, &running->result);
    atom_unref(running->result.who.user);
    atom_unref(running->result.who.data);
    give_back(vm_calls(running->vm), running);
}

const struct app_emit *call_settle_batch(struct running *running)
{
    struct batch *batch = &running->batch;
    struct vm *vm = running->vm;
    const struct app_emit *emits = batch_settle(batch, running->call.event, cause_of(running));
    if (running->call.publication && !vm_shadow(vm))
        publication_emitted(running->call.publication, app_hub(vm_app(vm)), emits, batch->count);
    return emits;
}

void call_publish(struct running *running)
{
    struct batch *batch = &running->batch;
    struct vm *vm = running->vm;
    if (!batch->count) return;
    const struct app_emit *emits = call_settle_batch(running);
    if (vm_shadow(vm))
        shadow_emitted(vm_shadow(vm), running->call.event, emits, batch->count);
    else
        app_emit(vm_app(vm), emits, batch->count);
    batch_clear(batch);
}

/* One that was ended while it waited has waited until now. */
static void note_time(struct running *running, enum task_end end)
{
    const struct task *task = &running->task;
    struct vm_hook *info = vm_hook_info(running->vm, running->call.hook);
    if (!info || end == TASK_REFUSED) return;
    const bool waited = end == TASK_LATE || end == TASK_CANCELLED;
    const uint64_t now_us =
        waited ? clock_read_us(vm_options(running->vm)->ports->clock) : task->left_us;
    histogram_note(&info->took, now_us - task->begun_us, 1);
    info->busy_us += task->busy_us;
}

bool call_next_event(struct running *running, lua_State *L)
{
    struct hook_call *call = &running->call;
    struct vm_hook *before = call->event ? vm_hook_info(running->vm, call->hook) : NULL;
    hook handler;
    const struct event *event = publication_next(call->publication, &handler);
    if (before) before->kills = 0; /* it has returned */
    if (!event) return false;
    call->event = event;
    call->hook = handler;
    vm_hook_info(running->vm, handler)->runs++;
    cause_next(running);
    vm_hook_push(running->vm, L, handler);
    return true;
}

static void ended(struct task *task, enum task_end end, lua_State *co)
{
    struct running *running = CONTAINER(task, struct running, task);
    note_time(running, end);
    bool background = running->phase == PHASE_BACKGROUND;
    bool refusal = end == TASK_RAISED && !background && call_read_refusal(running, co);
    if (end == TASK_RETURNED) {
        call_publish(running);
        if (running->result.unpublished)
            cause_unheard(running, unpublished_reason(running->result.unpublished));
        else
            cause_returned(running);
    } else {
        batch_clear(&running->batch);
        if (!refusal) running->result.outcome = OUTCOME_UNKNOWN;
        if (refusal)
            cause_returned(running);
        else if (end == TASK_CANCELLED)
            cause_dropped(running);
        else
            fault_report(running->vm, running, end, co);
    }
    quarantine_judge(running->vm, running, end, end == TASK_RETURNED || refusal, co);
    if (background)
        background_ended(running, end == TASK_RETURNED);
    else
        hook_ended(running);
}

static const struct task_events events = {begin, finish, call_settle, ended};

/* Hooks */

/* One of the handlers that it would run is in quarantine. */
static bool is_held(struct vm *vm, const struct publication *publication)
{
    for (size_t i = 0; publication && i < publication->count; i++)
        if (quarantine_holds(vm, vm_hook_info(vm, publication->handlers[i]))) return true;
    return false;
}

/* The hook to run for this one; 0: none, it is not to be run. */
static hook admit(struct calls *calls, const struct hook_call *call)
{
    const struct vm_hook *info = vm_hook_info(calls->_vm, call->hook);
    CHECK(info);
    if (vm_is_shut(calls->_vm) || is_held(calls->_vm, call->publication)) return 0;
    return quarantine_holds(calls->_vm, info) ? info->spare : call->hook;
}

static bool run(struct running *running)
{
    struct vm_hook *info = vm_hook_info(running->vm, running->call.hook);
    if (info) info->runs++;
    running->begun_ms = vm_options(running->vm)->ports->clock->now_ms;
    running->refusals_before = vm_quota(running->vm)->refusals;
    return task_start(&running->task, running->deadline_ms);
}

static struct running *answer_unrun(hook_done_f *done, void *owner)
{
    const struct hook_result unknown = {.outcome = OUTCOME_UNKNOWN};
    if (done) done(owner, &unknown);
    return NULL;
}

static bool answer_known(const struct vm *vm, const struct hook_call *call, hook_done_f *done,
                         void *owner)
{
    const struct vm_options *options = vm_options(vm);
    struct hook_result result = {.outcome = OUTCOME_YES};
    if (!options->known || !options->known(call, &result)) return false;
    if (done) done(owner, &result);
    return true;
}

static struct running *call(struct hooks *hooks, const struct hook_call *call, hook_done_f *done,
                            void *owner)
{
    struct calls *calls = (struct calls *)hooks;
    if (answer_known(calls->_vm, call, done, owner)) return NULL;
    const hook admitted = admit(calls, call);
    if (!admitted) return answer_unrun(done, owner);
    struct running *running = take(calls);
    vm_relax(calls->_vm);
    running->phase = (enum phase)call->kind;
    running->call = *call;
    running->call.hook = admitted;
    running->done = done;
    running->owner = owner;
    running->cancelled = false;
    running->result = (struct hook_result){.outcome = OUTCOME_NO};
    cause_begin(running);
    running->deadline_ms = vm_options(calls->_vm)->deadline_ms;
    return run(running) ? running : NULL;
}

static void cancel(struct hooks *hooks, struct running *running, bool late)
{
    (void)hooks;
    running->cancelled = true;
    if (!late) {
        task_cancel(&running->task);
        return;
    }
    running->deadline_ms = vm_options(running->vm)->ports->clock->now_ms - running->begun_ms;
    task_expire(&running->task);
}

static bool describe(struct hooks *hooks, hook number, struct bytes *what, struct bytes *place)
{
    const struct calls *calls = (struct calls *)hooks;
    const struct vm_hook *info = vm_hook_info(calls->_vm, number);
    if (!info) return false;
    *what = atom_bytes(info->what);
    *place = atom_bytes(info->place);
    return true;
}

/* Background */

static void start_background(struct job *job)
{
    struct calls *calls = CONTAINER(job, struct calls, _start);
    struct list round;
    list_create(&round);
    list_move(&round, &calls->_starting);
    vm_relax(calls->_vm);
    while (!list_empty(&round)) {
        struct running *running = CONTAINER(round.next, struct running, _node);
        list_remove(&running->_node);
        list_append(&calls->_begun, &running->_node);
        if (quarantine_holds(calls->_vm, vm_hook_info(calls->_vm, running->call.hook)))
            background_ended(running, false);
        else
            run(running);
    }
}

static void start_soon(struct calls *calls, struct running *running)
{
    list_append(&calls->_starting, &running->_node);
    later_post(vm_options(calls->_vm)->ports->later, LATER_SOON, &calls->_start);
}

static int reference(lua_State *L, int index)
{
    if (!index) return LUA_NOREF;
    lua_pushvalue(L, index);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

bool call_background(lua_State *L, const char *what, int index, int after, uint64_t deadline_ms,
                     hook of)
{
    struct vm *vm = vm_of(L);
    struct calls *calls = vm_calls(vm);
    if (calls->_closing || calls->background >= vm_options(vm)->background_max) return false;
    int function = reference(L, index);
    int then = reference(L, after);
    struct running *running = take(calls);
    calls->background++;
    running->phase = PHASE_BACKGROUND;
    running->call = (struct hook_call){.hook = of};
    running->done = NULL;
    snprintf(running->what, sizeof running->what, "%s", what);
    running->function = function;
    running->after = then;
    running->before_returned = true;
    running->cause = 0;
    running->deadline_ms = deadline_ms;
    start_soon(calls, running);
    return true;
}

bool call_retired(lua_State *L)
{
    return vm_calls(vm_of(L))->_closing;
}

/* The face */

struct running *call_running(struct vm *vm)
{
    struct task *task = vm_tasks(vm)->running;
    return task ? CONTAINER(task, struct running, task) : NULL;
}

void calls_create(struct calls *calls, struct vm *vm)
{
    *calls = (struct calls){.hooks = {call, cancel, describe}, ._vm = vm};
    list_create(&calls->_idle);
    list_create(&calls->_bare);
    list_create(&calls->_starting);
    list_create(&calls->_begun);
    job_create(&calls->_start, start_background);
}

void calls_close(struct calls *calls)
{
    calls->_closing = true;
    later_cancel(&calls->_start);
    while (!list_empty(&calls->_starting)) background_ended(last_of(&calls->_starting), false);
    LIST_EACH(node, &calls->_begun)
    {
        task_cancel(&CONTAINER(node, struct running, _node)->task);
    }
}

void calls_destroy(struct calls *calls)
{
    destroy_all(&calls->_idle);
    destroy_all(&calls->_bare);
}
