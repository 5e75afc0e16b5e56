/* result: what each kind of hook answered. Read inside the coroutine, so an
 * answer of no use is an error of the rule's own like any other; the strings
 * stay on its stack until the engine has taken them. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "script/call.h"
#include "script/fault.h"
#include "script/objects.h"
#include "script/raise.h"
#include "script/values.h"

enum { DATA_MAX = 4096, HEADERS_MAX = 64, NAMES_MAX = 1000 };

static const double EXPIRES_MAX_S = 253402300799; /* the end of the year 9999 */

/* Yes, no, or an error: an access hook that answers something else is mistaken about what it asks.
 */
static void read_verdict(struct running *running, lua_State *L, const char *what)
{
    if (lua_isboolean(L, 1) || lua_isnoneornil(L, 1))
        running->result.outcome = lua_toboolean(L, 1) ? OUTCOME_YES : OUTCOME_NO;
    else
        raise_sentence(L, "%s must return true or false, not a %s", what, luaL_typename(L, 1));
}

/* A filter's nil is a no, too, but mostly a return that was forgotten. */
static void read_filter(struct running *running, lua_State *L)
{
    read_verdict(running, L, "a filter");
    if (lua_isnoneornil(L, 1))
        fault_note(running->vm, running,
                   "the filter returned nil, which is a no; return true or false");
}

static void check_keys(lua_State *L, int index, const char *what, const char *const *known)
{
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        bool found = false;
        for (const char *const *k = known; key && *k && !found; k++) found = strcmp(*k, key) == 0;
        if (found) continue;
        if (!key)
            raise_sentence(L, "%s: a key that is a %s, expected names", what, luaL_typename(L, -1));
        const char *nearest = text_nearest(key, known);
        raise_sentence(L, nearest ? "%s: unknown '%s'; did you mean '%s'?" : "%s: unknown '%s'",
                       what, key, nearest);
    }
}

static const char *const who_keys[] = {"user", "data", "expires", NULL};

/* return nil | return nil, "forbidden" | return nil, "bad_request". What is anything else behind a nil is the
 * failure of the outside, as calls answer it. */
static void read_nobody(struct running *running, lua_State *L)
{
    if (lua_gettop(L) < 2 || json_absent(L, 2)) return; /* OUTCOME_NO */
    const char *why = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(why, "forbidden") == 0)
        running->result.no = NO_FORBIDDEN;
    else if (strcmp(why, "bad_request") == 0)
        running->result.no = NO_BAD_REQUEST;
    else
        raise_sentence(L, "an identity function must return nil alone, or nil and \"forbidden\" or \"bad_request\", not %s",
                       lua_type(L, 2) == LUA_TSTRING
                           ? lua_pushfstring(L, "nil and \"%s\"", lua_tostring(L, 2))
                           : lua_pushfstring(L, "nil and a %s", luaL_typename(L, 2)));
}

/* The user on top is `false`: it is let in as nobody. A publisher without a name would be an app. */
static bool is_anonymous(const struct running *running, lua_State *L)
{
    const bool anonymous = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    if (anonymous && running->call.kind == HOOK_AUTHORIZE)
        raise_sentence(L, "a publisher must have a user: who is nobody publishes where authorize is false");
    return anonymous;
}

static void read_who(struct running *running, lua_State *L)
{
    struct identity *who = &running->result.who;
    if (!lua_toboolean(L, 1)) {
        read_nobody(running, L);
        return;
    }
    if (!lua_istable(L, 1))
        raise_sentence(
            L, "an identity function must return { user = ..., data = ... } or nil, not a %s",
            luaL_typename(L, 1));
    check_keys(L, 1, "an identity", who_keys);
    lua_getfield(L, 1, "user");
    if (!is_anonymous(running, L)) {
        if (!text_given(L, -1) || lua_objlen(L, -1) == 0)
            raise_sentence(L, "an identity's user must be a text, or false for nobody, not a %s",
                           luaL_typename(L, -1));
        who->user = atom_get(text_take(L, -1));
    }
    lua_getfield(L, 1, "data");
    if (!json_absent(L, -1)) {
        struct bytes json = json_encode(L, -1);
        if (json.size > DATA_MAX)
            raise_sentence(L, "an identity's data is %d bytes as JSON, %d at most", (int)json.size,
                           (int)DATA_MAX);
        who->data = atom_get(json);
    }
    lua_getfield(L, 1, "expires");
    if (!json_absent(L, -1)) {
        lua_Number seconds = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(seconds >= 0 && seconds <= EXPIRES_MAX_S))
            raise_sentence(L, "an identity's expires must be seconds since 1970, not %s",
                           lua_type(L, -1) == LUA_TNUMBER
                               ? lua_tostring(L, -1)
                               : lua_pushfstring(L, "a %s", luaL_typename(L, -1)));
        const uint64_t wall_ms = (uint64_t)(seconds * 1000);
        who->expires_wall_ms = wall_ms ? wall_ms : 1; /* 0 would be: never */
    }
    running->result.outcome = OUTCOME_YES;
}

/* Yes without a name: an app, or whoever has the key. */
static void read_publisher(struct running *running, lua_State *L)
{
    if (lua_isboolean(L, 1) && lua_toboolean(L, 1))
        running->result.outcome = OUTCOME_YES;
    else if (lua_istable(L, 1) || !lua_toboolean(L, 1))
        read_who(running, L);
    else
        raise_sentence(L,
                       "authorize must return true, { user = ..., data = ... } or nil, not a %s",
                       luaL_typename(L, 1));
}

/* What the library makes of what the handlers returned: plain data, for the answer. */
static void read_published(struct running *running, lua_State *L)
{
    if (lua_isfunction(L, 1) || lua_isthread(L, 1))
        raise_sentence(L, "an ingest's handler must return plain data or nothing, not a %s",
                       luaL_typename(L, 1));
    if (!lua_isnoneornil(L, 1)) running->result.text = json_encode(L, 1);
    running->result.outcome = OUTCOME_YES;
}

static void add_name(struct running *running, lua_State *L, int index)
{
    struct bytes name;
    if (!topic_name_at(L, index, &name))
        raise_sentence(L, "a stream's topics must be topic handles or names, not a %s",
                       luaL_typename(L, index));
    call_note_name(running, name);
}

/* One topic or a list of them; they live in the values, which stay at index 1. */
static void read_topics(struct running *running, lua_State *L)
{
    running->result.outcome = OUTCOME_YES;
    if (lua_isnoneornil(L, 1)) return;
    if (!lua_istable(L, 1)) {
        add_name(running, L, 1);
    } else {
        size_t count = lua_objlen(L, 1);
        if (count > NAMES_MAX)
            raise_sentence(L, "a stream's topics: %d of them, %d at most", (int)count, NAMES_MAX);
        for (size_t i = 1; i <= count; i++) {
            lua_rawgeti(L, 1, (int)i);
            add_name(running, L, -1);
            lua_pop(L, 1);
        }
    }
    running->result.names = running->names;
}

static void read_key(struct running *running, lua_State *L)
{
    if (json_absent(L, 1) || lua_isboolean(L, 1)) {
        if (lua_toboolean(L, 1) && lua_isboolean(L, 1))
            raise_sentence(L, "an upstream's key must be a text or nil, not true");
        return;
    }
    if (!text_given(L, 1))
        raise_sentence(L, "an upstream's key must be a text or nil, not a %s", luaL_typename(L, 1));
    running->result.text = text_take(L, 1);
    running->result.outcome = OUTCOME_YES;
}

static void read_audience_key(struct running *running, lua_State *L)
{
    if (json_absent(L, 1) || !text_given(L, 1))
        raise_sentence(L, "an audience's key must be a text, not a %s", luaL_typename(L, 1));
    running->result.text = text_take(L, 1);
    running->result.outcome = OUTCOME_YES;
}

/* Headers */

static void check_header(lua_State *L, struct bytes name, struct bytes value)
{
    static const char *const ours[] = {"content-length", "date", "connection", "transfer-encoding",
                                       NULL};
    for (size_t i = 0; i < name.size; i++)
        if (!strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz", name.data[i]))
            raise_sentence(L, "the header name '%s' holds what no name may (RFC 9110, 5.1)",
                           name.data);
    for (const char *const *own = ours; *own; own++)
        if (bytes_is(name, *own)) raise_sentence(L, "the header '%s' is the server's own", *own);
    if (!name.size || text_breaks_line(value))
        raise_sentence(L, "the value of the header '%s' holds CR, LF or NUL", name.data);
}

/* Name at -2, value at -1; both stay on the stack, converted. */
static void add_header(struct running *running, lua_State *L)
{
    struct hook_result *result = &running->result;
    if (result->header_count >= HEADERS_MAX) raise_sentence(L, "more than %d headers", HEADERS_MAX);
    if (!text_given(L, -1) || lua_type(L, -2) != LUA_TSTRING)
        raise_sentence(L, "headers must be texts by name; '%s' is a %s",
                       lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?",
                       luaL_typename(L, -1));
    struct http_header header = {text_take(L, -2), text_take(L, -1)};
    check_header(L, header.name, header.value);
    if (result->header_count >= running->header_capacity) {
        running->header_capacity = HEADERS_MAX + 1;
        running->headers =
            xrealloc(running->headers, running->header_capacity * sizeof *running->headers);
    }
    running->headers[result->header_count++] = header;
}

static void push_lower(lua_State *L, int index)
{
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    luaL_Buffer lower;
    luaL_buffinit(L, &lower);
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        luaL_addchar(&lower, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    luaL_pushresult(&lower);
}

/* Adds the table at `index`: texts by name, or lists of them (two cookies). */
static void read_headers(struct running *running, lua_State *L, int index)
{
    if (json_absent(L, index)) return;
    if (!lua_istable(L, index))
        raise_sentence(L, "headers must be a table, not a %s", luaL_typename(L, index));
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int key = lua_gettop(L) - 1, value = key + 1;
        if (lua_type(L, key) != LUA_TSTRING)
            raise_sentence(L, "headers: a key that is a %s, expected names", luaL_typename(L, key));
        size_t count = lua_istable(L, value) ? lua_objlen(L, value) : 1;
        for (size_t i = 1; i <= count && !json_absent(L, value); i++) {
            luaL_checkstack(L, 8, "too many headers");
            push_lower(L, key);
            if (lua_istable(L, value))
                lua_rawgeti(L, value, (int)i);
            else
                lua_pushvalue(L, value);
            add_header(running, L);
        }
        luaL_checkstack(L, 8, "too many headers");
        lua_pushvalue(L, key); /* what was added stays below */
    }
    running->result.headers = running->headers;
}

static void add_default_header(struct running *running, lua_State *L, const char *name,
                               const char *value)
{
    struct hook_result *result = &running->result;
    for (size_t i = 0; i < result->header_count; i++)
        if (bytes_is(running->headers[i].name, name)) return;
    lua_pushstring(L, name);
    lua_pushstring(L, value);
    add_header(running, L);
    result->headers = running->headers;
}

/* Requests and responses */

static const char *const request_keys[] = {"url", "headers", NULL};

static void read_request(struct running *running, lua_State *L)
{
    struct hook_result *result = &running->result;
    if (!lua_toboolean(L, 1)) return;
    if (lua_istable(L, 1)) {
        check_keys(L, 1, "an upstream's request", request_keys);
        lua_getfield(L, 1, "headers");
        read_headers(running, L, lua_gettop(L));
        lua_getfield(L, 1, "url");
    } else {
        lua_pushvalue(L, 1);
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        raise_sentence(L,
                       "an upstream's request must return a URL or { url = ..., headers = ... }");
    result->text = text_take(L, -1);
    if (text_breaks_line(result->text)) raise_sentence(L, "a URL holds CR, LF or NUL");
    result->outcome = OUTCOME_YES;
}

static int read_status(lua_State *L, int index)
{
    lua_Number status = lua_tonumber(L, index);
    if (lua_type(L, index) != LUA_TNUMBER || status < 200 || status > 599 || status != (int)status)
        raise_sentence(L, "a status must be a whole number from 200 to 599");
    return (int)status;
}

static void read_body(struct running *running, lua_State *L, int index, const char *type)
{
    if (!text_given(L, index))
        raise_sentence(L, "a body must be a text, not a %s; json = ... takes tables",
                       luaL_typename(L, index));
    running->result.response.body = text_take(L, index);
    if (type) add_default_header(running, L, "content-type", type);
}

static void read_json(struct running *running, lua_State *L, int index)
{
    running->result.response.body = json_encode(L, index);
    add_default_header(running, L, "content-type", "application/json");
}

static const char *const response_keys[] = {"status", "headers", "body", "json",
                                            "html",   "text",    NULL};

static void read_response_table(struct running *running, lua_State *L)
{
    struct http_response *response = &running->result.response;
    check_keys(L, 1, "a route's answer", response_keys);
    lua_getfield(L, 1, "headers");
    read_headers(running, L, lua_gettop(L));
    for (const char *const *key = response_keys + 2; *key; key++) {
        lua_getfield(L, 1, *key);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            continue;
        }
        if (response->body.data)
            raise_sentence(L, "a route's answer has one of body, json, html and text, not two");
        int at = lua_gettop(L);
        if (strcmp(*key, "json") == 0)
            read_json(running, L, at);
        else
            read_body(running, L, at,
                      strcmp(*key, "html") == 0   ? "text/html; charset=utf-8"
                      : strcmp(*key, "text") == 0 ? "text/plain; charset=utf-8"
                                                  : NULL);
    }
    lua_getfield(L, 1, "status");
    response->status =
        lua_isnil(L, -1) ? response->body.data ? 200 : 204 : read_status(L, lua_gettop(L));
}

/* return 204 | return 200, "text" | return { status, headers, body | json | html | text } */
static void read_response(struct running *running, lua_State *L)
{
    struct http_response *response = &running->result.response;
    *response = (struct http_response){0};
    if (lua_istable(L, 1)) {
        read_response_table(running, L);
    } else if (lua_type(L, 1) == LUA_TNUMBER) {
        response->status = read_status(L, 1);
        if (lua_istable(L, 2))
            read_json(running, L, 2);
        else if (!lua_isnoneornil(L, 2))
            read_body(running, L, 2, "text/plain; charset=utf-8");
    } else {
        raise_sentence(L, "a route must return a status, or a table such as { json = ... }, not %s",
                       lua_isnone(L, 1) ? "nothing" : luaL_typename(L, 1));
    }
    response->headers = running->headers;
    response->header_count = running->result.header_count;
    running->result.outcome = OUTCOME_YES;
}

/* The face */

int call_read_result(struct running *running, lua_State *L, int count)
{
    if (count == 0) lua_pushnil(L);
    switch (running->call.kind) {
    case HOOK_AUTHENTICATE:
        read_who(running, L);
        break;
    case HOOK_AUTHORIZE:
        read_publisher(running, L);
        break;
    case HOOK_PUBLISH:
        read_published(running, L);
        break;
    case HOOK_TOPICS:
        read_topics(running, L);
        break;
    case HOOK_SUBSCRIBE:
        read_verdict(running, L, "a topic's subscribe");
        break;
    case HOOK_FILTER:
        read_filter(running, L);
        break;
    case HOOK_AUDIENCE_KEY:
        read_audience_key(running, L);
        break;
    case HOOK_AUDIENCE:
        call_read_audience(running, L);
        break;
    case HOOK_SNAPSHOT:
        call_read_snapshot(running, L);
        break;
    case HOOK_KEY:
        read_key(running, L);
        break;
    case HOOK_REQUEST:
        read_request(running, L);
        break;
    case HOOK_ROUTE:
        read_response(running, L);
        break;
    case HOOK_CONNECT: /* only a plain false refuses */
        running->result.outcome =
            lua_isboolean(L, 1) && !lua_toboolean(L, 1) ? OUTCOME_NO : OUTCOME_YES;
        break;
    case HOOK_EVENT:
    case HOOK_EVERY:
    case HOOK_DISCONNECT:
    case HOOK_PRESENCE:
        running->result.outcome = OUTCOME_YES;
        break;
    case HOOK_KINDS:
        CHECK(!"a hook of no kind");
    }
    return lua_gettop(L);
}

bool call_read_refusal(struct running *running, lua_State *L)
{
    static const struct http_header headers[] = {
        {{"content-type", 12}, {"application/json", 16}}, {{"retry-after", 11}, {"1", 1}}};
    int status;
    const char *code, *message;
    if (!refusal_read(L, -1, &status, &code, &message)) return false;
    if (strcmp(code, REFUSAL_REQUEST_GONE) == 0) {
        running->result.outcome = OUTCOME_UNKNOWN;
        return true;
    }
    const bool publish = running->call.kind == HOOK_PUBLISH;
    if (running->call.kind != HOOK_ROUTE && !publish) {
        running->result.outcome = OUTCOME_UNKNOWN;
        return status == 503; /* "don't know" is what that says, and no error of theirs */
    }
    buf_clear(&running->text);
    buf_add_text(&running->text, "{\"error\":{\"code\":");
    text_json_string(&running->text, bytes_of(code));
    buf_add_text(&running->text, ",\"message\":");
    text_json_string(&running->text, bytes_of(message));
    buf_add_text(&running->text, "}}");
    running->result.outcome = publish ? OUTCOME_NO : OUTCOME_YES;
    running->result.response = (struct http_response){
        .status = status,
        .headers = headers,
        .header_count = status == 429 || status == 503 ? 2 : 1,
        .body = buf_bytes(&running->text)};
    return true;
}
