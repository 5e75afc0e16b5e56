/* bind_text: small judgements about texts, the environment, chance: what the
 * library needs of base/ and the outside. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "plan/pattern.h"
#include "ports/random.h"
#include "script/here.h"
#include "script/raise.h"
#include "script/values.h"
#include "script/vm.h"

static struct bytes text_at(lua_State *L, int index)
{
    struct bytes text;
    text.data = luaL_checklstring(L, index, &text.size);
    return text;
}

void push_bytes(lua_State *L, struct bytes bytes)
{
    if (bytes.data)
        lua_pushlstring(L, bytes.data, bytes.size);
    else
        lua_pushnil(L);
}

/* place(): where the rule file called, "rules/posta.lua:12" */
static int l_place(lua_State *L)
{
    raise_push_place(L);
    return 1;
}

/* nearest(word, list): the candidate that was probably meant, or nil */
static int l_nearest(lua_State *L)
{
    enum { MOST = 128 };
    const char *candidates[MOST];
    size_t count = lua_objlen(L, 2);
    if (count > MOST - 1) count = MOST - 1;
    luaL_checkstack(L, MOST, "nearest");
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (int)i + 1);
        candidates[i] = luaL_checkstring(L, -1);
    }
    candidates[count] = NULL;
    lua_pushstring(L, text_nearest(luaL_checkstring(L, 1), candidates));
    return 1;
}

static int l_is_tag(lua_State *L)
{
    lua_pushboolean(L, lua_type(L, 1) == LUA_TSTRING && text_is_tag(text_at(L, 1)));
    return 1;
}

static int l_breaks_line(lua_State *L)
{
    lua_pushboolean(L, text_breaks_line(text_at(L, 1)));
    return 1;
}

static int l_percent_encode(lua_State *L)
{
    struct buf *out = here_scratch(L);
    text_percent_encode(out, text_at(L, 1));
    lua_pushlstring(L, out->data ? out->data : "", out->size);
    return 1;
}

static int l_equal_secret(lua_State *L)
{
    lua_pushboolean(L, text_equal_secret(text_at(L, 1), text_at(L, 2)));
    return 1;
}

static int l_env(lua_State *L)
{
    const struct vm_options *options = vm_options(vm_of(L));
    const char *name = luaL_checkstring(L, 1);
    lua_pushstring(L, options->env ? options->env(options->env_ctx, name) : getenv(name));
    return 1;
}

/* token(): 128 random bits in hex */
static int l_token(lua_State *L)
{
    struct random *random = here_ports(L)->random;
    char text[33];
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)random->next(random),
             (unsigned long long)random->next(random));
    lua_pushlstring(L, text, 32);
    return 1;
}

/* Refusals: { status, code, message } with a metatable of their own. By number, so that reading one
 * makes no Lua value. */

static char refusal_key;

static void push_refusal_metatable(lua_State *L)
{
    lua_pushlightuserdata(L, &refusal_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

int refusal_raise(lua_State *L, int status, const char *code, const char *message)
{
    lua_createtable(L, 3, 0);
    lua_pushinteger(L, status);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, code);
    lua_rawseti(L, -2, 2);
    lua_pushstring(L, message);
    lua_rawseti(L, -2, 3);
    push_refusal_metatable(L);
    lua_setmetatable(L, -2);
    return lua_error(L);
}

bool refusal_read(lua_State *L, int index, int *status, const char **code, const char **message)
{
    if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
    push_refusal_metatable(L);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (!is) return false;
    if (index < 0) index = lua_gettop(L) + index + 1;
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    lua_rawgeti(L, index, 3);
    *status = (int)lua_tointeger(L, -3);
    *code = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "bad_request";
    *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    lua_pop(L, 3); /* the table keeps them */
    return true;
}

/* refuse(status, code, message) */
static int l_refuse(lua_State *L)
{
    return refusal_raise(L, (int)luaL_checkinteger(L, 1), luaL_checkstring(L, 2),
                         luaL_checkstring(L, 3));
}

static int l_refusal_tostring(lua_State *L)
{
    lua_rawgeti(L, 1, 3);
    return 1;
}

void bind_text(lua_State *L)
{
    static const luaL_Reg functions[] = {{"place", l_place},
                                         {"nearest", l_nearest},
                                         {"is_tag", l_is_tag},
                                         {"breaks_line", l_breaks_line},
                                         {"percent_encode", l_percent_encode},
                                         {"equal_secret", l_equal_secret},
                                         {"env", l_env},
                                         {"token", l_token},
                                         {"refuse", l_refuse},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, &refusal_key);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, l_refusal_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "refusal");
    lua_setfield(L, -2, "__metatable");
    lua_rawset(L, LUA_REGISTRYINDEX);
}
