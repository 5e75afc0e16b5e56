#include "script/tool.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

enum { EXIT_RAISED = 2 };

/* Puts the library in front of what package.path and package.cpath name already. */
static void set_paths(lua_State *L, const struct tool *tool)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "./?.lua;%s/?.lua;%s", tool->scripts_dir, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_getfield(L, -2, "cpath");
    lua_pushfstring(L, "%s/?.so;%s", tool->modules_dir, lua_tostring(L, -1));
    lua_setfield(L, -4, "cpath");
    lua_settop(L, 0);
}

static void set_words(lua_State *L, const struct tool *tool)
{
    lua_newtable(L);
    lua_pushfstring(L, "sluice %s", tool->name);
    lua_rawseti(L, -2, 0);
    for (size_t i = 0; i < tool->word_count; i++) {
        lua_pushstring(L, tool->words[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setglobal(L, "arg");
}

/* What is wrong with its words a tool says itself; what it raises is its own fault. */
static int explain(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING) luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static int run(lua_State *L)
{
    const struct tool *tool = lua_touserdata(L, 1);
    luaL_openlibs(L);
    set_paths(L, tool);
    set_words(L, tool);
    lua_pushfstring(L, "%s/sluice/tool/%s.lua", tool->scripts_dir, tool->name);
    if (luaL_loadfile(L, lua_tostring(L, -1)) != 0) return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

int tool_run(const struct tool *tool)
{
    lua_State *L = luaL_newstate();
    lua_pushcfunction(L, explain);
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, (void *)tool);
    const int status = lua_pcall(L, 1, 1, 1);
    int code = EXIT_RAISED;
    if (status == 0)
        code = (int)lua_tointeger(L, -1);
    else
        fprintf(stderr, "sluice %s: %s\n", tool->name, lua_tostring(L, -1));
    lua_close(L);
    return code;
}
