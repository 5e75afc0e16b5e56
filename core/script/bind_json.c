/* bind_json: JSON texts as Lua values, read by lua-cjson, within limits: cjson is C,
 * which the watchdog cannot stop. JSON's null is json.null (a light userdata that
 * is true as a condition), nil is absence.
 *
 * What a rule passes on must be what came: [] is no {}. This cjson makes the same table of
 * both, so it reads another text, in which a stand-in is for each []; a list, marked as one, takes
 * its place. The stand-in is a text of one byte 0xFF, which no JSON has: in one that has it
 * nevertheless, which is then no UTF-8, empty lists stay as cjson reads them. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "script/here.h"
#include "script/values.h"

enum {
    DEPTH_MAX = 32,
    BYTES_MAX = 4 << 20,
    UNFOLDED = 32 /* bytes of Lua that a byte of JSON may become: "[]," is a table and its place */
};

static char decode_key; /* cjson's function in the registry */

static const char stand_in = (char)0xff;

/* The size of the empty list that begins here; 0: none does. */
static size_t empty_list(const char *at, const char *end)
{
    const char *next = at;
    if (*next++ != '[') return 0;
    while (next < end && (*next == ' ' || *next == '\t' || *next == '\n' || *next == '\r')) next++;
    return next < end && *next == ']' ? (size_t)(next + 1 - at) : 0;
}

/* May be wrong about what stands in a string. */
static bool may_have_empty_list(struct bytes text)
{
    const char *end = text.data + text.size, *at = text.data;
    if (!at || memchr(at, stand_in, text.size)) return false;
    while ((at = memchr(at, '[', (size_t)(end - at)))) {
        if (empty_list(at, end)) return true;
        at++;
    }
    return false;
}

/* Pushes the text with its empty lists replaced; "[]" is two bytes, its stand-in with quotes three. */
static void push_replaced(lua_State *L, struct bytes text)
{
    const char *at = text.data, *end = at + text.size;
    char *begin = lua_newuserdata(L, text.size + text.size / 2 + 1), *out = begin;
    bool in_string = false;
    while (at < end) {
        const size_t size = in_string ? 0 : empty_list(at, end);
        if (size) {
            *out++ = '"', *out++ = stand_in, *out++ = '"';
            at += size;
            continue;
        }
        if (*at == '"') in_string = !in_string;
        if (in_string && *at == '\\' && at + 1 < end) *out++ = *at++;
        *out++ = *at++;
    }
    lua_pushlstring(L, begin, (size_t)(out - begin));
    lua_remove(L, -2);
}

static bool is_stand_in(lua_State *L, int index)
{
    size_t size = 0;
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &size) : NULL;
    return size == 1 && *text == stand_in;
}

/* Puts lists where the stand-ins are, in the value on top, which may be one. False: one is a name, and so this
 * was no JSON. No deeper than cjson goes. */
static bool restore(lua_State *L)
{
    if (is_stand_in(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        json_mark_list(L);
        return true;
    }
    if (!lua_istable(L, -1)) return true;
    luaL_checkstack(L, 6, "JSON");
    for (lua_pushnil(L); lua_next(L, -2);) {
        if (is_stand_in(L, -2) || !restore(L)) return false;
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    return true;
}

/* Calls cjson with the text on top, which is replaced by the value, or by a sentence. */
static bool read_text(lua_State *L)
{
    lua_pushlightuserdata(L, &decode_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_insert(L, -2);
    return lua_pcall(L, 1, 1, 0) == 0;
}

bool json_decode(lua_State *L, struct bytes text)
{
    if (text.size > BYTES_MAX) {
        lua_pushfstring(L, "longer than %d bytes", BYTES_MAX);
        return false;
    }
    here_room(L, text.size * UNFOLDED + 4096); /* cjson loses memory of its own where Lua raises */
    const int top = lua_gettop(L);
    if (may_have_empty_list(text)) {
        push_replaced(L, text);
        if (read_text(L) && restore(L)) return true;
        lua_settop(L, top); /* what is wrong is said of the text as it came */
    }
    lua_pushlstring(L, text.data ? text.data : "", text.size);
    return read_text(L);
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
