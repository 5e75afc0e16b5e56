#include "script/field.h"

#include <lua.h>
#include <string.h>

#include "base/alloc.h"

struct bytes field_text(lua_State *L, const char *name)
{
    struct bytes text;
    lua_getfield(L, 1, name);
    text.data = lua_tolstring(L, -1, &text.size); /* lives in the table */
    lua_pop(L, 1);
    return text;
}

struct atom *field_atom(lua_State *L, const char *name)
{
    struct bytes text = field_text(L, name);
    return text.data ? atom_get(text) : NULL;
}

double field_number(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    double number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
}

uint64_t field_ms(lua_State *L, const char *name)
{
    return (uint64_t)(field_number(L, name) * 1000 + 0.5);
}

hook field_hook(lua_State *L, const char *name)
{
    return (hook)field_number(L, name);
}

bool field_is(lua_State *L, const char *name, const char *text)
{
    return bytes_is(field_text(L, name), text);
}

bool field_flag(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    const bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

void field_place(lua_State *L, struct plan_place *place)
{
    struct bytes text = field_text(L, "place");
    size_t size = text.size < sizeof place->text - 1 ? text.size : sizeof place->text - 1;
    memcpy(place->text, text.data, size);
    place->text[size] = '\0';
}

/* A list of the field's values, one call of `read` each; returns how many. */
size_t field_list(lua_State *L, const char *name, void **list, size_t item_size,
                         void (*read)(lua_State *L, void *item))
{
    lua_getfield(L, 1, name);
    size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
    *list = count ? xcalloc(count, item_size) : NULL;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        read(L, (char *)*list + i * item_size);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return count;
}

struct pattern *field_pattern(lua_State *L, enum pattern_kind kind, const char *name,
                                     const char **error)
{
    return pattern_new(kind, field_text(L, name), error);
}
