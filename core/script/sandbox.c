/* sandbox: the C half of the environment that rule files run in; the other half is
 * scripts/sluice/sandbox.lua. It stops accidents, not malice: rule files are
 * trusted code. What is in C cannot be stopped by the watchdog, so C functions that
 * can run for long (patterns) take inputs of a bounded size only; what can grow
 * (format, concat, ..) is bounded by the memory quota. */
#include <lauxlib.h>
#include <lua.h>

#include "script/bind.h"
#include "script/here.h"
#include "script/raise.h"
#include "script/task.h"
#include "script/vm.h"

enum { REPEAT_MAX = 16 << 20, SUBJECT_MAX = 64 << 10, PATTERN_MAX = 512 };

/* Calls the function in upvalue 1 with the arguments at hand. */
static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int l_rep(lua_State *L)
{
    size_t size;
    luaL_checklstring(L, 1, &size);
    lua_Number times = luaL_checknumber(L, 2);
    if (times > 0 && (double)size * times > REPEAT_MAX)
        return raise_sentence(L, "string.rep: a result above %d bytes", REPEAT_MAX);
    return call_original(L);
}

/* find, match, gmatch, gsub: what backtracks may take time that grows with a power of its input. */
static int l_pattern(lua_State *L)
{
    size_t subject, pattern;
    luaL_checklstring(L, 1, &subject);
    luaL_checklstring(L, 2, &pattern);
    bool plain = lua_toboolean(L, 4) && lua_type(L, 4) == LUA_TBOOLEAN;
    if (!plain && subject > SUBJECT_MAX)
        return raise_sentence(L, "patterns take texts of at most %d bytes, this one has %d; "
                              "text:find(word, 1, true) takes any", SUBJECT_MAX, (int)subject);
    if (!plain && pattern > PATTERN_MAX)
        return raise_sentence(L, "a pattern of %d bytes, %d at most", (int)pattern, PATTERN_MAX);
    return call_original(L);
}

static void wrap(lua_State *L, const char *name, lua_CFunction function)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

static void limit_strings(lua_State *L)
{
    lua_getglobal(L, "string");
    wrap(L, "rep", l_rep);
    wrap(L, "find", l_pattern);
    wrap(L, "match", l_pattern);
    wrap(L, "gmatch", l_pattern);
    wrap(L, "gsub", l_pattern);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

/* Gives the function on top the environment at the index, if there is one. */
static void set_environment(lua_State *L, int index)
{
    if (!lua_istable(L, index)) return;
    lua_pushvalue(L, index);
    lua_setfenv(L, -2);
}

/* load(text, name, environment): function | nil, message */
static int l_load(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    if (luaL_loadbufferx(L, text, size, luaL_optstring(L, 2, "=load"), "t") == 0) {
        set_environment(L, 3);
        return 1;
    }
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* load_file(path, name, environment): function | nil, message */
static int l_load_file(lua_State *L)
{
    if (vm_push_file(L, luaL_checkstring(L, 1), luaL_checkstring(L, 2)) != 1) return 2;
    set_environment(L, 3);
    return 1;
}

/* pairs(value), with the metamethod of Lua 5.2: frozen values and headers have one */
static int l_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs")) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    if (!lua_istable(L, 1))
        return raise_sentence(L, "pairs: expected a table, got %s", luaL_typename(L, 1));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* Is this the task's own coroutine, and not one of the rule's? */
static int l_at_top(lua_State *L)
{
    const struct task *task = here_tasks(L)->running;
    lua_pushboolean(L, !task || task->_co == L);
    return 1;
}

static void push_standards(lua_State *L)
{
    lua_newtable(L);
    for (const struct vm_standard *at = vm_options(vm_of(L))->standards; at && at->name; at++) {
        lua_pushnumber(L, at->value);
        lua_setfield(L, -2, at->name);
    }
}

void bind_sandbox(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"load", l_load}, {"load_file", l_load_file}, {"at_top", l_at_top}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_getglobal(L, "next");
    lua_pushcclosure(L, l_pairs, 1);
    lua_setfield(L, -2, "pairs");
    lua_pushstring(L, vm_path(vm_of(L)));
    lua_setfield(L, -2, "path");
    lua_pushstring(L, vm_options(vm_of(L))->scripts_dir);
    lua_setfield(L, -2, "scripts_dir");
    push_standards(L);
    lua_setfield(L, -2, "standards");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "jit.util");
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "jit_util");
    limit_strings(L);
}
