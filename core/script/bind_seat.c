/* bind_seat: a subscriber as rules see it. The handle knows it by its number, so
 * one that outlives its stream is harmless: then its fields are nil and its
 * methods answer nil, "closed". */
#include <lauxlib.h>
#include <lua.h>

#include "engine/seat.h"
#include "script/handle.h"
#include "script/here.h"
#include "script/objects.h"
#include "script/phase.h"
#include "script/raise.h"
#include "script/values.h"

enum { DATA_MAX = 4096 };

struct seat_handle {
    struct handle handle;
    struct app *app;
    uint64_t number;
};

enum field { USER = 1, DATA, TAG, TOPICS, OPEN };

static int get(lua_State *L, void *handle, int field);
static int l_set(lua_State *L);
static int l_close(lua_State *L);

static const struct handle_member members[] = {
    {"user", USER, NULL}, {"data", DATA, NULL}, {"tag", TAG, NULL},    {"topics", TOPICS, NULL},
    {"open", OPEN, NULL}, {"set", 0, l_set},    {"close", 0, l_close}, {NULL, 0, NULL}};

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

static int l_close(lua_State *L)
{
    phase_check(L, CALL_SEAT, "sub:close");
    struct seat *seat = find(handle_check(L, 1, &kind));
    struct subscriber *subscriber = seat ? seat_subscriber(seat) : NULL;
    if (!subscriber) return closed(L);
    if (!here_shadowed(L)) subscriber_end(subscriber, END_KICKED);
    lua_pushboolean(L, 1);
    return 1;
}

void seat_push(lua_State *L, struct seat *seat)
{
    struct seat_handle *handle = handle_new(L, &kind, sizeof *handle);
    handle->app = seat_app(seat);
    handle->number = seat_number(seat);
}

void bind_seat(lua_State *L)
{
    handle_define(L, &kind);
    lua_pop(L, 1);
}
