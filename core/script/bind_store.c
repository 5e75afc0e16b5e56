/* bind_store: the app's shared dictionary. Values cross as JSON text, so that a
 * new generation's VM reads what the old one wrote. */
#include <lauxlib.h>
#include <lua.h>

#include "hub/store.h"
#include "script/bind.h"
#include "script/here.h"
#include "script/phase.h"
#include "script/raise.h"
#include "script/values.h"

enum { KEY_MAX = 2048, TTL_MAX_S = 366 * 86400 };

static struct store *store_at(lua_State *L, const char *name)
{
    phase_check(L, CALL_STORE, name);
    return here_store(L);
}

static struct bytes key_at(lua_State *L, int index)
{
    struct bytes key;
    if (!text_given(L, index))
        raise_sentence(L, "store: the key is a %s, expected a text", luaL_typename(L, index));
    key = text_take(L, index);
    if (key.size > KEY_MAX)
        raise_sentence(L, "store: a key of %d bytes, %d at most", (int)key.size, KEY_MAX);
    return key;
}

static uint64_t ttl_at(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index)) return 0;
    lua_Number seconds = lua_tonumber(L, index);
    if (lua_type(L, index) != LUA_TNUMBER || !(seconds > 0 && seconds <= TTL_MAX_S))
        raise_sentence(L, "store: ttl must be seconds above 0, up to %d", TTL_MAX_S);
    return (uint64_t)(seconds * 1000 + 0.999);
}

static void push_value(lua_State *L, struct bytes value)
{
    if (!value.data)
        lua_pushnil(L);
    else if (!json_decode(L, value))
        raise_sentence(L, "store: %s", lua_tostring(L, -1));
}

static int l_get(lua_State *L)
{
    struct store *store = store_at(L, "store.get");
    push_value(L, store_get(store, key_at(L, 1)));
    return 1;
}

static int full(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "full");
    lua_pushliteral(L, "the app's store is at its bound of entries or bytes");
    return 3;
}

/* store_set(key, value, ttl): true | nil, "full", sentence; nil deletes */
static int l_set(lua_State *L)
{
    struct store *store = store_at(L, "store.set");
    struct bytes key = key_at(L, 1);
    uint64_t ttl_ms = ttl_at(L, 3);
    bool good = true;
    if (lua_isnoneornil(L, 2))
        store_delete(store, key);
    else
        good = store_set(store, key, json_encode(L, 2), ttl_ms);
    if (!good) return full(L);
    lua_pushboolean(L, 1);
    return 1;
}

/* store_add(key, value, ttl): true, false if something is there | nil, "full", sentence */
static int l_add(lua_State *L)
{
    struct store *store = store_at(L, "store.add");
    struct bytes key = key_at(L, 1);
    uint64_t ttl_ms = ttl_at(L, 3);
    enum store_added added = store_add(store, key, json_encode(L, 2), ttl_ms);
    if (added == STORE_FULL) return full(L);
    lua_pushboolean(L, added == STORE_ADDED);
    return 1;
}

static int l_delete(lua_State *L)
{
    struct store *store = store_at(L, "store.delete");
    lua_pushboolean(L, store_delete(store, key_at(L, 1)));
    return 1;
}

/* Notes the key with its size before it: what is pushed is pushed after the walk. */
static void note_key(void *ctx, struct bytes key, struct bytes value)
{
    (void)value;
    buf_add(ctx, &key.size, sizeof key.size);
    buf_add_bytes(ctx, key);
}

/* store_keys(prefix): a sorted list */
static int l_keys(lua_State *L)
{
    struct store *store = store_at(L, "store.keys");
    struct bytes prefix = lua_isnoneornil(L, 1) ? BYTES("") : key_at(L, 1);
    struct buf *seen = here_scratch(L);
    store_each(store, prefix, note_key, seen);
    lua_newtable(L);
    int count = 0;
    for (size_t at = 0; at < seen->size;) {
        size_t size;
        memcpy(&size, seen->data + at, sizeof size);
        lua_pushlstring(L, seen->data + at + sizeof size, size);
        lua_rawseti(L, -2, ++count);
        at += sizeof size + size;
    }
    return 1;
}

void bind_store(lua_State *L)
{
    static const luaL_Reg functions[] = {{"store_get", l_get},   {"store_set", l_set},
                                         {"store_add", l_add},   {"store_delete", l_delete},
                                         {"store_keys", l_keys}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
