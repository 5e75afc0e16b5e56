#include "rig/values.h"

#include <lauxlib.h>

struct world *rig_world(lua_State *L)
{
    struct rig_handle *handle = luaL_checkudata(L, 1, RIG_WORLD);
    if (!handle->world) luaL_error(L, "this world is closed");
    return handle->world;
}

struct bytes rig_field_bytes(lua_State *L, int index, const char *name, const char *standard)
{
    lua_getfield(L, index, name);
    struct bytes bytes = bytes_of(standard);
    if (lua_isstring(L, -1)) bytes.data = lua_tolstring(L, -1, &bytes.size);
    lua_pop(L, 1); /* the table keeps it alive */
    return bytes;
}

double rig_field_number(lua_State *L, int index, const char *name, double standard)
{
    lua_getfield(L, index, name);
    double number = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : standard;
    lua_pop(L, 1);
    return number;
}

bool rig_field_flag(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    const bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

/* A list of { name, value } pairs. */
size_t rig_field_headers(lua_State *L, int index, struct http_header *headers)
{
    size_t count = 0;
    lua_getfield(L, index, "headers");
    int list = lua_gettop(L);
    if (lua_istable(L, list)) {
        count = lua_objlen(L, list);
        luaL_argcheck(L, count <= RIG_HEADERS_MAX, index, "too many headers");
        for (size_t i = 0; i < count; i++) {
            lua_rawgeti(L, list, (int)i + 1);
            lua_rawgeti(L, -1, 1);
            lua_rawgeti(L, -2, 2);
            headers[i].name.data = luaL_checklstring(L, -2, &headers[i].name.size);
            headers[i].value.data = luaL_checklstring(L, -1, &headers[i].value.size);
            lua_pop(L, 3);
        }
    }
    lua_pop(L, 1);
    return count;
}

size_t rig_field_topics(lua_State *L, int index, struct bytes *topics)
{
    size_t count = 0;
    lua_getfield(L, index, "topics");
    if (lua_istable(L, -1)) {
        count = lua_objlen(L, -1);
        luaL_argcheck(L, count <= RIG_TOPICS_MAX, index, "too many topics");
        for (size_t i = 0; i < count; i++) {
            lua_rawgeti(L, -1, (int)i + 1);
            topics[i].data = luaL_checklstring(L, -1, &topics[i].size);
            lua_pop(L, 1); /* the table keeps it alive */
        }
    }
    lua_pop(L, 1);
    return count;
}

void rig_push_buf(lua_State *L, const struct buf *buf)
{
    lua_pushlstring(L, buf->data ? buf->data : "", buf->size);
}

void rig_set_buf(lua_State *L, const char *name, const struct buf *buf)
{
    rig_push_buf(L, buf);
    lua_setfield(L, -2, name);
}

void rig_set_number(lua_State *L, const char *name, double number)
{
    lua_pushnumber(L, number);
    lua_setfield(L, -2, name);
}

void rig_set_bytes(lua_State *L, const char *name, struct bytes bytes)
{
    lua_pushlstring(L, bytes.data ? bytes.data : "", bytes.size);
    lua_setfield(L, -2, name);
}

int rig_push_outcome(lua_State *L, bool good, struct buf *errors)
{
    if (good)
        lua_pushboolean(L, true);
    else
        lua_pushnil(L);
    rig_push_buf(L, errors);
    buf_destroy(errors);
    return 2;
}
