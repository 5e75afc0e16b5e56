/* frozen: what authenticate said of a user, as rules read it: a value that
 * cannot be changed, because everybody with equal data shares it.
 *
 * It is a userdata, not a table behind a proxy: in Lua 5.1 `#` of a proxy table
 * is silently 0, of a userdata it is ours. Its environment table is the real
 * one. Roots are cached by their atom for as long as anyone holds them: the cache
 * is weak, and the root keeps its atom, so the address stays one of a kind. */
#include <lauxlib.h>
#include <lua.h>

#include "base/atom.h"
#include "script/handle.h"
#include "script/objects.h"
#include "script/raise.h"
#include "script/values.h"

struct frozen {
    struct handle handle;
    struct atom *text; /* of a root; NULL in a part of one */
};

static const struct handle_kind kind = {"frozen value", NULL, NULL, HANDLE_FROZEN};

static char cache_key, parts_key; /* weak tables in the registry */

static void push_registry(lua_State *L, char *key)
{
    lua_pushlightuserdata(L, key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Wraps the table on top, in its place. */
static struct frozen *wrap(lua_State *L)
{
    struct frozen *frozen = handle_new(L, &kind, sizeof *frozen);
    lua_insert(L, -2);
    lua_setfenv(L, -2);
    return frozen;
}

/* The value on top, wrapped if it is a table; a part is the same userdata each time. */
static void freeze_part(lua_State *L)
{
    if (!lua_istable(L, -1)) return;
    push_registry(L, &parts_key);
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -2); /* table, parts, table */
        lua_pushvalue(L, -1);
        wrap(L); /* table, parts, table, userdata */
        lua_pushvalue(L, -1);
        lua_insert(L, -3); /* table, parts, userdata, table, userdata */
        lua_rawset(L, -4); /* table, parts, userdata */
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

void frozen_push(lua_State *L, struct atom *json)
{
    if (!json) {
        lua_pushnil(L);
        return;
    }
    push_registry(L, &cache_key);
    lua_pushlightuserdata(L, json);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1)) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    if (!json_decode(L, atom_bytes(json)))
        raise_sentence(L, "the data of an identity: %s", lua_tostring(L, -1));
    if (lua_istable(L, -1)) {
        struct frozen *frozen = wrap(L);
        frozen->text = atom_ref(json);
        lua_pushlightuserdata(L, json);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

struct atom *frozen_text(lua_State *L, int index)
{
    struct frozen *frozen = handle_test(L, index, &kind);
    return frozen ? frozen->text : NULL;
}

bool frozen_table(lua_State *L, int index)
{
    if (!handle_test(L, index, &kind)) return false;
    lua_getfenv(L, index);
    return true;
}

static int l_index(lua_State *L)
{
    lua_getfenv(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    freeze_part(L);
    return 1;
}

static int l_newindex(lua_State *L)
{
    return raise_sentence(L, "data is frozen: sub:set(data) gives a subscriber new data, "
                             "json.copy(data) makes a table that can be changed");
}

static int l_len(lua_State *L)
{
    lua_getfenv(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_objlen(L, -1));
    return 1;
}

static int l_gc(lua_State *L)
{
    struct frozen *frozen = lua_touserdata(L, 1);
    atom_unref(frozen->text);
    frozen->text = NULL;
    return 0;
}

static int l_next(lua_State *L)
{
    lua_getfenv(L, 1);
    lua_pushvalue(L, 2);
    if (!lua_next(L, -2)) return 0;
    freeze_part(L);
    return 2;
}

/* next, value, nil: what the sandbox's pairs gives back */
static int l_pairs(lua_State *L)
{
    lua_pushcfunction(L, l_next);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* The table behind a frozen value, nothing for other values; for json.copy. */
static int l_frozen_table(lua_State *L)
{
    return frozen_table(L, 1) ? 1 : 0;
}

static void make_weak(lua_State *L, char *key, const char *mode)
{
    lua_pushlightuserdata(L, key);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void bind_frozen(lua_State *L)
{
    static const luaL_Reg methods[] = {{"__index", l_index}, {"__newindex", l_newindex},
                                       {"__len", l_len},     {"__pairs", l_pairs},
                                       {"__gc", l_gc},       {NULL, NULL}};
    handle_define(L, &kind);
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 1);
    make_weak(L, &cache_key, "v");
    make_weak(L, &parts_key, "kv");
    lua_pushcfunction(L, l_frozen_table);
    lua_setfield(L, -2, "frozen_table");
}
