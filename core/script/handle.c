/* handle: see handle.h. The kind is told by the first word of the userdata, which
 * is one comparison; luaL_checkudata would look a name up in the registry each
 * time. */
#include "script/handle.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/text.h"
#include "script/raise.h"

static char registry_key[HANDLE_KINDS]; /* their addresses: metatables in the registry */

static int unknown_member(lua_State *L, const struct handle_kind *kind)
{
    enum { MOST = 32 };
    const char *names[MOST];
    size_t count = 0;
    for (const struct handle_member *m = kind->members; m->name && count < MOST - 1; m++)
        names[count++] = m->name;
    names[count] = NULL;
    if (lua_type(L, 2) != LUA_TSTRING)
        return raise_sentence(L, "%s: indexed by a %s, expected a name", kind->name,
                              luaL_typename(L, 2));
    const char *asked = lua_tostring(L, 2);
    const char *nearest = text_nearest(asked, names);
    if (nearest)
        return raise_sentence(L, "%s has no '%s'; did you mean '%s'?", kind->name, asked, nearest);
    return raise_sentence(L, "%s has no '%s'", kind->name, asked);
}

static int l_index(lua_State *L)
{
    struct handle *handle = lua_touserdata(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    switch (lua_type(L, -1)) {
    case LUA_TFUNCTION:
        return 1;
    case LUA_TNUMBER:
        return handle->kind->get(L, handle, (int)lua_tointeger(L, -1));
    default:
        return unknown_member(L, handle->kind);
    }
}

static int l_newindex(lua_State *L)
{
    struct handle *handle = lua_touserdata(L, 1);
    return raise_sentence(L, "%s cannot be changed by assignment", handle->kind->name);
}

static int l_tostring(lua_State *L)
{
    struct handle *handle = lua_touserdata(L, 1);
    lua_pushfstring(L, "%s: %p", handle->kind->name, (void *)handle);
    return 1;
}

void handle_define(lua_State *L, const struct handle_kind *kind)
{
    lua_createtable(L, 0, 8);
    lua_newtable(L);
    for (const struct handle_member *m = kind->members; m && m->name; m++) {
        if (m->method)
            lua_pushcfunction(L, m->method);
        else
            lua_pushinteger(L, m->field);
        lua_setfield(L, -2, m->name);
    }
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, l_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushstring(L, kind->name);
    lua_setfield(L, -2, "__metatable");
    lua_pushlightuserdata(L, &registry_key[kind->id]);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void *handle_new(lua_State *L, const struct handle_kind *kind, size_t size)
{
    struct handle *handle = lua_newuserdata(L, size);
    memset(handle, 0, size);
    handle->kind = kind;
    lua_pushlightuserdata(L, &registry_key[kind->id]);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
    return handle;
}

void *handle_test(lua_State *L, int index, const struct handle_kind *kind)
{
    if (lua_type(L, index) != LUA_TUSERDATA) return NULL;
    struct handle *handle = lua_touserdata(L, index);
    return handle->kind == kind ? handle : NULL;
}

void *handle_check(lua_State *L, int index, const struct handle_kind *kind)
{
    void *handle = handle_test(L, index, kind);
    if (!handle) {
        const struct handle *other =
            lua_type(L, index) == LUA_TUSERDATA ? lua_touserdata(L, index) : NULL;
        raise_sentence(L, "expected: %s, got: %s", kind->name,
                       other ? other->kind->name : luaL_typename(L, index));
    }
    return handle;
}
