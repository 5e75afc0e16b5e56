/* encode: Lua values as JSON text (RFC 8259). lua-cjson reads JSON for us; it does
 * not write it, because its numbers have 14 digits (a row id in microseconds has
 * 16), its recursion has no bound on what a table that holds itself twice at
 * thirty levels unfolds to, and an empty list and an empty object are one to it. */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atom.h"
#include "base/text.h"
#include "script/here.h"
#include "script/objects.h"
#include "script/raise.h"
#include "script/values.h"

enum { DEPTH_MAX = 32, VALUES_MAX = 200000, BYTES_MAX = 4 << 20 };

struct encoder {
    struct buf *out;
    unsigned values, depth;
};

static char list_key; /* the metatable of json.list in the registry */

static void encode(lua_State *L, int index, struct encoder *encoder);

static struct bytes text_at(lua_State *L, int index)
{
    struct bytes text;
    text.data = lua_tolstring(L, index, &text.size);
    return text;
}

/* Whole numbers as they are; others with as few digits as give them back. */
static void encode_number(lua_State *L, double number, struct buf *out)
{
    if (!isfinite(number)) raise_sentence(L, "JSON has no number for %f", number);
    if (number == floor(number) && fabs(number) <= 9007199254740992.0) {
        buf_printf(out, "%.0f", number);
        return;
    }
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    buf_add_text(out, text);
}

/* The length of a list with few holes; 0: it is no list; -1: it is empty. */
static int list_length(lua_State *L, int index)
{
    int count = 0;
    double longest = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        double key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (key < 1 || key != floor(key)) {
            lua_pop(L, 1);
            return 0;
        }
        count++;
        if (key > longest) longest = key;
    }
    if (longest > 2.0 * count + 16)
        raise_sentence(L, "JSON: a list with %d values up to number %f has too many holes", count,
                       longest);
    return count ? (int)longest : -1;
}

static bool is_marked_list(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index)) return false;
    lua_pushlightuserdata(L, &list_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

static void encode_list(lua_State *L, int index, int length, struct encoder *encoder)
{
    buf_add_char(encoder->out, '[');
    for (int i = 1; i <= length; i++) {
        if (i > 1) buf_add_char(encoder->out, ',');
        lua_rawgeti(L, index, i);
        encode(L, lua_gettop(L), encoder);
        lua_pop(L, 1);
    }
    buf_add_char(encoder->out, ']');
}

/* A key of an object, borrowed from the table: nothing of a rule's runs while it is encoded. */
struct field {
    struct bytes name; /* data NULL: it is a number */
    double number;
};

/* Numbers first. */
static int by_name(const void *left, const void *right)
{
    const struct field *a = left, *b = right;
    if (!a->name.data && !b->name.data) return (a->number > b->number) - (a->number < b->number);
    if (!a->name.data || !b->name.data) return a->name.data ? 1 : -1;
    const size_t shorter = a->name.size < b->name.size ? a->name.size : b->name.size;
    const int order = memcmp(a->name.data, b->name.data, shorter);
    return order ? order : (a->name.size > b->name.size) - (a->name.size < b->name.size);
}

static struct field field_at(lua_State *L, int index)
{
    int type = lua_type(L, index);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        raise_sentence(L, "JSON: a key that is a %s, expected a text", luaL_typename(L, index));
    if (type == LUA_TNUMBER) return (struct field){.number = lua_tonumber(L, index)};
    return (struct field){.name = text_at(L, index)};
}

/* Pushes the value; the key is written as it is. */
static void encode_name(lua_State *L, int index, const struct field *field, struct buf *out)
{
    if (field->name.data)
        lua_pushlstring(L, field->name.data, field->name.size);
    else
        lua_pushnumber(L, field->number);
    lua_pushvalue(L, -1); /* a number made a text is another key */
    text_json_string(out, text_at(L, -1));
    lua_pop(L, 1);
    buf_add_char(out, ':');
    lua_rawget(L, index);
}

static size_t count_fields(lua_State *L, int index)
{
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) count++;
    return count;
}

/* In the order of the names: Lua's own is another one in every VM, and what two of them say of the
 * same is compared as text (rules and their shadow, a recording and its replay). */
static void encode_object(lua_State *L, int index, struct encoder *encoder)
{
    struct field few[16], *fields = few;
    const size_t count = count_fields(L, index);
    if (count > sizeof few / sizeof few[0])
        fields = lua_newuserdata(L, count * sizeof *fields);
    else
        lua_pushnil(L);
    struct field *next = fields;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) *next++ = field_at(L, -2);
    if (count) qsort(fields, count, sizeof *fields, by_name);
    buf_add_char(encoder->out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i) buf_add_char(encoder->out, ',');
        encode_name(L, index, &fields[i], encoder->out);
        encode(L, lua_gettop(L), encoder);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    buf_add_char(encoder->out, '}');
}

static void encode_table(lua_State *L, int index, struct encoder *encoder)
{
    if (encoder->depth == DEPTH_MAX) raise_sentence(L, "JSON: nested deeper than %d", DEPTH_MAX);
    encoder->depth++;
    luaL_checkstack(L, 8, "JSON");
    int length = list_length(L, index);
    if (length > 0)
        encode_list(L, index, length, encoder);
    else if (length < 0 && is_marked_list(L, index))
        buf_add_text(encoder->out, "[]");
    else
        encode_object(L, index, encoder);
    encoder->depth--;
}

static void encode_other(lua_State *L, int index, struct encoder *encoder)
{
    struct atom *text = frozen_text(L, index);
    if (text) {
        buf_add_bytes(encoder->out, atom_bytes(text));
    } else if (frozen_table(L, index)) {
        encode_table(L, lua_gettop(L), encoder);
        lua_pop(L, 1);
    } else {
        raise_sentence(L, "JSON: plain data only, not a %s",
                       lua_type(L, index) == LUA_TUSERDATA ? "handle" : luaL_typename(L, index));
    }
}

static void encode(lua_State *L, int index, struct encoder *encoder)
{
    if (json_absent(L, index)) {
        buf_add_text(encoder->out, "null");
    } else {
        switch (lua_type(L, index)) {
        case LUA_TBOOLEAN:
            buf_add_text(encoder->out, lua_toboolean(L, index) ? "true" : "false");
            break;
        case LUA_TNUMBER:
            encode_number(L, lua_tonumber(L, index), encoder->out);
            break;
        case LUA_TSTRING:
            text_json_string(encoder->out, text_at(L, index));
            break;
        case LUA_TTABLE:
            encode_table(L, index, encoder);
            break;
        default:
            encode_other(L, index, encoder);
        }
    }
    if (++encoder->values > VALUES_MAX || encoder->out->size > BYTES_MAX)
        raise_sentence(L, "JSON: more than %d values or %d bytes", VALUES_MAX, BYTES_MAX);
}

struct bytes json_encode(lua_State *L, int index)
{
    struct encoder encoder = {here_scratch(L), 0, 0};
    if (index < 0) index = lua_gettop(L) + index + 1;
    luaL_checkstack(L, 6, "JSON");
    encode(L, index, &encoder);
    lua_pushlstring(L, encoder.out->data, encoder.out->size);
    return text_at(L, -1);
}

bool text_given(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER;
}

struct bytes text_take(lua_State *L, int index)
{
    if (index < 0) index = lua_gettop(L) + index + 1;
    if (lua_type(L, index) == LUA_TNUMBER) { /* 1800000000000000 is not "1.8e+15" */
        json_encode(L, index);
        lua_replace(L, index);
    }
    return text_at(L, index);
}

static int l_json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    json_encode(L, 1);
    return 1;
}

void json_mark_list(lua_State *L)
{
    lua_pushlightuserdata(L, &list_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
}

/* json_list(table): the same table, which is [] also when it is empty */
static int l_json_list(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    json_mark_list(L);
    return 1;
}

void bind_encode(lua_State *L)
{
    lua_pushlightuserdata(L, &list_key);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, l_json_encode);
    lua_setfield(L, -2, "json_encode");
    lua_pushcfunction(L, l_json_list);
    lua_setfield(L, -2, "json_list");
}
