#include "script/channels.h"

#include <lauxlib.h>
#include <lua.h>

#include "script/bind.h"
#include "script/loaded.h"
#include "script/watchdog.h"

#define PAGE "sluice.channels"

enum { SLICES = 20 }; /* as loading has */

/* on_channels(function): returns the page */
static int l_on_channels(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, PAGE);
    return 0;
}

static int write_page(lua_State *L)
{
    struct buf *out = lua_touserdata(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, PAGE);
    lua_call(L, 0, 1);
    size_t size;
    const char *page = luaL_checklstring(L, -1, &size);
    buf_add(out, page, size);
    return 0;
}

bool channels_write(const struct loaded *loaded, struct buf *out, struct buf *errors)
{
    struct vm *vm = loaded->vm;
    lua_State *L = vm_lua(vm);
    struct watch watch;
    watchdog_enter(&watch, L, vm_options(vm)->slice_ms * SLICES);
    const int status = lua_cpcall(L, write_page, out);
    const bool stopped = watchdog_leave(&watch);
    if (status != 0)
        buf_printf(errors, "%s: %s\n", vm_path(vm),
                   stopped                         ? "its page took too long to write"
                   : lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                    : "its page cannot be written");
    lua_settop(L, 0);
    return status == 0;
}

void bind_channels(lua_State *L)
{
    lua_pushcfunction(L, l_on_channels);
    lua_setfield(L, -2, "on_channels");
}
