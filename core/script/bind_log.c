/* bind_log: lines of rules in the server's log: fixed words, and named values. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "ports/log.h"
#include "script/bind.h"
#include "script/values.h"
#include "script/vm.h"

enum { FIELDS_MAX = 16, TEXT_MAX = 4096 };

static struct bytes clipped(lua_State *L, int index)
{
    struct bytes text;
    text.data = lua_tolstring(L, index, &text.size);
    if (text.size > TEXT_MAX) text.size = TEXT_MAX;
    return text;
}

/* The value at the index as a text on top of the stack. */
static struct bytes value_text(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
        lua_pushvalue(L, index);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TTABLE:
    case LUA_TUSERDATA:
        json_encode(L, index);
        break;
    default:
        lua_pushstring(L, luaL_typename(L, index));
    }
    return clipped(L, -1);
}

/* At most FIELDS_MAX - 1 of them. */
static size_t read_fields(lua_State *L, int index, struct log_field *fields)
{
    size_t count = 0;
    luaL_checkstack(L, 4 * FIELDS_MAX, "log");
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int value = lua_gettop(L);
        if (count == FIELDS_MAX - 1) return count;
        fields[count].name = luaL_checkstring(L, value - 1);
        fields[count++].text = value_text(L, value);
        lua_pushvalue(L, value - 1); /* the texts stay on the stack */
    }
    return count;
}

/* log(level, message, fields) */
static int l_log(lua_State *L)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
    struct vm *vm = vm_of(L);
    struct log *log = vm_options(vm_of(L))->ports->log;
    enum log_level level = (enum log_level)luaL_checkoption(L, 1, NULL, levels);
    struct log_field fields[FIELDS_MAX] = {F_TEXT("app", vm_name(vm))};
    size_t count = 1;
    const char *message = luaL_checkstring(L, 2);
    if (level > log->level) return 0;
    if (lua_istable(L, 3)) count += read_fields(L, 3, fields + 1);
    log->write(log, level, message, fields, count);
    return 0;
}

void bind_log(lua_State *L)
{
    lua_pushcfunction(L, l_log);
    lua_setfield(L, -2, "log");
}
