/* bind_http: one request of a rule's over the fetch port. The library
 * (scripts/sluice/http.lua) makes it friendly; here it is sent, waited for and
 * its answer handed over. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "ports/fetch.h"
#include "engine/ports.h"
#include "script/bind.h"
#include "script/task.h"
#include "script/here.h"
#include "script/phase.h"

enum { HEADERS_MAX = 64 };

struct fetching {
    struct fetch *fetch;
    struct fetch_call *call; /* NULL once it is answered */
    struct task *task;
    int status;
    const char *code;            /* of an error; then `bytes` is its sentence */
    struct buf bytes;            /* else names, values and the body, one after the other */
    struct http_header *headers; /* sizes only; the bytes stand in `bytes` */
    size_t header_count;
    size_t body_size;
};

static void answered(void *owner, const struct fetch_answer *answer)
{
    struct fetching *fetching = owner;
    fetching->call = NULL;
    fetching->status = answer->status;
    fetching->code = answer->code;
    if (answer->code)
        buf_add_text(&fetching->bytes, answer->sentence ? answer->sentence : answer->code);
    fetching->header_count = answer->header_count;
    fetching->headers = xcalloc(answer->header_count, sizeof *fetching->headers);
    for (size_t i = 0; i < answer->header_count; i++) {
        fetching->headers[i] = answer->headers[i];
        buf_add_bytes(&fetching->bytes, answer->headers[i].name);
        buf_add_bytes(&fetching->bytes, answer->headers[i].value);
    }
    fetching->body_size = answer->body.size;
    buf_add_bytes(&fetching->bytes, answer->body);
    task_wake(fetching->task);
}

/* Adds to the table on top. Several of one name are joined (RFC 9110, 5.3); cookies are not to be,
 * those become a list. */
static void add_header(lua_State *L, struct bytes name, struct bytes value)
{
    lua_pushlstring(L, name.data, name.size);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, value.data, value.size);
    } else if (!bytes_is(name, "set-cookie")) {
        lua_pushliteral(L, ", ");
        lua_pushlstring(L, value.data, value.size);
        lua_concat(L, 3);
    } else {
        if (!lua_istable(L, -1)) {
            lua_createtable(L, 2, 0);
            lua_insert(L, -2);
            lua_rawseti(L, -2, 1);
        }
        lua_pushlstring(L, value.data, value.size);
        lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    }
    lua_rawset(L, -3);
}

/* status, headers, body | nil, code, sentence */
static int collect(lua_State *L, void *ctx)
{
    const struct fetching *fetching = ctx;
    if (fetching->code) {
        lua_pushnil(L);
        lua_pushstring(L, fetching->code);
        lua_pushlstring(L, fetching->bytes.data, fetching->bytes.size);
        return 3;
    }
    const char *at = fetching->bytes.data ? fetching->bytes.data : "";
    lua_pushinteger(L, fetching->status);
    lua_createtable(L, 0, (int)fetching->header_count);
    for (size_t i = 0; i < fetching->header_count; i++) {
        struct bytes name = bytes_run(at, fetching->headers[i].name.size);
        struct bytes value = bytes_run(at + name.size, fetching->headers[i].value.size);
        add_header(L, name, value);
        at += name.size + value.size;
    }
    lua_pushlstring(L, at, fetching->body_size);
    return 3;
}

static void release(void *ctx)
{
    struct fetching *fetching = ctx;
    if (fetching->call) fetching->fetch->cancel(fetching->fetch, fetching->call);
    buf_destroy(&fetching->bytes);
    xfree(fetching->headers);
    xfree(fetching);
}

static const struct wait_ops waiting = {collect, release};

static struct bytes text_at(lua_State *L, int index)
{
    struct bytes text;
    text.data = luaL_checklstring(L, index, &text.size);
    return text;
}

/* fetch(method, url, { name, value, ... }, body, timeout seconds, most bytes) */
static int l_fetch(lua_State *L)
{
    struct http_header headers[HEADERS_MAX];
    phase_check(L, CALL_WAIT, "http");
    size_t count = lua_objlen(L, 3) / 2;
    luaL_argcheck(L, count <= HEADERS_MAX, 3, "too many headers");
    luaL_checkstack(L, 2 * HEADERS_MAX, "http");
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 3, (int)(2 * i) + 1);
        lua_rawgeti(L, 3, (int)(2 * i) + 2);
        headers[i] = (struct http_header){text_at(L, -2), text_at(L, -1)};
    }
    const struct fetch_request request = {
        .method = text_at(L, 1),
        .url = text_at(L, 2),
        .headers = headers,
        .header_count = count,
        .body = text_at(L, 4),
        .timeout_ms = (uint64_t)(luaL_checknumber(L, 5) * 1000),
        .max_answer_bytes = (size_t)luaL_checknumber(L, 6),
    };
    struct fetching *fetching = xcalloc(1, sizeof *fetching);
    fetching->fetch = here_ports(L)->fetch;
    fetching->task = here_tasks(L)->running;
    fetching->call = fetching->fetch->start(fetching->fetch, &request, answered, fetching);
    return task_park(L, here_tasks(L), &waiting, fetching);
}

void bind_http(lua_State *L)
{
    lua_pushcfunction(L, l_fetch);
    lua_setfield(L, -2, "fetch");
}
