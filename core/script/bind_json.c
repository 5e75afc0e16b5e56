/* bind_json: JSON by lua-cjson, within limits: cjson is C, which the watchdog
 * cannot stop, and a value that holds itself twice at each of thirty levels has
 * a billion leaves. So what is to be encoded is measured first.
 *
 * JSON's null is json.null (a light userdata that is true as a condition), nil is
 * absence; an empty table is {}, json.list(t) makes it []. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/atom.h"
#include "script/objects.h"
#include "script/raise.h"
#include "script/values.h"

enum { DEPTH_MAX = 32, VALUES_MAX = 200000, BYTES_MAX = 4 << 20 };

static char encode_key, decode_key; /* cjson's functions in the registry */

struct measure {
    unsigned values;
    size_t bytes;
};

static void measure(lua_State *L, int index, unsigned depth, struct measure *sum);

static void measure_table(lua_State *L, int index, unsigned depth, struct measure *sum)
{
    if (depth >= DEPTH_MAX) raise_sentence(L, "JSON: nested deeper than %d", DEPTH_MAX);
    luaL_checkstack(L, 4, "JSON");
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int value = lua_gettop(L);
        if (lua_type(L, value - 1) == LUA_TSTRING) sum->bytes += lua_objlen(L, value - 1);
        measure(L, value, depth + 1, sum);
        lua_pop(L, 1);
    }
}

static void measure(lua_State *L, int index, unsigned depth, struct measure *sum)
{
    sum->bytes += 8;
    switch (lua_type(L, index)) {
    case LUA_TTABLE:
        measure_table(L, index, depth, sum);
        break;
    case LUA_TSTRING:
        sum->bytes += lua_objlen(L, index);
        break;
    case LUA_TUSERDATA:
        if (frozen_table(L, index))
            raise_sentence(L, "JSON: a part of the value is frozen; json.copy makes a table of it");
        raise_sentence(L, "JSON: plain data only, not a handle");
        break;
    case LUA_TFUNCTION:
    case LUA_TTHREAD:
        raise_sentence(L, "JSON: plain data only, not a %s", luaL_typename(L, index));
        break;
    default:
        break;
    }
    if (++sum->values > VALUES_MAX || sum->bytes > BYTES_MAX)
        raise_sentence(L, "JSON: more than %d values or %d bytes", VALUES_MAX, BYTES_MAX);
}

static void push_function(lua_State *L, char *key)
{
    lua_pushlightuserdata(L, key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

struct bytes json_encode(lua_State *L, int index)
{
    struct bytes json;
    struct measure sum = {0, 0};
    if (index < 0) index = lua_gettop(L) + index + 1;
    struct atom *text = frozen_text(L, index);
    if (text) {
        lua_pushlstring(L, text->text, text->size);
    } else if (frozen_table(L, index)) {
        json = json_encode(L, -1);
        lua_remove(L, -2);
        return json;
    } else {
        measure(L, index, 0, &sum);
        push_function(L, &encode_key);
        lua_pushvalue(L, index);
        if (lua_pcall(L, 1, 1, 0) != 0) raise_sentence(L, "JSON: %s", lua_tostring(L, -1));
    }
    json.data = lua_tolstring(L, -1, &json.size);
    return json;
}

bool json_decode(lua_State *L, struct bytes text)
{
    if (text.size > BYTES_MAX) {
        lua_pushfstring(L, "longer than %d bytes", BYTES_MAX);
        return false;
    }
    push_function(L, &decode_key);
    lua_pushlstring(L, text.data ? text.data : "", text.size);
    return lua_pcall(L, 1, 1, 0) == 0;
}

bool json_absent(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ||
           (lua_type(L, index) == LUA_TLIGHTUSERDATA && !lua_touserdata(L, index));
}

static int l_json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    json_encode(L, 1);
    return 1;
}

/* value | nil, "bad_json", sentence */
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

static void call_cjson(lua_State *L, const char *function, int argument)
{
    lua_getfield(L, -1, function);
    if (argument < 0)
        lua_pushboolean(L, 0);
    else
        lua_pushinteger(L, argument);
    lua_call(L, 1, 0);
}

static void keep_function(lua_State *L, const char *name, char *key)
{
    lua_pushlightuserdata(L, key);
    lua_getfield(L, -2, name);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void bind_json(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "new"); /* an instance of this VM's own */
    lua_call(L, 0, 1);
    call_cjson(L, "encode_max_depth", DEPTH_MAX + 1);
    call_cjson(L, "decode_max_depth", DEPTH_MAX);
    call_cjson(L, "encode_invalid_numbers", -1);
    call_cjson(L, "decode_invalid_numbers", -1);
    keep_function(L, "encode", &encode_key);
    keep_function(L, "decode", &decode_key);
    lua_getfield(L, -1, "null");
    lua_setfield(L, -4, "null");
    lua_pop(L, 2);
    lua_pushcfunction(L, l_json_encode);
    lua_setfield(L, -2, "json_encode");
    lua_pushcfunction(L, l_json_decode);
    lua_setfield(L, -2, "json_decode");
}
