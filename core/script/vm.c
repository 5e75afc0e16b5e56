/* vm: see vm.h.
 *
 * Two kinds of Lua code live in one VM: the library (scripts/), which sees
 * `sluice.core`, the table of our bindings, and the rule file, which runs in the
 * environment that scripts/sluice/sandbox.lua builds. The first library file,
 * boot.lua, is run from here and does the rest.
 *
 * The JIT is off: compiled code checks no hook, so the watchdog could not stop it. */
#include "script/vm.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/hash.h"
#include "engine/databases.h"
#include "script/bind.h"
#include "script/call.h"
#include "script/fault.h"
#include "script/objects.h"
#include "script/quota.h"
#include "script/task.h"
#include "script/unlisted.h"
#include "script/values.h"
#include "script/vm_hook.h"
#include "script/watchdog.h"

enum { LOAD_SLICES = 20, FILE_MAX = 4 << 20 };

struct vm {
    struct quota quota; /* first: what lua_getallocf gives back is the VM */
    struct vm_options options;
    lua_State *L;
    struct tasks tasks;
    struct calls calls;
    struct vm_counters counters;
    struct app *app;
    struct shadow *shadow;
    struct plan *plan;
    char *path, *name;
    uint64_t digest;
    bool ready; /* tasks stand */
    bool shut;
    struct buf faults, scratch;
    struct vm_hook_list hooks;
    struct fault_pace background_pace;
    struct database_list databases;
    struct unlisted unlisted;
    size_t collected_bytes;      /* what the last full collection left */
    uint64_t collected_refusals; /* and how often the quota had refused by then */
};

/* Queries */

struct vm *vm_of(lua_State *L)
{
    void *vm;
    lua_getallocf(L, &vm);
    return vm;
}

lua_State *vm_lua(struct vm *vm)
{
    return vm->L;
}

struct tasks *vm_tasks(struct vm *vm)
{
    return &vm->tasks;
}

struct calls *vm_calls(struct vm *vm)
{
    return &vm->calls;
}

const struct vm_options *vm_options(const struct vm *vm)
{
    return &vm->options;
}

struct app *vm_app(const struct vm *vm)
{
    return vm->app;
}

struct shadow *vm_shadow(const struct vm *vm)
{
    return vm->shadow;
}

struct plan *vm_plan(const struct vm *vm)
{
    return vm->plan;
}

void vm_set_plan(struct vm *vm, struct plan *plan)
{
    vm->plan = plan;
    vm->name = xstrdup(plan->app->text);
}

const char *vm_name(const struct vm *vm)
{
    return vm->name ? vm->name : vm->path ? vm->path : "";
}

const char *vm_path(const struct vm *vm)
{
    return vm->path;
}

struct hooks *vm_hooks(struct vm *vm)
{
    return &vm->calls.hooks;
}

bool vm_idle(const struct vm *vm)
{
    return vm->tasks.alive == 0;
}

bool vm_is_shut(const struct vm *vm)
{
    return vm->shut;
}

const struct quota *vm_quota(const struct vm *vm)
{
    return &vm->quota;
}

uint64_t vm_digest(const struct vm *vm)
{
    return vm->digest;
}

struct unlisted *vm_unlisted(struct vm *vm)
{
    return &vm->unlisted;
}

struct database_list *vm_databases(struct vm *vm)
{
    return &vm->databases;
}

struct vm_hook_list *vm_hook_list(struct vm *vm)
{
    return &vm->hooks;
}

struct fault_pace *vm_pace(struct vm *vm, hook number)
{
    struct fault_pace *pace = vm_hook_pace(vm, number);
    return pace ? pace : &vm->background_pace;
}

struct buf *vm_scratch(struct vm *vm)
{
    return &vm->scratch;
}

struct vm_counters *vm_counters(struct vm *vm)
{
    return &vm->counters;
}

void vm_count(const struct vm *vm, struct vm_counters *counters)
{
    *counters = vm->counters;
    counters->memory_bytes = vm->quota.used_bytes;
    counters->memory_peak_bytes = vm->quota.peak_bytes;
    counters->memory_limit_bytes = vm->quota.limit_bytes;
    counters->tasks = vm->tasks.alive;
    counters->background = vm->calls.background;
    counters->runs = vm->tasks.runs;
}

/* Loading */

/* Once each: a global that is found before the file runs may be met again when it does. */
void vm_fault(struct vm *vm, const char *line)
{
    if (strstr(buf_text(&vm->faults), line)) return;
    buf_printf(&vm->faults, "%s\n", line);
}

/* Reads a whole file; returns why not, or NULL. */
static const char *read_file(const char *path, struct buf *text)
{
    FILE *file = fopen(path, "rbe");
    if (!file) return strerror(errno);
    size_t got;
    do {
        got = fread(buf_reserve(text, 16384), 1, 16384, file);
        text->size += got;
    } while (got > 0 && text->size <= FILE_MAX);
    const char *why = ferror(file) ? strerror(errno) : NULL;
    if (text->size > FILE_MAX) why = "too large for a Lua file";
    fclose(file);
    return why;
}

/* Pushes the chunk, or nil and why not. Text only: bytecode could do anything. */
int vm_push_file(lua_State *L, const char *path, const char *chunk_name)
{
    struct buf text = BUF_EMPTY;
    const char *why = read_file(path, &text);
    if (why) {
        buf_destroy(&text);
        lua_pushnil(L);
        lua_pushfstring(L, "%s: %s", path, why);
        return 2;
    }
    struct vm *vm = vm_of(L);
    vm->digest = vm->digest * 31 + hash_bytes(text.data, text.size);
    int status = luaL_loadbufferx(L, text.size ? text.data : "", text.size, chunk_name, "t");
    buf_destroy(&text);
    if (status == 0) return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static void open_libraries(lua_State *L)
{
    static const luaL_Reg libraries[] = {{"", luaopen_base},
                                         {LUA_LOADLIBNAME, luaopen_package},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_BITLIBNAME, luaopen_bit},
                                         {LUA_OSLIBNAME, luaopen_os},
                                         {LUA_JITLIBNAME, luaopen_jit},
                                         {NULL, NULL}};
    for (const luaL_Reg *library = libraries; library->func; library++) {
        lua_pushcfunction(L, library->func);
        lua_pushstring(L, library->name);
        lua_call(L, 1, 0);
    }
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
}

static void push_core(lua_State *L)
{
    static void (*const binds[])(lua_State * L) = {
        bind_json,  bind_encode, bind_frozen, bind_request, bind_event,  bind_seat,
        bind_topic, bind_plan,   bind_app,    bind_store,   bind_http,   bind_time,
        bind_jwt,   bind_log,    bind_text,   bind_latch,   bind_redis,  bind_sandbox,
        bind_string, bind_channels};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof binds / sizeof binds[0]; i++) binds[i](L);
}

static int load(lua_State *L)
{
    struct vm *vm = lua_touserdata(L, 1);
    const struct vm_options *options = &vm->options;
    open_libraries(L);
    lua_gc(L, LUA_GCSETPAUSE, 150);
    vm_hook_list_create(&vm->hooks, L);
    const struct tasks_limits limits = {options->tasks_max, options->slice_ms,
                                        options->ports->joint != NULL};
    tasks_create(&vm->tasks, L, options->ports->clock, options->ports->later, &limits);
    calls_create(&vm->calls, vm);
    vm->ready = true;
    lua_pushfstring(L, "%s/sluice/boot.lua", options->scripts_dir);
    if (vm_push_file(L, lua_tostring(L, -1), "=sluice/boot.lua") != 1) lua_error(L);
    push_core(L);
    lua_call(L, 1, 0);
    return 0;
}

static bool run_load(struct vm *vm, struct buf *errors)
{
    struct watch watch;
    watchdog_enter(&watch, vm->L, vm->options.slice_ms * LOAD_SLICES);
    int status = lua_cpcall(vm->L, load, vm);
    bool stopped = watchdog_leave(&watch);
    if (stopped)
        buf_printf(&vm->faults, "%s: stopped: ran for more than %u ms while it loaded\n",
                   watch.at[0] ? watch.at : vm->path, vm->options.slice_ms * LOAD_SLICES);
    else if (status != 0)
        vm_fault(vm, lua_type(vm->L, -1) == LUA_TSTRING ? lua_tostring(vm->L, -1)
                                                        : "an error without words");
    lua_settop(vm->L, 0);
    buf_add_bytes(errors, buf_bytes(&vm->faults));
    return vm->faults.size == 0;
}

struct plan *vm_load(struct vm *vm, const char *path, struct buf *errors)
{
    CHECK(!vm->path);
    vm->path = xstrdup(path);
    bool good = run_load(vm, errors);
    if (good && !vm->plan) {
        buf_printf(errors,
                   "%s:1: declares no app; a rule file begins with: local app = "
                   "require \"sluice\".app \"name\"\n",
                   path);
        good = false;
    }
    if (good) good = plan_finish(vm->plan, errors);
    if (!good && vm->plan) {
        plan_free(vm->plan);
        vm->plan = NULL;
    }
    if (vm->plan) vm->plan->handler_deadline_ms = vm->options.deadline_ms;
    return vm->plan;
}

/* Life */

struct vm *vm_new(const struct vm_options *options)
{
    struct vm *vm = xcalloc(1, sizeof *vm);
    vm->options = *options;
    vm->quota.limit_bytes = SIZE_MAX; /* this LuaJIT does not survive a refusal in lua_newstate */
    watchdog_start();
    vm->L = lua_newstate(quota_alloc, &vm->quota);
    CHECK(vm->L);
    vm->quota.limit_bytes = options->memory_bytes;
    return vm;
}

static int start(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "sluice.start");
    for (int i = 1, count = (int)lua_objlen(L, -1); i <= count; i++) {
        lua_rawgeti(L, -1, i);
        call_background(L, "start", lua_gettop(L), 0, vm_of(L)->options.deadline_ms, 0);
        lua_pop(L, 1);
    }
    return 0;
}

void vm_bind(struct vm *vm, struct app *app)
{
    vm->app = app;
    vm_take_up(vm);
}

void vm_bind_shadow(struct vm *vm, struct app *app, struct shadow *shadow)
{
    vm->shadow = shadow;
    vm_bind(vm, app);
}

void vm_take_up(struct vm *vm)
{
    if (lua_cpcall(vm->L, start, NULL) != 0) lua_settop(vm->L, 0);
}

/* Lua's own collector starts a round at half as much again as was left by the last one, and none at
 * a refusal, so it would meet the quota with garbage. */
void vm_relax(struct vm *vm)
{
    const struct quota *quota = &vm->quota;
    bool full = quota->used_bytes >= quota->limit_bytes - quota->limit_bytes / 4;
    bool grown = quota->used_bytes >= vm->collected_bytes + quota->limit_bytes / 16;
    if (!full || (!grown && quota->refusals == vm->collected_refusals)) return;
    lua_gc(vm->L, LUA_GCCOLLECT, 0);
    vm->collected_bytes = quota->used_bytes;
    vm->collected_refusals = quota->refusals;
}

void vm_retire(struct vm *vm)
{
    if (vm->ready) calls_close(&vm->calls);
}

void vm_shut(struct vm *vm)
{
    if (!vm->ready || vm->shut) return;
    vm_retire(vm);
    vm->shut = true;
    const uint32_t alive = vm->tasks.alive;
    tasks_expire(&vm->tasks);
    LOG(vm->options.ports->log, LOG_WARN, "earlier rules shut", F_TEXT("app", vm_name(vm)),
        F_NUMBER("killed", alive));
}

void vm_free(struct vm *vm)
{
    vm_retire(vm);
    if (vm->ready) {
        tasks_destroy(&vm->tasks);
        calls_destroy(&vm->calls);
    }
    lua_close(vm->L);
    CHECK(vm->quota.used_bytes == 0);
    watchdog_stop();
    vm_hook_list_destroy(&vm->hooks);
    database_list_destroy(&vm->databases);
    unlisted_destroy(&vm->unlisted);
    buf_destroy(&vm->faults);
    buf_destroy(&vm->scratch);
    xfree(vm->path);
    xfree(vm->name);
    xfree(vm);
}
