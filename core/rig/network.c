#include "rig/network.h"

#include <lauxlib.h>

#include "engine/node.h"
#include "rig/remote.h"
#include "rig/values.h"
#include "rig/world.h"

static void push_request(lua_State *L, const struct remote_request *request)
{
    lua_newtable(L);
    rig_set_number(L, "number", (double)request->number);
    rig_set_buf(L, "method", &request->method);
    rig_set_buf(L, "url", &request->url);
    rig_set_buf(L, "headers", &request->headers);
    rig_set_buf(L, "body", &request->body);
}

/* :calls([after]) -> the requests that wait for an answer, in order; those above a number only */
static int l_calls(lua_State *L)
{
    struct world *world = rig_world(L);
    const uint64_t after = (uint64_t)luaL_optnumber(L, 2, 0);
    int count = 0;
    lua_newtable(L);
    LIST_EACH(node, &world->remote.calls) {
        const struct remote_request *request = CONTAINER(node, struct remote_request, node);
        if (request->number <= after) continue;
        push_request(L, request);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* The word of fetch.h, or NULL. */
static const char *find_code(struct bytes code)
{
    static const char *const codes[] = {"timeout", "refused", "resolve", "tls", "too_large",
                                        "redirects", "bad_url", "network", NULL};
    size_t i = 0;
    while (codes[i] && !bytes_is(code, codes[i])) i++;
    return codes[i];
}

/* :made() -> how many requests of both kinds there were so far */
static int l_made(lua_State *L)
{
    lua_pushnumber(L, (double)rig_world(L)->remote.made);
    return 1;
}

/* :answer(number, { status, headers, body } | { code, sentence }) -> did it still wait */
static int l_answer(lua_State *L)
{
    struct world *world = rig_world(L);
    struct http_header headers[RIG_HEADERS_MAX];
    luaL_checktype(L, 3, LUA_TTABLE);
    struct fetch_answer answer = {.status = (int)rig_field_number(L, 3, "status", 0),
                                  .headers = headers,
                                  .header_count = rig_field_headers(L, 3, headers),
                                  .body = rig_field_bytes(L, 3, "body", "")};
    struct bytes code = rig_field_bytes(L, 3, "code", "");
    answer.code = find_code(code);
    luaL_argcheck(L, !code.size || answer.code, 3, "unknown code");
    if (answer.code) answer.sentence = rig_field_bytes(L, 3, "sentence", "as the spec said").data;
    lua_pushboolean(L, remote_answer(&world->remote, (uint64_t)luaL_checknumber(L, 2), &answer));
    return 1;
}

/* The declaration and key that a wire belongs to: its owner is the link. */
struct wire_search {
    lua_State *L;
    const struct plan *plan;
    const struct wire *wire;
};

static void name_wire(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                      struct link *link)
{
    struct wire_search *search = ctx;
    if (search->wire->owner != link) return;
    rig_set_bytes(search->L, "app", atom_bytes(search->plan->app));
    rig_set_bytes(search->L, "upstream", atom_bytes(upstream->name));
    rig_set_bytes(search->L, "key", key);
}

/* :wires([after]) -> the upstream connections: asked or open; those above a number only */
static int l_wires(lua_State *L)
{
    struct world *world = rig_world(L);
    const uint64_t after = (uint64_t)luaL_optnumber(L, 2, 0);
    int count = 0;
    lua_newtable(L);
    LIST_EACH(node, &world->remote.wires) {
        const struct wire *wire =
            CONTAINER(CONTAINER(node, struct remote_request, node), struct wire, request);
        if (wire->request.number <= after) continue;
        push_request(L, &wire->request);
        lua_pushboolean(L, wire->state == WIRE_OPEN);
        lua_setfield(L, -2, "open");
        lua_pushboolean(L, wire->paused);
        lua_setfield(L, -2, "paused");
        for (size_t i = 0; i < node_apps(world->node); i++) {
            struct app *app = node_app(world->node, i);
            struct wire_search search = {L, app_plan(app), wire};
            app_links_each(app, name_wire, &search);
        }
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* :wire_head(number, status, content_type, retry_after_ms) */
static int l_wire_head(lua_State *L)
{
    struct world *world = rig_world(L);
    const struct wire_head head = {
        .status = (int)luaL_checknumber(L, 3),
        .content_type = bytes_of(luaL_optstring(L, 4, "text/event-stream")),
        .retry_after_ms = (int64_t)luaL_optnumber(L, 5, -1)};
    lua_pushboolean(L, remote_head(&world->remote, (uint64_t)luaL_checknumber(L, 2), &head));
    return 1;
}

static int l_wire_bytes(lua_State *L)
{
    struct world *world = rig_world(L);
    struct bytes bytes;
    bytes.data = luaL_checklstring(L, 3, &bytes.size);
    lua_pushboolean(L, remote_bytes(&world->remote, (uint64_t)luaL_checknumber(L, 2), bytes));
    return 1;
}

/* :wire_end(number[, code, sentence]): a clean end; with a code, or true, a broken connection */
static int l_wire_end(lua_State *L)
{
    struct world *world = rig_world(L);
    const struct bytes code = bytes_of(lua_tostring(L, 3));
    const bool broken = lua_toboolean(L, 3);
    const char *word = code.data ? find_code(code) : "network";
    luaL_argcheck(L, !broken || word, 3, "unknown code");
    lua_pushboolean(L, remote_end(&world->remote, (uint64_t)luaL_checknumber(L, 2),
                                  broken ? word : NULL,
                                  broken ? luaL_optstring(L, 4, "connection reset") : NULL));
    return 1;
}

/* :wire_rule(path, status, content_type, retry_after_ms); status 0 holds */
static int l_wire_rule(lua_State *L)
{
    struct world *world = rig_world(L);
    remote_rule(&world->remote, luaL_checkstring(L, 2), (int)luaL_checknumber(L, 3),
                luaL_optstring(L, 4, NULL), (int64_t)luaL_optnumber(L, 5, -1));
    return 0;
}

static const luaL_Reg methods[] = {
    {"calls", l_calls},
    {"answer", l_answer},
    {"made", l_made},
    {"wires", l_wires},
    {"wire_head", l_wire_head},
    {"wire_bytes", l_wire_bytes},
    {"wire_end", l_wire_end},
    {"wire_rule", l_wire_rule},
    {NULL, NULL},
};

void rig_network_register(lua_State *L)
{
    luaL_register(L, NULL, methods);
}
