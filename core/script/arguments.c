/* arguments: what each kind of hook is called with, as rules see it. */
#include <lauxlib.h>
#include <lua.h>

#include "base/check.h"
#include "plan/pattern.h"
#include "script/call.h"
#include "script/objects.h"

/* { user = "ann" } */
static void push_params(lua_State *L, const struct hook_call *call)
{
    size_t count = call->pattern && call->params ? call->params->count : 0;
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        struct bytes name = pattern_param(call->pattern, i);
        struct bytes value = call->params->values[i];
        lua_pushlstring(L, name.data, name.size);
        lua_pushlstring(L, value.data, value.size);
        lua_rawset(L, -3);
    }
}

static void push_users(lua_State *L, const struct hook_call *call)
{
    lua_createtable(L, (int)call->user_count, 0);
    for (size_t i = 0; i < call->user_count; i++) {
        lua_pushlstring(L, call->users[i]->text, call->users[i]->size);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

int call_push_arguments(struct running *running, lua_State *L)
{
    const struct hook_call *call = &running->call;
    switch (call->kind) {
    case HOOK_AUTHENTICATE:
    case HOOK_AUTHORIZE:
        request_push(L, running);
        return 1;
    case HOOK_TOPICS:
        request_push(L, running);
        seat_push(L, call->seat);
        return 2;
    case HOOK_SUBSCRIBE:
        seat_push(L, call->seat);
        push_params(L, call);
        request_push(L, running);
        return 3;
    case HOOK_FILTER:
        event_push(L, running);
        seat_push(L, call->seat);
        push_params(L, call);
        return 3;
    case HOOK_AUDIENCE_KEY:
        event_push(L, running);
        push_params(L, call);
        return 2;
    case HOOK_AUDIENCE:
        lua_pushlstring(L, call->key.data ? call->key.data : "", call->key.size);
        push_users(L, call);
        return 2;
    case HOOK_SNAPSHOT:
        seat_push(L, call->seat);
        push_params(L, call);
        return 2;
    case HOOK_KEY:
    case HOOK_CONNECT:
        seat_push(L, call->seat);
        return 1;
    case HOOK_REQUEST:
        lua_pushlstring(L, call->key.data ? call->key.data : "", call->key.size);
        frozen_push(L, call->data);
        return 2;
    case HOOK_EVENT:
        event_push(L, running);
        return 1;
    case HOOK_ROUTE:
        request_push(L, running);
        push_params(L, call);
        return 2;
    case HOOK_PUBLISH: /* asks for one event after the other: bind_event.c */
    case HOOK_EVERY:
        return 0;
    case HOOK_DISCONNECT:
        seat_push(L, call->seat);
        lua_pushstring(L, call->reason ? call->reason : "client");
        return 2;
    case HOOK_PRESENCE:
        lua_pushlstring(L, call->key.data, call->key.size);
        lua_pushstring(L, call->reason);
        push_params(L, call);
        return 3;
    case HOOK_KINDS:
        break;
    }
    CHECK(!"a hook of no kind");
    return 0;
}
