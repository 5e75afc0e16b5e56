#include "script/here.h"

#include <lauxlib.h>
#include <lua.h>

#include "engine/shadow.h"
#include "script/call.h"
#include "script/quota.h"
#include "script/vm.h"

enum { SCRATCH_KEPT = 64 << 10 };

struct app *here_app(lua_State *L)
{
    return vm_app(vm_of(L));
}

const struct engine_ports *here_ports(lua_State *L)
{
    return vm_options(vm_of(L))->ports;
}

struct tasks *here_tasks(lua_State *L)
{
    return vm_tasks(vm_of(L));
}

struct store *here_store(lua_State *L)
{
    const struct vm *vm = vm_of(L);
    struct shadow *shadow = vm_shadow(vm);
    return shadow ? shadow_store(shadow) : app_store(vm_app(vm));
}

bool here_shadowed(lua_State *L)
{
    return vm_shadow(vm_of(L));
}

struct running *here_running(lua_State *L)
{
    return call_running(vm_of(L));
}

struct buf *here_scratch(lua_State *L)
{
    struct buf *scratch = vm_scratch(vm_of(L));
    if (scratch->capacity > SCRATCH_KEPT) buf_destroy(scratch);
    buf_clear(scratch);
    return scratch;
}

void here_room(lua_State *L, size_t bytes)
{
    const struct quota *quota = vm_quota(vm_of(L));
    if (quota->used_bytes + bytes <= quota->limit_bytes) return;
    lua_gc(L, LUA_GCCOLLECT, 0);
    if (quota->used_bytes + bytes > quota->limit_bytes) luaL_error(L, "not enough memory");
}
