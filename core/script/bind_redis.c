/* bind_redis: one command of a rule's to a Redis server. The library (scripts/sluice/redis.lua) makes it
 * friendly; here it is sent, waited for, and its answer becomes Lua values.
 *
 * The answer's values live during the call that brings them, when no Lua may run; so they are kept as bytes
 * until the task goes on: a kind, then a number, or a size and a text, or a count and so many values. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/databases.h"
#include "engine/ports.h"
#include "ports/redis.h"
#include "script/bind.h"
#include "script/here.h"
#include "script/phase.h"
#include "script/task.h"
#include "script/vm.h"

enum { WORDS_MAX = 1024, ANSWER_MAX = 4 << 20, DEPTH_MAX = 32 };

struct commanding {
    struct redis *redis;
    struct redis_call *call; /* NULL once it is answered */
    struct task *task;
    const char *code;  /* of an error; then `bytes` is its sentence */
    struct buf bytes;  /* else the value */
};

static bool keep(struct buf *out, const struct redis_value *value, int depth)
{
    const int64_t number = value->kind == REDIS_NUMBER ? value->number
                           : value->kind == REDIS_LIST ? (int64_t)value->count
                                                       : (int64_t)value->text.size;
    buf_add_char(out, (char)value->kind);
    buf_add(out, &number, sizeof number);
    if (value->kind == REDIS_TEXT || value->kind == REDIS_ERROR) buf_add_bytes(out, value->text);
    if (depth == DEPTH_MAX) return false;
    for (size_t i = 0; value->kind == REDIS_LIST && i < value->count; i++)
        if (!keep(out, &value->items[i], depth + 1)) return false;
    return out->size <= ANSWER_MAX;
}

static void fail(struct commanding *commanding, const char *code, const char *sentence)
{
    commanding->code = code;
    buf_clear(&commanding->bytes);
    buf_add_text(&commanding->bytes, sentence);
}

static void answered(void *owner, const struct redis_answer *answer)
{
    struct commanding *commanding = owner;
    commanding->call = NULL;
    if (answer->code)
        fail(commanding, answer->code, answer->sentence ? answer->sentence : answer->code);
    else if (!keep(&commanding->bytes, answer->value, 0))
        fail(commanding, "too_large", "the answer is larger than 4 MiB, or deeper than 32 lists");
    task_wake(commanding->task);
}

/* Pushes the value that begins at `at`; returns where the next one does. A nil in a list is false, as
 * Redis' own scripts have it, so that lists have no holes. */
static const char *push(lua_State *L, const char *at, bool listed)
{
    const enum redis_kind kind = (enum redis_kind)*at++;
    int64_t number;
    memcpy(&number, at, sizeof number);
    at += sizeof number;
    luaL_checkstack(L, 3, "redis");
    switch (kind) {
    case REDIS_NIL:
        if (listed)
            lua_pushboolean(L, 0);
        else
            lua_pushnil(L);
        return at;
    case REDIS_NUMBER:
        lua_pushnumber(L, (lua_Number)number);
        return at;
    case REDIS_TEXT:
        lua_pushlstring(L, at, (size_t)number);
        return at + number;
    case REDIS_ERROR:
        lua_createtable(L, 0, 1);
        lua_pushlstring(L, at, (size_t)number);
        lua_setfield(L, -2, "err");
        return at + number;
    case REDIS_LIST:
        break;
    }
    lua_createtable(L, (int)number, 0);
    for (int i = 1; i <= number; i++) {
        at = push(L, at, true);
        lua_rawseti(L, -2, i);
    }
    return at;
}

/* value | nil, code, sentence */
static int collect(lua_State *L, void *ctx)
{
    const struct commanding *commanding = ctx;
    const struct bytes bytes = buf_bytes(&commanding->bytes);
    if (!commanding->code) {
        push(L, bytes.data, false);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, commanding->code);
    lua_pushlstring(L, bytes.data ? bytes.data : "", bytes.size);
    return 3;
}

static void release(void *ctx)
{
    struct commanding *commanding = ctx;
    if (commanding->call) commanding->redis->ops->cancel(commanding->redis, commanding->call);
    buf_destroy(&commanding->bytes);
    xfree(commanding);
}

static const struct wait_ops waiting = {collect, release};

/* command(database, word, ...): its words are texts */
static int l_command(lua_State *L)
{
    struct bytes words[WORDS_MAX];
    phase_check(L, CALL_WAIT, "redis");
    const struct database_list *list = vm_databases(vm_of(L));
    const int number = (int)luaL_checkinteger(L, 1), count = lua_gettop(L) - 1;
    luaL_argcheck(L, number >= 1 && (uint32_t)number <= list->count, 1, "no such database");
    luaL_argcheck(L, count >= 1 && count <= WORDS_MAX, 2, "a command has 1 to 1024 words");
    for (int i = 0; i < count; i++) words[i].data = luaL_checklstring(L, i + 2, &words[i].size);
    struct commanding *commanding = xcalloc(1, sizeof *commanding);
    commanding->redis = database_redis(list->items[number - 1]);
    commanding->task = here_tasks(L)->running;
    commanding->call = commanding->redis->ops->start(commanding->redis, words, (size_t)count, answered, commanding);
    return task_park(L, here_tasks(L), &waiting, commanding);
}

/* database(url) -> its number; 0: none are to be had here; nil, sentence: the url is none */
static int l_database(lua_State *L)
{
    struct vm *vm = vm_of(L);
    struct databases *databases = here_ports(L)->databases;
    struct bytes url;
    url.data = luaL_checklstring(L, 1, &url.size);
    struct buf *error = here_scratch(L);
    struct database *database =
        databases ? database_ref(databases, bytes_of(vm_name(vm)), url, error) : NULL;
    if (databases && !database) {
        lua_pushnil(L);
        lua_pushstring(L, buf_text(error));
        return 2;
    }
    const bool there = database && database_redis(database);
    const uint32_t number = database ? database_list_add(vm_databases(vm), database) : 0;
    lua_pushinteger(L, there ? (lua_Integer)number : 0);
    return 1;
}

/* redis_fault(url) -> why it is none; nil: it is one, or nobody can say here */
static int l_redis_fault(lua_State *L)
{
    static const struct redis_events nobody; /* it is closed before anything comes */
    struct redis_opener *opener = here_ports(L)->redis;
    struct bytes url;
    url.data = luaL_checklstring(L, 1, &url.size);
    struct buf *error = here_scratch(L);
    struct redis *redis = opener ? opener->open(opener, url, &nobody, NULL, error) : NULL;
    if (redis) redis->ops->close(redis);
    lua_pushstring(L, opener && !redis ? buf_text(error) : NULL);
    return 1;
}

void bind_redis(lua_State *L)
{
    static const luaL_Reg functions[] = {{"command", l_command}, {"database", l_database},
                                         {"redis_fault", l_redis_fault}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushstring(L, vm_options(vm_of(L))->redis);
    lua_setfield(L, -2, "redis_url");
}
