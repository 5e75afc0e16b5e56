#include "script/kept.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

enum { ANSWER_MAX = 4 << 20, DEPTH_MAX = 32 };

static bool keep(struct buf *out, const struct redis_value *value, int depth)
{
    const int64_t number = value->kind == REDIS_NUMBER ? value->number
                           : value->kind == REDIS_LIST ? (int64_t)value->count
                                                       : (int64_t)value->text.size;
    buf_add_char(out, (char)value->kind);
    buf_add(out, &number, sizeof number);
    if (value->kind == REDIS_TEXT || value->kind == REDIS_ERROR) buf_add_bytes(out, value->text);
    if (depth == DEPTH_MAX) return false;
    for (size_t i = 0; value->kind == REDIS_LIST && i < value->count; i++)
        if (!keep(out, &value->items[i], depth + 1)) return false;
    return out->size <= ANSWER_MAX;
}

static void fail(struct kept *kept, const char *code, const char *sentence)
{
    kept->code = code;
    buf_clear(&kept->bytes);
    buf_add_text(&kept->bytes, sentence);
}

void kept_take(struct kept *kept, const struct redis_answer *answer)
{
    if (answer->code)
        fail(kept, answer->code, answer->sentence ? answer->sentence : answer->code);
    else if (!keep(&kept->bytes, answer->value, 0))
        fail(kept, "too_large", "the answer is larger than 4 MiB, or deeper than 32 lists");
}

/* Pushes the value that begins at `at`; returns where the next one does. */
static const char *push(lua_State *L, const char *at, bool listed)
{
    const enum redis_kind kind = (enum redis_kind)*at++;
    int64_t number;
    memcpy(&number, at, sizeof number);
    at += sizeof number;
    luaL_checkstack(L, 3, "redis");
    switch (kind) {
    case REDIS_NIL:
        if (listed)
            lua_pushboolean(L, 0);
        else
            lua_pushnil(L);
        return at;
    case REDIS_NUMBER:
        lua_pushnumber(L, (lua_Number)number);
        return at;
    case REDIS_TEXT:
        lua_pushlstring(L, at, (size_t)number);
        return at + number;
    case REDIS_ERROR:
        lua_createtable(L, 0, 1);
        lua_pushlstring(L, at, (size_t)number);
        lua_setfield(L, -2, "err");
        return at + number;
    case REDIS_LIST:
        break;
    }
    lua_createtable(L, (int)number, 0);
    for (int i = 1; i <= number; i++) {
        at = push(L, at, true);
        lua_rawseti(L, -2, i);
    }
    return at;
}

int kept_push(lua_State *L, const struct kept *kept)
{
    const struct bytes bytes = buf_bytes(&kept->bytes);
    if (!kept->code) {
        push(L, bytes.data, false);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, kept->code);
    lua_pushlstring(L, bytes.data ? bytes.data : "", bytes.size);
    return 3;
}

void kept_destroy(struct kept *kept)
{
    buf_destroy(&kept->bytes);
}
