/* phase: see phase.h.
 *
 * A hook that answers a question (who is it, may she) may be asked again, or its
 * answer thrown away, so it may not act; what acts runs once for its cause. */
#include "script/phase.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/check.h"
#include "script/call.h"
#include "script/here.h"
#include "script/raise.h"

#define AT(phase) (1u << (phase))

enum {
    ACTING = AT(HOOK_EVENT) | AT(HOOK_PUBLISH) | AT(HOOK_ROUTE) | AT(HOOK_EVERY) |
             AT(HOOK_CONNECT) | AT(HOOK_DISCONNECT) | AT(HOOK_PRESENCE) | AT(PHASE_BACKGROUND),
    RUNNING = (AT(PHASES) - 1) & ~AT(PHASE_LOAD),
    WITHIN_HUB = AT(HOOK_FILTER) | AT(HOOK_AUDIENCE_KEY) | AT(HOOK_AUDIENCE),
};

static const unsigned allowed[CALL_KINDS] = {
    [CALL_DECLARE] = AT(PHASE_LOAD),      [CALL_EMIT] = ACTING,
    [CALL_WAIT] = RUNNING & ~AT(HOOK_AUDIENCE_KEY), /* a fan-out is under way, and needs it now */
    [CALL_APP] = RUNNING & ~WITHIN_HUB,   [CALL_STORE] = RUNNING,
    [CALL_SEAT] = ACTING,
    [CALL_FLUSH] = ACTING & ~AT(HOOK_PUBLISH),
};

static const char *const waits[] = {"http", "redis", "time.sleep", "latch:wait", "sub:subscribe"};

static const char *const names[PHASES] = {
    [HOOK_AUTHENTICATE] = "an identity function",
    [HOOK_TOPICS] = "a stream's topics",
    [HOOK_SUBSCRIBE] = "a topic's subscribe",
    [HOOK_FILTER] = "a filter",
    [HOOK_AUDIENCE_KEY] = "an audience's key",
    [HOOK_AUDIENCE] = "an audience's ask",
    [HOOK_SNAPSHOT] = "a topic's snapshot",
    [HOOK_KEY] = "an upstream's key",
    [HOOK_REQUEST] = "an upstream's request",
    [HOOK_EVENT] = "an event handler",
    [HOOK_AUTHORIZE] = "an ingest's authorize",
    [HOOK_PUBLISH] = "an ingest's handler",
    [HOOK_ROUTE] = "a route",
    [HOOK_EVERY] = "a timer",
    [HOOK_CONNECT] = "a stream's connect",
    [HOOK_DISCONNECT] = "a stream's disconnect",
    [HOOK_PRESENCE] = "a topic's presence change",
    [PHASE_LOAD] = "a rule file while it loads",
    [PHASE_BACKGROUND] = "the library's background",
};

static int refuse(lua_State *L, enum call_kind kind, enum phase phase, const char *name)
{
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    luaL_addstring(&text, name);
    luaL_addstring(&text, " cannot be called in ");
    luaL_addstring(&text, names[phase]);
    luaL_addstring(&text, "; it can in ");
    bool first = true;
    for (unsigned at = 0; at < PHASES; at++) {
        if (!(allowed[kind] & AT(at)) || at == PHASE_BACKGROUND) continue;
        if (!first) luaL_addstring(&text, ", ");
        luaL_addstring(&text, names[at]);
        first = false;
    }
    luaL_pushresult(&text);
    return raise_sentence(L, "%s", lua_tostring(L, -1));
}

bool phase_allows(enum phase phase, enum call_kind kind)
{
    return allowed[kind] & AT(phase);
}

const char *phase_name(enum phase phase)
{
    return names[phase];
}

const char *phase_wait(unsigned index)
{
    return index < sizeof waits / sizeof waits[0] ? waits[index] : NULL;
}

static bool is_wait(const char *name)
{
    unsigned index = 0;
    while (index < sizeof waits / sizeof waits[0] && strcmp(waits[index], name) != 0) index++;
    return phase_wait(index) != NULL;
}

void phase_check(lua_State *L, enum call_kind kind, const char *name)
{
    CHECK(kind != CALL_WAIT || is_wait(name));
    const struct running *running = here_running(L);
    enum phase phase = running ? running->phase : PHASE_LOAD;
    if (!(allowed[kind] & AT(phase))) refuse(L, kind, phase, name);
    if (phase != PHASE_LOAD && !here_app(L))
        raise_sentence(L, "%s: the app does not run yet", name);
}
