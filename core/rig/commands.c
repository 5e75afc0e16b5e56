#include "rig/commands.h"

#include <lauxlib.h>

#include "engine/sources.h"
#include "rig/grants.h"
#include "rig/redis.h"
#include "rig/values.h"
#include "rig/world.h"

/* :commands([after]) -> { number, url, words } of those that wait for an answer, in order; those above a number only */
static int l_commands(lua_State *L)
{
    struct world *world = rig_world(L);
    const uint64_t after = (uint64_t)luaL_optnumber(L, 2, 0);
    int count = 0;
    lua_newtable(L);
    LIST_EACH(node, &world->redises.calls) {
        const struct redis_call *call = CONTAINER(node, struct redis_call, node);
        if (call->number <= after) continue;
        lua_newtable(L);
        rig_set_number(L, "number", (double)call->number);
        rig_set_bytes(L, "url", bytes_of(call->server->url));
        lua_newtable(L);
        for (size_t i = 0; i < call->count; i++) {
            rig_push_buf(L, &call->words[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
        lua_setfield(L, -2, "words");
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

static struct redis_value value_at(lua_State *L, int index);

static struct bytes text_at(lua_State *L, int index)
{
    struct bytes text;
    text.data = luaL_checklstring(L, index, &text.size);
    return text;
}

/* { err = sentence }, or a list. What it needs stays on the stack. */
static struct redis_value table_value(lua_State *L, int index)
{
    const struct bytes error = rig_field_bytes(L, index, "err", NULL);
    if (error.data) return (struct redis_value){.kind = REDIS_ERROR, .text = error};
    const size_t count = lua_objlen(L, index);
    struct redis_value *items = lua_newuserdata(L, (count + 1) * sizeof *items);
    luaL_checkstack(L, 4, "a deep answer");
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        items[i] = value_at(L, lua_gettop(L));
        luaL_checkstack(L, 4, "a long answer");
    }
    return (struct redis_value){.kind = REDIS_LIST, .items = items, .count = count};
}

/* nil and false are nothing. */
static struct redis_value value_at(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        return (struct redis_value){.kind = REDIS_NUMBER, .number = (int64_t)lua_tonumber(L, index)};
    case LUA_TSTRING:
        return (struct redis_value){.kind = REDIS_TEXT, .text = text_at(L, index)};
    case LUA_TTABLE:
        return table_value(L, index);
    default:
        return (struct redis_value){.kind = REDIS_NIL};
    }
}

static const char *find_code(const char *code)
{
    static const char *const codes[] = {"error", "away", "full", "timeout", "lost", NULL};
    size_t i = 0;
    while (codes[i] && !bytes_is(bytes_of(code), codes[i])) i++;
    return codes[i];
}

/* :command_answer(number, nil, value | code, sentence) -> did it still wait */
static int l_command_answer(lua_State *L)
{
    struct world *world = rig_world(L);
    struct redis_value value;
    struct redis_answer answer = {NULL, NULL, NULL};
    lua_settop(L, 4);
    if (lua_isnil(L, 3)) {
        value = value_at(L, 4);
        answer.value = &value;
    } else {
        answer.code = find_code(luaL_checkstring(L, 3));
        answer.sentence = luaL_optstring(L, 4, "as the spec said");
        luaL_argcheck(L, answer.code, 3, "unknown code");
    }
    const uint64_t number = (uint64_t)luaL_checknumber(L, 2);
    lua_pushboolean(L, redises_answer(&world->redises, number, &answer));
    return 1;
}

/* :redis_publish(channel, payload) -> how many subscriptions took it */
static int l_redis_publish(lua_State *L)
{
    struct world *world = rig_world(L);
    const struct bytes payload = text_at(L, 3);
    lua_pushnumber(L, redises_publish(&world->redises, luaL_checkstring(L, 2), payload));
    return 1;
}

/* :redis_down(flag) */
static int l_redis_down(lua_State *L)
{
    redises_set_down(&rig_world(L)->redises, lua_toboolean(L, 2));
    return 0;
}

/* :redis_servers() -> { url, up, channels } of every connection */
static int l_redis_servers(lua_State *L)
{
    struct world *world = rig_world(L);
    int count = 0;
    lua_newtable(L);
    LIST_EACH(at, &world->redises.servers) {
        struct redis_server *server = CONTAINER(at, struct redis_server, node);
        int channels = 0;
        lua_newtable(L);
        rig_set_bytes(L, "url", bytes_of(server->url));
        lua_pushboolean(L, server->up);
        lua_setfield(L, -2, "up");
        lua_newtable(L);
        LIST_EACH(node, &server->subscriptions) {
            lua_pushstring(L, CONTAINER(node, struct subscription, node)->name);
            lua_rawseti(L, -2, ++channels);
        }
        lua_setfield(L, -2, "channels");
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* :hold_elsewhere(flag, told): another node holds what this one did, or not any more */
static int l_hold_elsewhere(lua_State *L)
{
    grants_move(&rig_world(L)->grants, lua_toboolean(L, 2), lua_toboolean(L, 3));
    return 0;
}

/* :held() -> the names that this node wishes, by what they are: true where it holds them */
static int l_held(lua_State *L)
{
    struct world *world = rig_world(L);
    lua_newtable(L);
    LIST_EACH(node, &world->grants.all) {
        const struct holding *holding = CONTAINER(node, struct holding, node);
        lua_pushboolean(L, world->grants.holdings.holds(holding));
        lua_setfield(L, -2, holding->name);
    }
    return 1;
}

/* :redis_counters() -> { messages, failed, gaps, lost } of the apps' sources */
static int l_redis_counters(lua_State *L)
{
    struct sources_counters counters;
    node_sum_sources(rig_world(L)->node, &counters);
    lua_newtable(L);
    rig_set_number(L, "messages", (double)counters.messages);
    rig_set_number(L, "failed", (double)counters.failed);
    rig_set_number(L, "gaps", (double)counters.gaps);
    rig_set_number(L, "lost", (double)counters.lost);
    return 1;
}

static const luaL_Reg methods[] = {
    {"commands", l_commands},           {"command_answer", l_command_answer},
    {"redis_publish", l_redis_publish}, {"redis_down", l_redis_down},
    {"redis_servers", l_redis_servers}, {"hold_elsewhere", l_hold_elsewhere},
    {"held", l_held},                   {"redis_counters", l_redis_counters},
    {NULL, NULL},
};

void rig_commands_register(lua_State *L)
{
    luaL_register(L, NULL, methods);
}
