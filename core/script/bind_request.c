/* bind_request: the request that a hook is called with. Nothing of it is made a
 * Lua value before the rule asks for it; the handle is empty once the call is
 * over, because the core's request is. */
#include <lauxlib.h>
#include <lua.h>

#include "base/text.h"
#include "engine/publication.h"
#include "engine/seat.h"
#include "script/call.h"
#include "script/handle.h"
#include "script/here.h"
#include "script/objects.h"
#include "script/raise.h"
#include "script/values.h"

enum { PAIRS_MAX = 1000 }; /* of a form: more are refused; of a query: more are not there */

struct request {
    struct handle handle;
    struct running *running;
    uint64_t serial;
};

enum field {
    METHOD = 1,
    PATH,
    TARGET,
    QUERY,
    HEADERS,
    BODY,
    ADDRESS,
    LISTENER,
    SECURE,
    TRUSTED,
    USER,
    DATA,
    TAG
};

static int get(lua_State *L, void *handle, int field);
static int l_json(lua_State *L);
static int l_form(lua_State *L);
static int l_query_all(lua_State *L);
static int l_form_all(lua_State *L);

static const struct handle_member members[] = {
    {"method", METHOD, NULL},   {"path", PATH, NULL},         {"target", TARGET, NULL},
    {"query", QUERY, NULL},     {"headers", HEADERS, NULL},   {"body", BODY, NULL},
    {"address", ADDRESS, NULL}, {"listener", LISTENER, NULL}, {"secure", SECURE, NULL},
    {"trusted", TRUSTED, NULL},
    {"user", USER, NULL},       {"data", DATA, NULL},         {"tag", TAG, NULL},
    {"json", 0, l_json},        {"form", 0, l_form},
    {"query_all", 0, l_query_all}, {"form_all", 0, l_form_all}, {NULL, 0, NULL}};

static const struct handle_kind request_kind = {"request", members, get, HANDLE_REQUEST};
static const struct handle_kind headers_kind = {"headers", NULL, NULL, HANDLE_HEADERS};

static struct running *running_of(lua_State *L, const struct request *request)
{
    if (request->running->task.serial != request->serial)
        raise_sentence(L, "the request is over: copy what is needed of it while its function runs");
    return request->running;
}

static void push_text(lua_State *L, struct bytes bytes)
{
    lua_pushlstring(L, bytes.data ? bytes.data : "", bytes.size);
}

static const struct identity *identity_of(const struct hook_call *call)
{
    return call->who ? call->who : call->seat ? seat_identity(call->seat) : NULL;
}

struct bytes request_user(const struct running *running)
{
    const struct hook_call *call = &running->call;
    if (call->publication) return call->event ? call->event->user : (struct bytes){NULL, 0};
    if (call->event) return call->event->channel ? (struct bytes){NULL, 0} : call->event->key;
    const struct identity *who = identity_of(call);
    return who ? atom_bytes(who->user) : (struct bytes){NULL, 0};
}

/* What the engine resolved, or, where it has not come to that, what the request says. */
static void push_tag(lua_State *L, const struct hook_call *call)
{
    struct atom *tag = call->tag ? call->tag : call->seat ? seat_tag(call->seat) : NULL;
    if (tag) {
        push_bytes(L, atom_bytes(tag));
        return;
    }
    struct bytes tag_text = http_header_get(call->request, "x-session-tag");
    struct buf *scratch = here_scratch(L);
    if (!tag_text.data && text_query_get(call->request->query, "tag", scratch))
        tag_text = buf_bytes(scratch);
    if (text_is_tag(tag_text))
        push_bytes(L, tag_text);
    else
        lua_pushnil(L);
}

struct bytes request_tag(const struct running *running)
{
    const struct hook_call *call = &running->call;
    return call->event ? call->event->tag : atom_bytes(call->tag);
}

/* A "name=value" of a query or form, decoded into the scratch buffer; false: a broken escape, or no name. */
static bool read_pair(lua_State *L, struct bytes pair, struct bytes *name, struct bytes *value)
{
    struct buf *scratch = here_scratch(L);
    const char *equals = memchr(pair.data, '=', pair.size);
    size_t name_size = equals ? (size_t)(equals - pair.data) : pair.size;
    if (!text_percent_decode(scratch, bytes_run(pair.data, name_size), true)) return false;
    name_size = scratch->size;
    if (name_size == 0) return false;
    if (equals) {
        struct bytes rest = bytes_run(equals + 1, (size_t)(pair.data + pair.size - equals - 1));
        if (!text_percent_decode(scratch, rest, true)) return false;
    }
    *name = bytes_run(scratch->data, name_size);
    *value = bytes_run(scratch->data + name_size, scratch->size - name_size);
    return true;
}

/* Into the table on top: the first of two equal names counts. */
static void add_pair(lua_State *L, struct bytes pair)
{
    struct bytes name, value;
    if (!read_pair(L, pair, &name, &value)) return;
    push_text(L, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        push_text(L, value);
        lua_rawset(L, -3);
    } else {
        lua_pop(L, 2);
    }
}

/* Takes the next pair from the front; data NULL: there is none. */
static struct bytes next_pair(struct bytes *text)
{
    if (!text->size) return (struct bytes){NULL, 0};
    const char *end = memchr(text->data, '&', text->size);
    const size_t size = end ? (size_t)(end - text->data) : text->size, used = size + (end != NULL);
    const struct bytes pair = bytes_run(text->data, size);
    *text = bytes_run(text->data + used, text->size - used);
    return pair;
}

static void push_pairs(lua_State *L, struct bytes text)
{
    struct bytes pair = next_pair(&text);
    lua_newtable(L);
    for (int count = 0; pair.data && count < PAIRS_MAX; count++, pair = next_pair(&text))
        add_pair(L, pair);
}

/* A list of the values that this name has, in their order. */
static void push_values(lua_State *L, struct bytes text, struct bytes wanted)
{
    struct bytes name, value, pair = next_pair(&text);
    int found = 0;
    lua_newtable(L);
    for (int count = 0; pair.data && count < PAIRS_MAX; count++, pair = next_pair(&text)) {
        if (!read_pair(L, pair, &name, &value) || !bytes_equal(name, wanted)) continue;
        push_text(L, value);
        lua_rawseti(L, -2, ++found);
    }
}

/* After a reload a stream's rules are asked again: what they cannot know makes the stream come anew, and is
 * no error of theirs (call_read_refusal). */
static void check_kept(lua_State *L, const struct http_request *request, enum field field)
{
    const bool gone = field == HEADERS || field == BODY || field == ADDRESS || field == LISTENER ||
                      field == SECURE || field == TRUSTED;
    if (request->kept && gone)
        refusal_raise(L, 503, REFUSAL_REQUEST_GONE,
                      "of a stream's request only path and query are kept after a reload");
}

static int get(lua_State *L, void *handle, int field)
{
    struct running *running = running_of(L, handle);
    const struct hook_call *call = &running->call;
    const struct http_request *request = call->request;
    check_kept(L, request, (enum field)field);
    const struct identity *who;
    struct request *headers;
    switch ((enum field)field) {
    case METHOD:
        push_bytes(L, request->method);
        break;
    case PATH:
        push_bytes(L, request->path);
        break;
    case TARGET:
        push_text(L, request->path);
        if (request->query.size > 0) {
            lua_pushliteral(L, "?");
            push_bytes(L, request->query);
            lua_concat(L, 3);
        }
        break;
    case QUERY:
        push_pairs(L, request->query);
        break;
    case HEADERS:
        headers = handle_new(L, &headers_kind, sizeof *headers);
        headers->running = running;
        headers->serial = running->task.serial;
        break;
    case BODY:
        push_text(L, request->body);
        break;
    case ADDRESS:
        push_bytes(L, request->address);
        break;
    case LISTENER:
        push_bytes(L, request->listener);
        break;
    case SECURE:
        lua_pushboolean(L, request->secure);
        break;
    case TRUSTED:
        lua_pushboolean(L, request->trusted);
        break;
    case USER:
        who = identity_of(call);
        push_bytes(L, who ? atom_bytes(who->user) : (struct bytes){NULL, 0});
        break;
    case DATA:
        who = identity_of(call);
        frozen_push(L, who ? who->data : NULL);
        break;
    case TAG:
        push_tag(L, call);
        break;
    }
    return 1;
}

/* The body as JSON; what is none is the client's fault: 400, not an error of the rule. */
static int l_json(lua_State *L)
{
    struct running *running = running_of(L, handle_check(L, 1, &request_kind));
    if (json_decode(L, running->call.request->body)) return 1;
    lua_pushfstring(L, "the body is not JSON: %s", lua_tostring(L, -1));
    return refusal_raise(L, 400, "bad_json", lua_tostring(L, -1));
}

/* The body as a form. One that can be read in part only is the client's fault, too: a field that is left out may be
 * the one that says who may see the others. */
static struct bytes form_of(lua_State *L)
{
    const struct bytes body = running_of(L, handle_check(L, 1, &request_kind))->call.request->body;
    struct bytes rest = body, pair = next_pair(&rest);
    for (int count = 0; pair.data; count++, pair = next_pair(&rest)) {
        if (count == PAIRS_MAX) refusal_raise(L, 400, "bad_form", "the form has more than 1000 fields");
        if (!text_percent_decode(here_scratch(L), pair, true))
            refusal_raise(L, 400, "bad_form", "the form has a broken escape, or a NUL");
    }
    return body;
}

static int l_form(lua_State *L)
{
    push_pairs(L, form_of(L));
    return 1;
}

static struct bytes name_given(lua_State *L, const char *call)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        raise_sentence(L, "req:%s: expected a name, got a %s", call, luaL_typename(L, 2));
    return text_take(L, 2);
}

static int l_query_all(lua_State *L)
{
    struct running *running = running_of(L, handle_check(L, 1, &request_kind));
    push_values(L, running->call.request->query, name_given(L, "query_all"));
    return 1;
}

static int l_form_all(lua_State *L)
{
    const struct bytes form = form_of(L);
    push_values(L, form, name_given(L, "form_all"));
    return 1;
}

/* Headers: indexed by name in any case; several of one name are joined (RFC 9110, 5.3; cookies
 * by RFC 6265, 5.4). */

static int l_headers_index(lua_State *L)
{
    const struct request *self = lua_touserdata(L, 1);
    const struct http_request *request = running_of(L, self)->call.request;
    struct bytes name;
    name.data = luaL_checklstring(L, 2, &name.size);
    int found = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!text_equal_nocase(request->headers[i].name, name)) continue;
        if (found++) lua_pushstring(L, text_equal_nocase(name, BYTES("cookie")) ? "; " : ", ");
        luaL_checkstack(L, 4, "headers");
        push_text(L, request->headers[i].value);
    }
    if (found == 0) return 0;
    lua_concat(L, 2 * found - 1);
    return 1;
}

static int l_headers_pairs(lua_State *L)
{
    const struct request *self = lua_touserdata(L, 1);
    const struct http_request *request = running_of(L, self)->call.request;
    lua_getglobal(L, "next");
    lua_newtable(L);
    for (size_t i = 0; i < request->header_count; i++) {
        push_text(L, request->headers[i].name);
        lua_pushvalue(L, -1);
        lua_gettable(L, 1);
        lua_rawset(L, -3);
    }
    lua_pushnil(L);
    return 3;
}

/* identity(): the user and data of the request or subscriber that the call at hand is about */
static int l_identity(lua_State *L)
{
    const struct running *running = here_running(L);
    const struct identity *who = running ? identity_of(&running->call) : NULL;
    if (!who) return 0;
    push_bytes(L, atom_bytes(who->user));
    frozen_push(L, who->data);
    return 2;
}

/* next_published() -> the next event's handler, the event, its number and how many there are in the
 * request's list (0: it is none); nothing behind the last */
static int l_next_published(lua_State *L)
{
    struct running *running = here_running(L);
    if (!call_next_event(running, L)) return 0;
    const struct publication *publication = running->call.publication;
    event_push(L, running);
    lua_pushinteger(L, (lua_Integer)publication->next);
    lua_pushinteger(L, publication->list ? (lua_Integer)publication->count : 0);
    return 4;
}

void request_push(lua_State *L, struct running *running)
{
    if (!running->call.request) {
        lua_pushnil(L);
        return;
    }
    struct request *request = handle_new(L, &request_kind, sizeof *request);
    request->running = running;
    request->serial = running->task.serial;
}

void bind_request(lua_State *L)
{
    handle_define(L, &request_kind);
    lua_pop(L, 1);
    handle_define(L, &headers_kind);
    lua_pushcfunction(L, l_headers_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_headers_pairs);
    lua_setfield(L, -2, "__pairs");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_identity);
    lua_setfield(L, -2, "identity");
    lua_pushcfunction(L, l_next_published);
    lua_setfield(L, -2, "next_published");
}
