#include "rig/rules.h"

#include <lauxlib.h>

#include "rig/values.h"
#include "rig/world.h"
#include "script/channels.h"
#include "script/loaded.h"

/* :load(path) -> true | nil, errors */
static int l_load(lua_State *L)
{
    struct rig_handle *handle = luaL_checkudata(L, 1, RIG_WORLD);
    struct buf errors = BUF_EMPTY;
    handle->L = L;
    bool good = world_load(rig_world(L), luaL_checkstring(L, 2), &errors);
    return rig_push_outcome(L, good, &errors);
}

/* :reload(path), or :reload{ path, ... } of all apps -> true | nil, errors */
static int l_reload(lua_State *L)
{
    struct rig_handle *handle = luaL_checkudata(L, 1, RIG_WORLD);
    const char *paths[WORLD_APPS_MAX];
    const bool only = lua_istable(L, 2);
    const size_t count = only ? lua_objlen(L, 2) : 1;
    luaL_argcheck(L, count <= WORLD_APPS_MAX, 2, "too many apps");
    paths[0] = only ? NULL : luaL_checkstring(L, 2);
    for (size_t i = 0; only && i < count; i++) {
        lua_rawgeti(L, 2, (int)i + 1);
        paths[i] = luaL_checkstring(L, -1);
        lua_pop(L, 1); /* the table keeps it alive */
    }
    struct buf errors = BUF_EMPTY;
    handle->L = L;
    bool good = world_reload(rig_world(L), paths, count, only, &errors);
    return rig_push_outcome(L, good, &errors);
}

/* :shadow(path) -> true | nil, errors; without a path it ends */
static int l_shadow(lua_State *L)
{
    struct rig_handle *handle = luaL_checkudata(L, 1, RIG_WORLD);
    struct buf errors = BUF_EMPTY;
    bool good = true;
    handle->L = L;
    if (lua_isnoneornil(L, 2))
        world_unshadow(rig_world(L));
    else
        good = world_shadow(rig_world(L), luaL_checkstring(L, 2), &errors);
    return rig_push_outcome(L, good, &errors);
}

static void push_difference(void *ctx, struct bytes event, struct bytes lines)
{
    lua_State *L = ctx;
    lua_newtable(L);
    rig_set_bytes(L, "event", event);
    rig_set_bytes(L, "lines", lines);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

/* :shadowed() -> { events, different, failed, skipped, unsent, differences } | nil */
static int l_shadowed(lua_State *L)
{
    const struct world *world = rig_world(L);
    if (!world->shadow) return 0;
    const struct shadow_counters *counters = shadow_counters(world->shadow->shadow);
    lua_newtable(L);
    rig_set_number(L, "events", (double)counters->events);
    rig_set_number(L, "different", (double)counters->different);
    rig_set_number(L, "failed", (double)counters->failed);
    rig_set_number(L, "skipped", (double)counters->skipped);
    rig_set_number(L, "unsent", (double)world->shadow_ports.mirror.unsent);
    lua_newtable(L);
    shadow_differences_each(world->shadow->shadow, push_difference, L);
    lua_setfield(L, -2, "differences");
    return 1;
}

/* :channels(index) -> the page of the app at it, counted from 1 | nil, errors */
static int l_channels(lua_State *L)
{
    const struct world *world = rig_world(L);
    const size_t index = (size_t)luaL_checkinteger(L, 2) - 1;
    luaL_argcheck(L, index < node_apps(world->node), 2, "no such app");
    struct buf page = BUF_EMPTY, errors = BUF_EMPTY;
    const bool good = channels_write(world->loaded[index], &page, &errors);
    if (!good) {
        buf_destroy(&page);
        return rig_push_outcome(L, false, &errors);
    }
    rig_push_buf(L, &page);
    buf_destroy(&page);
    buf_destroy(&errors);
    return 1;
}

/* :keys() -> of every ingest that has keys, the first one by its path */
static int l_keys(lua_State *L)
{
    const struct world *world = rig_world(L);
    lua_newtable(L);
    for (size_t i = 0; i < node_apps(world->node); i++) {
        const struct plan *plan = app_plan(node_app(world->node, i));
        for (size_t j = 0; j < plan->ingest_count; j++) {
            const struct plan_ingest *ingest = plan->ingests[j];
            if (!ingest->key_count) continue;
            rig_set_bytes(L, pattern_text(ingest->at.path).data, atom_bytes(ingest->keys[0]));
        }
    }
    return 1;
}

static const luaL_Reg methods[] = {
    {"load", l_load},         {"reload", l_reload}, {"shadow", l_shadow},
    {"shadowed", l_shadowed}, {"keys", l_keys},     {"channels", l_channels},
    {NULL, NULL},
};

void rig_rules_register(lua_State *L)
{
    luaL_register(L, NULL, methods);
}
