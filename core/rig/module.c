/* The Lua module `sluice.core`: a world as plain functions over plain data.
 * What specs are written with is scripts/sluice/rig.lua, which puts names and
 * manners on this. Nothing here calls back into the spec's Lua, so that no error
 * can jump over the core's frames. */
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/explanation.h"
#include "engine/fates.h"
#include "rig/client.h"
#include "rig/commands.h"
#include "rig/network.h"
#include "rig/rules.h"
#include "rig/values.h"
#include "rig/world.h"
#include "script/loaded.h"
#include "script/phase.h"
#include "upstream/link.h"

__attribute__((visibility("default"))) int luaopen_sluice_core(lua_State *L);

static const char *read_env(void *ctx, const char *name)
{
    struct rig_handle *handle = ctx;
    lua_rawgeti(handle->L, LUA_REGISTRYINDEX, handle->env);
    lua_pushstring(handle->L, name);
    lua_rawget(handle->L, -2);
    const char *value = lua_tostring(handle->L, -1);
    lua_pop(handle->L, 2); /* the table keeps it alive */
    return value || !handle->environ ? value : getenv(name);
}

static struct bucket_limit read_limit(lua_State *L, const char *rate, const char *burst)
{
    return (struct bucket_limit){.rate = (uint32_t)rig_field_number(L, 1, rate, 0),
                                 .burst = (uint32_t)rig_field_number(L, 1, burst, 1)};
}

/* What the config calls the same. */
static struct toll_limits read_toll(lua_State *L)
{
    return (struct toll_limits){
        .connect = read_limit(L, "connect_rate", "connect_burst"),
        .connect_per_address = read_limit(L, "connect_rate_per_address", "connect_burst_per_address"),
        .route_per_address = read_limit(L, "route_rate_per_address", "route_burst_per_address"),
        .publish = read_limit(L, "publish_rate", "publish_burst"),
        .streams_per_address = (uint32_t)rig_field_number(L, 1, "streams_per_address", 0),
        .keys = (uint32_t)rig_field_number(L, 1, "rate_keys", 65536)};
}

/* world{ scripts, seed, streams, streams_per_user, links, link_rate, the toll's, slice_ms, memory, quarantine,
 * audience_permits, explain_triggers, explain_decisions, env, environ, wall_ms, steady, redis,
 * clustered } */
static int l_world(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct rig_handle *handle = lua_newuserdata(L, sizeof(*handle));
    *handle = (struct rig_handle){.L = L};
    luaL_getmetatable(L, RIG_WORLD);
    lua_setmetatable(L, -2);
    lua_getfield(L, 1, "env");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    handle->env = luaL_ref(L, LUA_REGISTRYINDEX);
    handle->environ = rig_field_flag(L, 1, "environ");
    const struct world_options options = {
        .scripts_dir = xstrdup(rig_field_bytes(L, 1, "scripts", "scripts").data),
        .seed = (uint64_t)rig_field_number(L, 1, "seed", 1),
        .streams = (uint32_t)rig_field_number(L, 1, "streams", 1e6),
        .streams_per_user = (uint32_t)rig_field_number(L, 1, "streams_per_user", 0),
        .toll = read_toll(L),
        .links = (uint32_t)rig_field_number(L, 1, "links", 1e6),
        .link_rate = (uint64_t)rig_field_number(L, 1, "link_rate", 1000),
        .audience_permits = (uint32_t)rig_field_number(L, 1, "audience_permits", 100000),
        .explain = {.triggers = (uint32_t)rig_field_number(L, 1, "explain_triggers", 1024),
                    .decisions = (uint32_t)rig_field_number(L, 1, "explain_decisions", 16384)},
        .wall_ms = (uint64_t)rig_field_number(L, 1, "wall_ms", 0),
        .steady = rig_field_flag(L, 1, "steady"),
        .slice_ms = (uint32_t)rig_field_number(L, 1, "slice_ms", 500),
        .memory_bytes = (size_t)rig_field_number(L, 1, "memory", 64 << 20),
        .quarantine_after = (uint32_t)rig_field_number(L, 1, "quarantine", 5),
        .clustered = rig_field_flag(L, 1, "clustered"),
        .redis = rig_field_bytes(L, 1, "redis", NULL).data,
        .env = read_env,
        .env_ctx = handle};
    handle->world = world_new(&options);
    lua_getfield(L, 1, "redis");
    handle->redis = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

/* :run(), and :advance(milliseconds) -> what is left of them, which is more than 0 when the rules
 * made a request on the way. Both raise when the core does not come to rest. */
static int l_run(lua_State *L)
{
    if (!world_run(rig_world(L))) return luaL_error(L, "the core does not come to rest");
    return 0;
}

static int l_advance(lua_State *L)
{
    uint64_t ms = (uint64_t)luaL_checknumber(L, 2);
    if (!world_advance(rig_world(L), &ms))
        return luaL_error(L, "the core does not come to rest");
    lua_pushnumber(L, (double)ms);
    return 1;
}

/* :round(): one round of :run(). Was there anything to do? */
static int l_round(lua_State *L)
{
    lua_pushboolean(L, world_round(rig_world(L)));
    return 1;
}

/* :drain(spread_ms): begins it; what is left to do is done by :run() */
static int l_drain(lua_State *L)
{
    node_drain(rig_world(L)->node, (uint64_t)luaL_checknumber(L, 2));
    return 0;
}

static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)rig_world(L)->clock.now_ms);
    return 1;
}

/* ---- clients: light userdata that rig.lua wraps ---- */

static struct client *check_client(lua_State *L)
{
    struct client *client = lua_touserdata(L, 2);
    const struct world *world = rig_world(L);
    LIST_EACH(node, &world->clients) if (node == &client->node) return client;
    luaL_error(L, "no such client");
    return NULL;
}

/* :request{ method, path, query, body, address, listener, trusted, secure, headers, known,
 * user, data, named, topics } -> client */
static int l_request(lua_State *L)
{
    struct world *world = rig_world(L);
    struct http_header headers[RIG_HEADERS_MAX];
    struct bytes topics[RIG_TOPICS_MAX];
    luaL_checktype(L, 2, LUA_TTABLE);
    const struct client_request request = {
        .method = rig_field_bytes(L, 2, "method", "GET"),
        .path = rig_field_bytes(L, 2, "path", "/"),
        .query = rig_field_bytes(L, 2, "query", ""),
        .body = rig_field_bytes(L, 2, "body", ""),
        .address = rig_field_bytes(L, 2, "address", "127.0.0.1"),
        .listener = rig_field_bytes(L, 2, "listener", "127.0.0.1:8080"),
        .headers = headers,
        .header_count = rig_field_headers(L, 2, headers),
        .trusted = rig_field_flag(L, 2, "trusted"),
        .secure = rig_field_flag(L, 2, "secure"),
        .known = rig_field_flag(L, 2, "known"),
        .user = rig_field_bytes(L, 2, "user", NULL),
        .data = rig_field_bytes(L, 2, "data", NULL),
        .named = rig_field_flag(L, 2, "named"),
        .topics = topics,
        .topic_count = rig_field_topics(L, 2, topics)};
    struct client *client =
        client_new(node_handler(world->node), &world->later, &world->news, &request);
    list_append(&world->clients, &client->node);
    lua_pushlightuserdata(L, client);
    return 1;
}

/* :client(c) -> { state, status, head, why } */
static int l_client(lua_State *L)
{
    static const char *const states[] = {"waiting", "answered", "stream", "ended"};
    const struct client *client = check_client(L);
    lua_newtable(L);
    lua_pushstring(L, states[client->state]);
    lua_setfield(L, -2, "state");
    rig_set_number(L, "status", client->status);
    rig_set_buf(L, "head", &client->head);
    rig_set_bytes(L, "why", bytes_of(client->why));
    return 1;
}

/* :fresh() -> the clients to which something happened since the last call */
static int l_fresh(lua_State *L)
{
    struct world *world = rig_world(L);
    int count = 0;
    lua_newtable(L);
    LIST_EACH(node, &world->news) {
        list_remove(node);
        lua_pushlightuserdata(L, CONTAINER(node, struct client, fresh));
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* :take(c) -> the bytes that came since the last take */
static int l_take(lua_State *L)
{
    struct client *client = check_client(L);
    rig_push_buf(L, &client->body);
    buf_clear(&client->body);
    return 1;
}

static int l_cut(lua_State *L)
{
    client_cut(check_client(L));
    return 0;
}

/* :allow(c, bytes); without bytes: all */
static int l_allow(lua_State *L)
{
    struct client *client = check_client(L);
    client_allow(client, lua_isnoneornil(L, 3) ? SIZE_MAX : (size_t)luaL_checknumber(L, 3));
    return 0;
}

static int l_forget(lua_State *L)
{
    client_free(check_client(L));
    return 0;
}

/* ---- what the node is like ---- */

struct link_list {
    lua_State *L;
    int count;
};

static void push_link(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                      struct link *link)
{
    struct link_list *list = ctx;
    lua_newtable(list->L);
    rig_set_bytes(list->L, "upstream", atom_bytes(upstream->name));
    rig_set_bytes(list->L, "key", key);
    rig_set_bytes(list->L, "state", bytes_of(link_state_name(link_state(link))));
    rig_set_bytes(list->L, "last_id", link_last_id(link));
    rig_set_number(list->L, "leases", link_leases(link));
    lua_rawseti(list->L, -2, ++list->count);
}

/* :links() -> { upstream, key, state, leases, last_id } of every link */
static int l_links(lua_State *L)
{
    struct world *world = rig_world(L);
    struct link_list list = {L, 0};
    lua_newtable(L);
    for (size_t i = 0; i < node_apps(world->node); i++)
        app_links_each(node_app(world->node, i), push_link, &list);
    return 1;
}

static void push_upstream(lua_State *L, const struct plan *plan,
                          const struct plan_upstream *upstream)
{
    lua_newtable(L);
    rig_set_bytes(L, "app", atom_bytes(plan->app));
    rig_set_bytes(L, "upstream", atom_bytes(upstream->name));
    lua_newtable(L);
    for (size_t i = 0; i < upstream->handler_count; i++) {
        const struct bytes type = atom_bytes(upstream->handlers[i].type);
        lua_pushlstring(L, type.data, type.size);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "handlers");
}

/* :upstreams() -> { app, upstream, handlers = event types } of every declared upstream */
static int l_upstreams(lua_State *L)
{
    struct world *world = rig_world(L);
    int count = 0;
    lua_newtable(L);
    for (size_t i = 0; i < node_apps(world->node); i++) {
        const struct plan *plan = app_plan(node_app(world->node, i));
        for (size_t j = 0; j < plan->upstream_count; j++) {
            push_upstream(L, plan, plan->upstreams[j]);
            lua_rawseti(L, -2, ++count);
        }
    }
    return 1;
}

/* :cursor() -> that of the newest trigger, or of the beginning */
static int l_cursor(lua_State *L)
{
    struct world *world = rig_world(L);
    char cursor[CURSOR_MAX];
    lua_pushlstring(L, cursor, cursor_write(&world->order.epoch, &world->order.heard, cursor));
    return 1;
}

/* Calls of rules that failed, in whatever way. */
static double count_failures(const struct vm *vm)
{
    struct vm_counters counters;
    vm_count(vm, &counters);
    return (double)(counters.errors + counters.stopped + counters.late + counters.refused);
}

/* :counters() -> totals over all apps */
static int l_counters(lua_State *L)
{
    struct world *world = rig_world(L);
    double subscribers = 0, topics = 0, users = 0, delivered = 0, lagged = 0, emitted = 0, limited = 0,
           failures = 0;
    for (size_t i = 0; i < node_apps(world->node); i++) {
        const struct hub_counters *counters = hub_counters(app_hub(node_app(world->node, i)));
        subscribers += counters->subscribers;
        topics += counters->topics;
        users += counters->users;
        delivered += (double)counters->delivered;
        emitted += (double)counters->emitted;
        limited += (double)counters->limited;
        lagged += (double)counters->lagged;
        failures += count_failures(world->loaded[i]->vm);
    }
    lua_newtable(L);
    rig_set_number(L, "subscribers", subscribers);
    rig_set_number(L, "topics", topics);
    rig_set_number(L, "users", users);
    rig_set_number(L, "emitted", emitted);
    rig_set_number(L, "limited", limited);
    rig_set_number(L, "delivered", delivered);
    rig_set_number(L, "lagged", lagged);
    rig_set_number(L, "failures", failures);
    rig_set_number(L, "streams", node_counters(world->node)->streams);
    rig_set_number(L, "links", node_links(world->node));
    rig_set_number(L, "events_dropped", (double)node_counters(world->node)->events_dropped);
    rig_set_number(L, "vms", loaded_live());
    rig_set_number(L, "atoms", atom_live());
    rig_set_number(L, "blocks", (double)alloc_live());
    return 1;
}

/* :placed() -> { at, topic, type, data, id, cursor, user, tag, meta } of every trigger that took its place in the
 * order since the last call */
static int l_placed(lua_State *L)
{
    struct world *world = rig_world(L);
    lua_newtable(L);
    for (size_t i = 0; i < world->placed_count; i++) {
        const struct frame *frame = world->placed[i];
        char cursor[CURSOR_MAX];
        struct places at = {{0}};
        at.at[frame->server] = frame->place;
        const size_t size = cursor_write(&world->order.epoch, &at, cursor);
        lua_newtable(L);
        rig_set_number(L, "at", (double)frame->at_ms);
        rig_set_bytes(L, "topic", atom_bytes(frame->topic));
        rig_set_bytes(L, "type", frame->type ? atom_bytes(frame->type) : BYTES("resync"));
        rig_set_bytes(L, "data", frame_data(frame));
        rig_set_bytes(L, "cursor", bytes_run(cursor, size));
        rig_set_bytes(L, "id", frame_id(frame));
        if (frame->meta) rig_set_bytes(L, "meta", atom_bytes(frame->meta));
        if (frame->user) rig_set_bytes(L, "user", atom_bytes(frame->user));
        if (frame->tag) rig_set_bytes(L, "tag", atom_bytes(frame->tag));
        lua_rawseti(L, -2, (int)i + 1);
    }
    world_forget_placed(world);
    return 1;
}

/* :explain{ topic, user, id, last } -> its answer, as JSON | nil, "foreign" or "old" or "none" */
static int l_explain(lua_State *L)
{
    static const char *const why[] = {"", "foreign", "old", "none"};
    struct world *world = rig_world(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    const struct explanation_query query = {
        .topic = rig_field_bytes(L, 2, "topic", ""),
        .user = rig_field_bytes(L, 2, "user", ""),
        .id = rig_field_bytes(L, 2, "id", ""),
        .last = (uint32_t)rig_field_number(L, 2, "last", EXPLANATION_LAST)};
    struct buf answer = BUF_EMPTY;
    enum explanation given = explanation_write(world->node, &query, &explanation_json, &answer);
    if (given == EXPLANATION_GIVEN)
        rig_push_buf(L, &answer);
    else
        lua_pushnil(L);
    buf_destroy(&answer);
    lua_pushstring(L, why[given]);
    return 2;
}

/* :fates() -> the names of all outcomes that an explanation knows */
static int l_fates(lua_State *L)
{
    lua_newtable(L);
    for (enum fate fate = 0; fate < FATES; fate++) {
        lua_pushstring(L, fate_name(fate));
        lua_rawseti(L, -2, (int)fate + 1);
    }
    return 1;
}

/* :lines() -> the log so far, and how many lines of level error it has; clears both */
static int l_lines(lua_State *L)
{
    struct world *world = rig_world(L);
    rig_push_buf(L, &world->lines);
    lua_pushnumber(L, world->errors);
    buf_clear(&world->lines);
    world->errors = 0;
    return 2;
}

static bool end_world(lua_State *L, struct rig_handle *handle, struct buf *errors)
{
    if (!handle->world) return true;
    char *scripts = (char *)handle->world->_options.scripts_dir;
    handle->L = L;
    const bool good = world_free(handle->world, errors);
    if (good) xfree(scripts);
    handle->world = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, handle->env);
    luaL_unref(L, LUA_REGISTRYINDEX, handle->redis);
    return good;
}

/* :close() -> true | nil, what stayed */
static int l_close(lua_State *L)
{
    struct buf errors = BUF_EMPTY;
    const bool good = end_world(L, luaL_checkudata(L, 1, RIG_WORLD), &errors);
    return rig_push_outcome(L, good, &errors);
}

/* A spec that failed left it as it was. */
static int l_collect(lua_State *L)
{
    struct buf errors = BUF_EMPTY;
    end_world(L, luaL_checkudata(L, 1, RIG_WORLD), &errors);
    buf_destroy(&errors);
    return 0;
}

/* phases() -> the names of all phases in which rules run: each kind of hook, and the library's tasks */
static int l_phases(lua_State *L)
{
    int count = 0;
    lua_newtable(L);
    for (unsigned phase = 0; phase < PHASES; phase++) {
        if (phase == PHASE_LOAD) continue;
        lua_pushstring(L, phase_name((enum phase)phase));
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

static const luaL_Reg methods[] = {
    {"run", l_run},
    {"advance", l_advance}, {"round", l_round}, {"drain", l_drain},
    {"now", l_now},       {"request", l_request}, {"client", l_client},
    {"fresh", l_fresh},   {"take", l_take},     {"cut", l_cut},
    {"allow", l_allow},   {"forget", l_forget}, {"links", l_links},
    {"counters", l_counters}, {"lines", l_lines}, {"placed", l_placed},
    {"explain", l_explain}, {"fates", l_fates},
    {"upstreams", l_upstreams}, {"cursor", l_cursor}, {"close", l_close},
    {NULL, NULL},
};

int luaopen_sluice_core(lua_State *L)
{
    luaL_newmetatable(L, RIG_WORLD);
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    rig_network_register(L);
    rig_commands_register(L);
    rig_rules_register(L);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_collect);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    lua_pushcfunction(L, l_world);
    lua_setfield(L, -2, "world");
    lua_pushcfunction(L, l_phases);
    lua_setfield(L, -2, "phases");
    return 1;
}
