/* bind_json: JSON texts as Lua values, read by lua-cjson, within limits: cjson is C,
 * which the watchdog cannot stop. JSON's null is json.null (a light userdata that
 * is true as a condition), nil is absence. */
#include <lauxlib.h>
#include <lua.h>

#include "script/here.h"
#include "script/values.h"

enum {
    DEPTH_MAX = 32,
    BYTES_MAX = 4 << 20,
    UNFOLDED = 32 /* bytes of Lua that a byte of JSON may become: "[]," is a table and its place */
};

static char decode_key; /* cjson's function in the registry */

bool json_decode(lua_State *L, struct bytes text)
{
    if (text.size > BYTES_MAX) {
        lua_pushfstring(L, "longer than %d bytes", BYTES_MAX);
        return false;
    }
    here_room(L, text.size * UNFOLDED + 4096); /* cjson loses memory of its own where Lua raises */
    lua_pushlightuserdata(L, &decode_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_pushlstring(L, text.data ? text.data : "", text.size);
    return lua_pcall(L, 1, 1, 0) == 0;
}

bool json_absent(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ||
           (lua_type(L, index) == LUA_TLIGHTUSERDATA && !lua_touserdata(L, index));
}

/* json_decode(text): value | nil, "bad_json", sentence */
static int l_json_decode(lua_State *L)
{
    struct bytes text;
    text.data = luaL_checklstring(L, 1, &text.size);
    if (json_decode(L, text)) return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    lua_pushliteral(L, "bad_json");
    lua_insert(L, -2);
    return 3;
}

/* An instance of cjson of this VM's own, with its settings. */
static void open_cjson(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    lua_remove(L, -2);
    lua_getfield(L, -1, "decode_max_depth");
    lua_pushinteger(L, DEPTH_MAX);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);
}

void bind_json(lua_State *L)
{
    open_cjson(L);
    lua_pushlightuserdata(L, &decode_key);
    lua_getfield(L, -2, "decode");
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_getfield(L, -1, "null");
    lua_setfield(L, -3, "null");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_json_decode);
    lua_setfield(L, -2, "json_decode");
}
