/* sandbox: the C half of the environment that rule files run in; the other half is
 * scripts/sluice/sandbox.lua. It stops accidents, not malice: rule files are
 * trusted code. What is in C the watchdog cannot stop, so patterns are matched by
 * our own matcher (bind_string.c), which asks it; what only grows (format, concat,
 * ..) is bounded by the memory quota. */
#include <lauxlib.h>
#include <lua.h>

#include "script/bind.h"
#include "script/raise.h"
#include "script/task.h"
#include "script/vm.h"

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
    const struct task *task = vm_tasks(vm_of(L))->running;
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
}
