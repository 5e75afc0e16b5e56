/* bind_seat: a subscriber as rules see it. The handle knows it by its number, so
 * one that outlives its stream is harmless: then its fields are nil and its
 * methods answer nil, "closed".
 *
 * sub:subscribe and sub:join may wait, so each is two calls, and what a rule calls is the library's
 * function around them (scripts/sluice/subscribing.lua). */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/text.h"
#include "engine/farewell.h"
#include "base/alloc.h"
#include "engine/changes.h"
#include "engine/seat.h"
#include "script/handle.h"
#include "script/here.h"
#include "script/objects.h"
#include "script/phase.h"
#include "script/raise.h"
#include "script/task.h"
#include "script/values.h"

enum { DATA_MAX = 4096 };

struct seat_handle {
    struct handle handle;
    struct app *app;
    uint64_t number;
};

enum field { USER = 1, DATA, TAG, TOPICS, OPEN, SUBSCRIBE, JOIN };

static int get(lua_State *L, void *handle, int field);
static int l_set(lua_State *L);
static int l_close(lua_State *L);
static int l_leave(lua_State *L);

static const struct handle_member members[] = {
    {"user", USER, NULL}, {"data", DATA, NULL}, {"tag", TAG, NULL},    {"topics", TOPICS, NULL},
    {"open", OPEN, NULL}, {"set", 0, l_set},    {"close", 0, l_close}, {"join", JOIN, NULL},
    {"leave", 0, l_leave}, {"subscribe", SUBSCRIBE, NULL}, {NULL, 0, NULL}};

/* The library's functions, in the registry. */
static const char subscribe_method[] = "sluice.subscribe", join_method[] = "sluice.join";

static const struct handle_kind kind = {"subscriber", members, get, HANDLE_SEAT};

static struct seat *find(const struct seat_handle *self)
{
    return seat_find(self->app, self->number);
}

static void push_topics(lua_State *L, const struct subscriber *subscriber)
{
    uint32_t count = subscriber ? subscriber_topic_count(subscriber) : 0;
    lua_createtable(L, (int)count, 0);
    for (uint32_t i = 0; i < count; i++) {
        push_bytes(L, atom_bytes(topic_name(subscriber_topic(subscriber, i))));
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static int get(lua_State *L, void *handle, int field)
{
    struct seat *seat = find(handle);
    if (field == SUBSCRIBE || field == JOIN) {
        lua_getfield(L, LUA_REGISTRYINDEX, field == JOIN ? join_method : subscribe_method);
        return 1;
    }
    if (!seat) {
        if (field != OPEN) return 0;
        lua_pushboolean(L, 0);
        return 1;
    }
    switch ((enum field)field) {
    case USER:
        push_bytes(L, atom_bytes(seat_identity(seat)->user));
        break;
    case DATA:
        frozen_push(L, seat_identity(seat)->data);
        break;
    case TAG:
        push_bytes(L, atom_bytes(seat_tag(seat)));
        break;
    case TOPICS:
        push_topics(L, seat_subscriber(seat));
        break;
    case OPEN:
        lua_pushboolean(L, 1);
        break;
    case SUBSCRIBE:
    case JOIN:
        break;
    }
    return 1;
}

static int closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    lua_pushliteral(L, "the subscriber is gone");
    return 3;
}

/* sub:set(data): what authenticate said of it, replaced. */
static int l_set(lua_State *L)
{
    phase_check(L, CALL_SEAT, "sub:set");
    struct seat *seat = find(handle_check(L, 1, &kind));
    if (!seat) return closed(L);
    struct atom *data = NULL;
    if (!json_absent(L, 2)) {
        struct bytes json = json_encode(L, 2);
        if (json.size > DATA_MAX)
            return raise_sentence(L, "sub:set: the data is %d bytes as JSON, %d at most",
                                  (int)json.size, (int)DATA_MAX);
        data = atom_get(json);
    }
    if (!here_shadowed(L)) seat_set_data(seat, data);
    atom_unref(data);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- how a stream is to end ---- */

static void read_last_event(lua_State *L, const char *call, struct farewell *farewell)
{
    lua_getfield(L, -1, "event");
    if (json_absent(L, -1)) return;
    if (lua_type(L, -1) == LUA_TSTRING) farewell->event = text_take(L, lua_gettop(L));
    if (!farewell->event.size || text_breaks_line(farewell->event))
        raise_sentence(L, "%s: event must be the name of an event: a text without line ends", call);
}

static void read_last_data(lua_State *L, const char *call, struct farewell *farewell)
{
    lua_getfield(L, -2, "data");
    const int at = lua_gettop(L);
    farewell->data = BYTES("{}");
    if (json_absent(L, at)) return;
    if (lua_type(L, at) == LUA_TSTRING)
        farewell->data = text_take(L, at);
    else if (lua_istable(L, at) || lua_type(L, at) == LUA_TNUMBER || frozen_table(L, at))
        farewell->data = json_encode(L, at);
    else
        raise_sentence(L, "%s: data is a %s, expected a text or a table", call, luaL_typename(L, at));
    if (!farewell->event.size) raise_sentence(L, "%s: data needs event, which carries it", call);
}

static void check_names(lua_State *L, const char *call, int index)
{
    static const char *const known[] = {"event", "data", "final", NULL};
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        if (strcmp(name, "event") == 0 || strcmp(name, "data") == 0 || strcmp(name, "final") == 0)
            continue;
        const char *nearest = text_nearest(name, known);
        raise_sentence(L,
                       nearest ? "%s: unknown option '%s'; did you mean '%s'?"
                               : "%s: unknown option '%s'; there are event, data and final",
                       call, name, nearest);
    }
}

void farewell_take(lua_State *L, const char *call, int index, struct farewell *farewell)
{
    *farewell = (struct farewell){.final = false};
    if (json_absent(L, index)) return;
    if (!lua_istable(L, index))
        raise_sentence(L, "%s: the options are a %s, expected a table", call,
                       luaL_typename(L, index));
    check_names(L, call, index);
    lua_getfield(L, index, "final");
    farewell->final = !json_absent(L, -1) && lua_toboolean(L, -1);
    lua_pushvalue(L, index);
    read_last_event(L, call, farewell);
    read_last_data(L, call, farewell);
}

/* sub:close(options): ends it. */
static int l_close(lua_State *L)
{
    struct farewell farewell;
    phase_check(L, CALL_SEAT, "sub:close");
    lua_settop(L, 2);
    farewell_take(L, "sub:close", 2, &farewell);
    struct seat *seat = find(handle_check(L, 1, &kind));
    if (!seat || !seat_subscriber(seat)) return closed(L);
    if (!here_shadowed(L)) seat_part(seat, &farewell);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- topics while it lives ---- */

static struct bytes topic_argument(lua_State *L, const char *name)
{
    struct bytes topic;
    if (!topic_name_at(L, 2, &topic) || !topic.size)
        raise_sentence(L, "%s: expected a topic, a handle or its name, not %s", name,
                       lua_type(L, 2) == LUA_TSTRING ? "an empty text" : luaL_typename(L, 2));
    return topic;
}

/* true | false | nil, code, sentence */
static int push_change(lua_State *L, enum change how)
{
    static const char *const words[][2] = {
        [CHANGE_FULL] = {"full", "the stream has as many topics as it may, or the app has"},
        [CHANGE_FORBIDDEN] = {"forbidden", "the topic's subscribe does not let it in"},
        [CHANGE_UNKNOWN] = {"unknown", "the topic's subscribe failed, or none is declared"},
        [CHANGE_AWAY] = {"away", "the topic could not be loaded from Redis in time"},
    };
    if (how == CHANGE_CLOSED) return closed(L);
    if (how == CHANGE_DONE || how == CHANGE_NOTHING) {
        lua_pushboolean(L, how == CHANGE_DONE);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, words[how][0]);
    lua_pushstring(L, words[how][1]);
    return 3;
}

/* sub:leave(topic): true | false: it had it not | nil, code, sentence */
static int l_leave(lua_State *L)
{
    phase_check(L, CALL_SEAT, "sub:leave");
    struct seat *seat = find(handle_check(L, 1, &kind));
    const struct bytes topic = topic_argument(L, "sub:leave");
    if (!seat) return closed(L);
    return push_change(L, here_shadowed(L) ? CHANGE_DONE : changes_leave(seat, topic));
}

struct wait {
    struct grant *grant; /* NULL: there is an answer */
    struct later *later;
    struct job job; /* what is answered at once is waited for, too, to the end of the turn */
    struct task *task;
    enum change how;
};

static void wake(struct job *job)
{
    task_wake(CONTAINER(job, struct wait, job)->task);
}

static void answered(void *owner, enum change how)
{
    struct wait *wait = owner;
    wait->grant = NULL;
    wait->how = how;
    later_post(wait->later, LATER_SOON, &wait->job);
}

static int collect(lua_State *L, void *ctx)
{
    return push_change(L, ((struct wait *)ctx)->how);
}

static void release(void *ctx)
{
    struct wait *wait = ctx;
    later_cancel(&wait->job);
    if (wait->grant) changes_cancel(wait->grant);
    xfree(wait);
}

static const struct wait_ops waiting = {collect, release};

static struct wait *wait_new(lua_State *L)
{
    struct wait *wait = xcalloc(1, sizeof *wait);
    wait->later = here_ports(L)->later;
    wait->task = here_tasks(L)->running;
    job_create(&wait->job, wake);
    return wait;
}

/* Wherever a join is allowed waiting is, so only the other is asked whether it may. */
static int park(lua_State *L, struct wait *wait)
{
    return task_park(L, here_tasks(L), &waiting, wait);
}

/* seat_join(sub, topic): true | nil, code, sentence; or nothing at all, then collect() */
static int l_join(lua_State *L)
{
    phase_check(L, CALL_SEAT, "sub:join");
    struct seat *seat = find(handle_check(L, 1, &kind));
    const struct bytes topic = topic_argument(L, "sub:join");
    if (!seat) return closed(L);
    if (here_shadowed(L)) return push_change(L, CHANGE_DONE);
    struct wait *wait = wait_new(L);
    wait->grant = changes_join(seat, topic, answered, wait);
    if (wait->grant) return park(L, wait);
    const enum change how = wait->how;
    release(wait);
    return push_change(L, how);
}

/* seat_subscribe(sub, topic), then collect() */
static int l_subscribe(lua_State *L)
{
    phase_check(L, CALL_SEAT, "sub:subscribe");
    phase_check(L, CALL_WAIT, "sub:subscribe");
    struct seat *seat = find(handle_check(L, 1, &kind));
    const struct bytes topic = topic_argument(L, "sub:subscribe");
    struct wait *wait = wait_new(L);
    if (!seat || here_shadowed(L))
        answered(wait, seat ? CHANGE_DONE : CHANGE_CLOSED);
    else
        wait->grant = changes_ask(seat, topic, answered, wait);
    return park(L, wait);
}

/* seat_methods(subscribe, join): what they are to rules */
static int l_methods(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, join_method);
    lua_setfield(L, LUA_REGISTRYINDEX, subscribe_method);
    return 0;
}

void seat_push(lua_State *L, struct seat *seat)
{
    struct seat_handle *handle = handle_new(L, &kind, sizeof *handle);
    handle->app = seat_app(seat);
    handle->number = seat_number(seat);
}

void bind_seat(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"seat_subscribe", l_subscribe}, {"seat_join", l_join}, {"seat_methods", l_methods}, {NULL, NULL}};
    handle_define(L, &kind);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
