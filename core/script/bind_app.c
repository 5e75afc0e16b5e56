/* bind_app: who is connected, who is present, and the app's cursor. Walks of the hub only note
 * what they see; Lua values are made afterwards, because making them may raise,
 * and nothing may raise through the hub's frames. */
#include <lauxlib.h>
#include <lua.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/census.h"
#include "engine/everywhere.h"
#include "engine/farewell.h"
#include "engine/presence.h"
#include "engine/seat.h"
#include "script/bind.h"
#include "script/here.h"
#include "script/kept.h"
#include "script/objects.h"
#include "script/phase.h"
#include "script/task.h"
#include "script/values.h"

/* The atom of the text at the index if anybody holds it: a user that is connected has one. False:
 * the argument was given, and no such atom is there, so nobody is meant. */
static bool find_atom(lua_State *L, int index, struct atom **atom)
{
    struct bytes text;
    *atom = NULL;
    if (json_absent(L, index)) return true;
    text.data = luaL_checklstring(L, index, &text.size);
    *atom = atom_find(text);
    return *atom != NULL;
}

static bool note_user(void *ctx, struct atom *user, uint32_t tabs)
{
    (void)tabs;
    buf_add(ctx, &user, sizeof user);
    return true;
}

static void push_users(lua_State *L, const struct buf *seen, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_bytes(L, atom_bytes(((struct atom **)seen->data)[i]));
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* limit_take(name, key, rate, burst, seconds): true | false, seconds to wait */
static int l_limit_take(lua_State *L)
{
    struct bytes name, key;
    phase_check(L, CALL_STORE, "limit:take");
    name.data = luaL_checklstring(L, 1, &name.size);
    key.data = luaL_checklstring(L, 2, &key.size);
    const struct bucket_limit limit = {.rate = (uint32_t)luaL_checkinteger(L, 3),
                                       .burst = (uint32_t)luaL_checkinteger(L, 4),
                                       .seconds = (uint32_t)luaL_checkinteger(L, 5)};
    struct app *app = here_app(L);
    const uint64_t wait_ms = toll_named(&app_census(app)->toll, app_plan(app)->app,
                                        here_shadowed(L), name, key, limit);
    lua_pushboolean(L, wait_ms == 0);
    if (wait_ms == 0) return 1;
    lua_pushnumber(L, (lua_Number)wait_ms / 1000);
    return 2;
}

/* users(): the names of all that have a stream */
static int l_users(lua_State *L)
{
    phase_check(L, CALL_APP, "app:users");
    struct buf *seen = here_scratch(L);
    hub_users_each(app_hub(here_app(L)), note_user, seen);
    push_users(L, seen, seen->size / sizeof(struct atom *));
    return 1;
}

static bool note_seat(void *ctx, struct subscriber *subscriber)
{
    struct seat *seat = seat_of(subscriber);
    if (seat) buf_add(ctx, &seat, sizeof seat);
    return true;
}

/* subscribers(user, tag): handles of all, of a user's, or the one */
static int l_subscribers(lua_State *L)
{
    struct atom *user, *tag;
    phase_check(L, CALL_APP, "app:subscribers");
    bool meant = find_atom(L, 1, &user) && find_atom(L, 2, &tag);
    struct buf *seen = here_scratch(L);
    if (meant && user)
        hub_subscribers_each(app_hub(here_app(L)), user, tag, note_seat, seen);
    else if (meant)
        hub_all_each(app_hub(here_app(L)), note_seat, seen);
    size_t count = seen->size / sizeof(struct seat *);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        seat_push(L, ((struct seat **)seen->data)[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* count(user, tag): how many those are */
static int l_count(lua_State *L)
{
    struct atom *user, *tag;
    phase_check(L, CALL_APP, "app:count");
    struct buf *seen = here_scratch(L);
    bool meant = find_atom(L, 1, &user) && find_atom(L, 2, &tag);
    if (meant && user) hub_subscribers_each(app_hub(here_app(L)), user, tag, note_seat, seen);
    lua_pushinteger(L, meant && !user ? hub_counters(app_hub(here_app(L)))->subscribers
                                      : (lua_Integer)(seen->size / sizeof(struct seat *)));
    return 1;
}

static struct bytes text_or_nil(lua_State *L, int index)
{
    struct bytes text = {NULL, 0};
    if (!json_absent(L, index)) text.data = luaL_checklstring(L, index, &text.size);
    return text;
}

/* disconnect(user, tag, options): how many streams that ended here, or would have */
static int l_disconnect(lua_State *L)
{
    struct farewell farewell;
    phase_check(L, CALL_APP, "app:disconnect");
    lua_settop(L, 3);
    farewell_take(L, "app:disconnect", 3, &farewell);
    if (here_shadowed(L)) return l_count(L);
    lua_pushinteger(L, app_disconnect(here_app(L), text_or_nil(L, 1), text_or_nil(L, 2), &farewell));
    return 1;
}

/* forget(topic, user): what audiences answered about them; nil: about all */
static int l_forget(lua_State *L)
{
    struct bytes name = {NULL, 0};
    phase_check(L, CALL_SEAT, "app:forget");
    if (!json_absent(L, 1) && !topic_name_at(L, 1, &name))
        return luaL_argerror(L, 1, "expected a topic");
    const struct bytes user = text_or_nil(L, 2);
    if (!here_shadowed(L)) everywhere_forget(app_everywhere(here_app(L)), name, user);
    return 0;
}

static int l_cursor(lua_State *L)
{
    char cursor[CURSOR_MAX];
    phase_check(L, CALL_APP, "app:cursor");
    lua_pushlstring(L, cursor, hub_cursor(app_hub(here_app(L)), cursor));
    return 1;
}

/* tab_open(user, tag) */
static int l_tab_open(lua_State *L)
{
    struct atom *user, *tag;
    phase_check(L, CALL_APP, "tab_open");
    bool meant = find_atom(L, 1, &user) && find_atom(L, 2, &tag) && user && tag;
    lua_pushboolean(L, meant && app_tab_open(here_app(L), user, tag));
    return 1;
}

struct newest {
    struct seat *seat;
};

static bool note_newest(void *ctx, struct subscriber *subscriber)
{
    struct newest *newest = ctx;
    struct seat *seat = seat_of(subscriber);
    if (seat && (!newest->seat || seat_number(seat) > seat_number(newest->seat)))
        newest->seat = seat;
    return true;
}

/* newest_data(user): what was said of the user's newest subscriber, and that one's number, which
 * rises with every subscriber; nothing if none is connected */
static int l_newest_data(lua_State *L)
{
    struct atom *user;
    struct newest newest = {NULL};
    phase_check(L, CALL_APP, "newest_data");
    if (!find_atom(L, 1, &user) || !user) return 0;
    hub_subscribers_each(app_hub(here_app(L)), user, NULL, note_newest, &newest);
    if (!newest.seat) return 0;
    frozen_push(L, seat_identity(newest.seat)->data);
    lua_pushnumber(L, (lua_Number)seat_number(newest.seat));
    return 2;
}

/* ---- presence, on this node ---- */

static void note_present(void *ctx, struct atom *user)
{
    buf_add(ctx, &user, sizeof user);
}

static int by_name(const void *one, const void *other)
{
    const struct atom *a = *(struct atom *const *)one, *b = *(struct atom *const *)other;
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* presence_list(topic): the users, sorted */
static int l_presence_list(lua_State *L)
{
    struct atom *topic;
    phase_check(L, CALL_APP, "presence:list");
    struct buf *seen = here_scratch(L);
    if (find_atom(L, 1, &topic))
        presence_each(app_presence(here_app(L)), topic, note_present, seen);
    size_t count = seen->size / sizeof(struct atom *);
    if (count) qsort(seen->data, count, sizeof(struct atom *), by_name);
    push_users(L, seen, count);
    return 1;
}

/* presence_count(topic) */
static int l_presence_count(lua_State *L)
{
    struct atom *topic;
    phase_check(L, CALL_APP, "presence:count");
    bool known = find_atom(L, 1, &topic);
    lua_pushinteger(L, known ? presence_count(app_presence(here_app(L)), topic) : 0);
    return 1;
}

/* presence_online(topic, user) */
static int l_presence_online(lua_State *L)
{
    struct atom *topic, *user;
    phase_check(L, CALL_APP, "presence:online");
    bool known = find_atom(L, 1, &topic) && find_atom(L, 2, &user);
    lua_pushboolean(L, known && presence_online(app_presence(here_app(L)), topic, user));
    return 1;
}

/* presence_beat(topic, user, tag): did it count? nil: not here, but it may on another node */
static int l_presence_beat(lua_State *L)
{
    struct atom *topic, *user, *tag;
    phase_check(L, CALL_SEAT, "presence:beat");
    struct presence *presence = app_presence(here_app(L));
    const bool meant = !here_shadowed(L);
    const bool known = find_atom(L, 1, &topic) && find_atom(L, 2, &user) && find_atom(L, 3, &tag);
    const bool counts = meant && known && presence_beat(presence, topic, user, tag);
    if (meant && !counts && presence_is_shared(presence))
        lua_pushnil(L);
    else
        lua_pushboolean(L, counts);
    return 1;
}

/* ---- presence, where nodes share a Redis ---- */

struct asking {
    struct crowd_call *call; /* NULL once it is answered */
    struct task *task;
    struct kept kept;
};

static void on_answer(void *owner, const struct redis_answer *answer)
{
    struct asking *asking = owner;
    asking->call = NULL;
    kept_take(&asking->kept, answer);
    task_wake(asking->task);
}

static int collect(lua_State *L, void *ctx)
{
    return kept_push(L, &((const struct asking *)ctx)->kept);
}

static void release(void *ctx)
{
    struct asking *asking = ctx;
    if (asking->call) crowd_cancel(asking->call);
    kept_destroy(&asking->kept);
    xfree(asking);
}

static const struct wait_ops waiting = {collect, release};

static struct bytes text_at(lua_State *L, int index)
{
    struct bytes text;
    text.data = luaL_optlstring(L, index, "", &text.size);
    return text;
}

/* presence_ask("list" | "count" | "online" | "beat", topic, user, tag). Then collect(): a list, a number, 1 or 0 |
 * nil, code, sentence */
static int l_presence_ask(lua_State *L)
{
    static const char *const questions[] = {"list", "count", "online", "beat", NULL};
    static const char *const names[] = {"presence:list", "presence:count", "presence:online", "presence:beat"};
    enum { BEAT = 3 };
    const int question = luaL_checkoption(L, 1, NULL, questions);
    const struct bytes topic = text_at(L, 2), user = text_at(L, 3), tag = text_at(L, 4);
    phase_check(L, question == BEAT ? CALL_SEAT : CALL_APP, names[question]);
    phase_check(L, CALL_WAIT, "redis");
    struct presence *presence = app_presence(here_app(L));
    struct asking *asking = xcalloc(1, sizeof *asking);
    asking->task = here_tasks(L)->running;
    asking->call = question == BEAT
                       ? presence_beat_elsewhere(presence, topic, user, tag, on_answer, asking)
                       : presence_ask(presence, (enum crowd_question)question, topic, user, on_answer, asking);
    return task_park(L, here_tasks(L), &waiting, asking);
}

/* presence_shared(): is it asked so? */
static int l_presence_shared(lua_State *L)
{
    struct app *app = here_app(L);
    lua_pushboolean(L, app && presence_is_shared(app_presence(app)));
    return 1;
}

void bind_app(lua_State *L)
{
    static const luaL_Reg functions[] = {{"limit_take", l_limit_take}, {"users", l_users},
                                         {"subscribers", l_subscribers},
                                         {"count", l_count},
                                         {"disconnect", l_disconnect},
                                         {"forget", l_forget},
                                         {"cursor", l_cursor},
                                         {"tab_open", l_tab_open},
                                         {"newest_data", l_newest_data},
                                         {"presence_list", l_presence_list},
                                         {"presence_count", l_presence_count},
                                         {"presence_online", l_presence_online},
                                         {"presence_beat", l_presence_beat},
                                         {"presence_ask", l_presence_ask},
                                         {"presence_shared", l_presence_shared},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
