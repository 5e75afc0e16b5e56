/* bind_event: the event that a handler is called with, or the trigger that a
 * filter is asked about. Read where it stands: a field becomes a Lua value when
 * the rule asks for it. */
#include <lauxlib.h>
#include <lua.h>

#include "engine/publication.h"
#include "event/frame.h"
#include "script/call.h"
#include "script/fault.h"
#include "script/handle.h"
#include "script/objects.h"
#include "script/raise.h"
#include "script/values.h"

struct event_handle {
    struct handle handle;
    struct running *running;
    uint64_t serial;
    const struct event *event; /* NULL: it is a trigger */
};

enum field { TYPE = 1, DATA, ID, KEY, SOURCE, TAG, USER, TOPIC, META, TOPICS, PUBLISHER, CHANNEL };

static int get(lua_State *L, void *handle, int field);
static int l_json(lua_State *L);
static int l_drop(lua_State *L);

static const struct handle_member members[] = {
    {"type", TYPE, NULL},     {"data", DATA, NULL}, {"id", ID, NULL},     {"key", KEY, NULL},
    {"source", SOURCE, NULL}, {"tag", TAG, NULL},   {"user", USER, NULL}, {"topic", TOPIC, NULL},
    {"meta", META, NULL},     {"topics", TOPICS, NULL}, {"publisher", PUBLISHER, NULL},
    {"channel", CHANNEL, NULL},
    {"json", 0, l_json},      {"drop", 0, l_drop},  {NULL, 0, NULL}};

static const struct handle_kind kind = {"event", members, get, HANDLE_EVENT};

static const struct hook_call *call_of(lua_State *L, const struct event_handle *event)
{
    if (event->running->task.serial != event->serial)
        raise_sentence(L, "the event is over: copy what is needed of it while its handler runs");
    return &event->running->call;
}

static struct bytes filled(struct bytes bytes)
{
    return bytes.size > 0 ? bytes : (struct bytes){NULL, 0};
}

static struct bytes event_field(const struct event *event, int field)
{
    switch ((enum field)field) {
    case TYPE:
        return event->type;
    case DATA:
        return event->data.data ? event->data : BYTES("");
    case ID:
        return filled(event->id);
    case KEY:
        return event->key;
    case SOURCE:
        return atom_bytes(event->source);
    case TAG:
        return filled(event->tag);
    case USER:
        return event->user;
    case TOPIC:
        return event->topic_count ? event->topics[0] : (struct bytes){NULL, 0};
    case CHANNEL:
        return event->channel ? event->key : (struct bytes){NULL, 0};
    case META:
    case TOPICS:
    case PUBLISHER:
        break;
    }
    return (struct bytes){NULL, 0};
}

static struct bytes frame_field(const struct frame *frame, int field)
{
    switch ((enum field)field) {
    case TYPE:
        return atom_bytes(frame->type);
    case DATA:
        return frame->data_size ? frame_data(frame) : BYTES("");
    case TAG:
        return atom_bytes(frame->tag);
    case USER:
        return atom_bytes(frame->user);
    case TOPIC:
        return atom_bytes(frame->topic);
    case ID:
        return frame_id(frame);
    case KEY:
    case SOURCE:
    case META:
    case TOPICS:
    case PUBLISHER:
    case CHANNEL:
        break;
    }
    return (struct bytes){NULL, 0};
}

static struct bytes field_of(const struct event_handle *handle, const struct hook_call *call,
                             int field)
{
    return handle->event ? event_field(handle->event, field) : frame_field(call->frame, field);
}

static void push_topics(lua_State *L, const struct event *event)
{
    const size_t count = event ? event->topic_count : 0;
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_bytes(L, event->topics[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* { user =, data = } of what authorize said; nil: it said no name. */
static void push_publisher(lua_State *L, const struct publication *publication)
{
    if (!publication || !publication->publisher.user) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, 2);
    push_bytes(L, atom_bytes(publication->publisher.user));
    lua_setfield(L, -2, "user");
    frozen_push(L, publication->publisher.data);
    lua_setfield(L, -2, "data");
}

static int get(lua_State *L, void *object, int field)
{
    const struct event_handle *handle = object;
    const struct hook_call *call = call_of(L, handle);
    if (field == META)
        frozen_push(L, handle->event ? NULL : call->frame->meta);
    else if (field == TOPICS)
        push_topics(L, handle->event);
    else if (field == PUBLISHER)
        push_publisher(L, call->publication);
    else
        push_bytes(L, field_of(handle, call, field));
    return 1;
}

/* What was published and is no JSON is the publisher's fault: 400, not an error of the rule. */
static int l_json(lua_State *L)
{
    const struct event_handle *handle = handle_check(L, 1, &kind);
    const struct hook_call *call = call_of(L, handle);
    if (json_decode(L, field_of(handle, call, DATA))) return 1;
    struct bytes type = field_of(handle, call, TYPE);
    lua_pushlstring(L, type.data, type.size);
    if (call->publication) {
        lua_pushfstring(L, "the data of the event '%s' is not JSON: %s", lua_tostring(L, -1),
                        lua_tostring(L, -2));
        return refusal_raise(L, 400, "bad_json", lua_tostring(L, -1));
    }
    return raise_sentence(L, "the data of the event '%s' is not JSON: %s", lua_tostring(L, -1),
                          lua_tostring(L, -2));
}

/* ev:drop(why): it is not what it should be. Counted and logged; the handler goes on as it likes. */
static int l_drop(lua_State *L)
{
    enum { WHY_MAX = 256 };
    const struct event_handle *handle = handle_check(L, 1, &kind);
    call_of(L, handle);
    if (!handle->event) return raise_sentence(L, "ev:drop: a trigger cannot be dropped; answer false");
    if (lua_type(L, 2) != LUA_TSTRING)
        return raise_sentence(L, "ev:drop: expected a sentence that says why, got a %s", luaL_typename(L, 2));
    struct bytes why;
    why.data = lua_tolstring(L, 2, &why.size);
    if (why.size > WHY_MAX) why.size = WHY_MAX;
    fault_dropped(handle->running->vm, handle->running, why);
    return 0;
}

void event_push(lua_State *L, struct running *running)
{
    struct event_handle *event = handle_new(L, &kind, sizeof *event);
    event->running = running;
    event->serial = running->task.serial;
    event->event = running->call.event;
}

void bind_event(lua_State *L)
{
    handle_define(L, &kind);
    lua_pop(L, 1);
}
