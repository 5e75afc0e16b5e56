/* bind_topic: what `app:topic` gives (called with values, it makes names) and the
 * names themselves, on which rules emit. An emit is only written down; the
 * batch goes out when the handler returns. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/text.h"
#include "engine/app.h"
#include "script/call.h"
#include "script/handle.h"
#include "script/here.h"
#include "script/objects.h"
#include "script/phase.h"
#include "script/raise.h"
#include "script/unlisted.h"
#include "script/values.h"
#include "script/vm.h"
#include "script/vm_hook.h"

enum {
    WITHIN_MAX_S = 3600,
    RETRY_MAX_S = 86400,
    NAME_MAX_BYTES = 1024,
    ID_MAX_BYTES = 256,
    META_MAX_BYTES = 16384
};

struct declared {
    struct handle handle;
    struct plan_topic *topic;
};

struct named {
    struct handle handle;
    const struct plan_topic *topic; /* whose pattern made it */
    size_t size;
    char text[];
};

enum field { PATTERN = 1, NAME };

static int get_declared(lua_State *L, void *handle, int field)
{
    (void)field;
    const struct declared *self = handle;
    push_bytes(L, atom_bytes(self->topic->name));
    return 1;
}

static int get_named(lua_State *L, void *handle, int field)
{
    (void)field;
    const struct named *self = handle;
    lua_pushlstring(L, self->text, self->size);
    return 1;
}

static int l_emit(lua_State *L);
static int l_resync(lua_State *L);
static int l_subscribers(lua_State *L);

static const struct handle_member declared_members[] = {{"pattern", PATTERN, NULL},
                                                        {NULL, 0, NULL}};
static const struct handle_member named_members[] = {{"name", NAME, NULL},
                                                     {"emit", 0, l_emit},
                                                     {"resync", 0, l_resync},
                                                     {"subscribers", 0, l_subscribers},
                                                     {NULL, 0, NULL}};

static const struct handle_kind declared_kind = {"topic", declared_members, get_declared,
                                                 HANDLE_TOPIC};
static const struct handle_kind named_kind = {"topic name", named_members, get_named, HANDLE_NAME};

/* mine(user): the pattern with its holes filled, encoded. */
static int l_call(lua_State *L)
{
    const struct declared *self = handle_check(L, 1, &declared_kind);
    const struct pattern *pattern = self->topic->pattern;
    size_t count = pattern_params(pattern);
    struct bytes values[PATTERN_PARAMS_MAX];
    if ((size_t)lua_gettop(L) - 1 != count)
        raise_sentence(L, "the topic '%s' takes %d value%s, got %d", self->topic->name->text,
                       (int)count, count == 1 ? "" : "s", lua_gettop(L) - 1);
    for (size_t i = 0; i < count; i++) {
        int at = (int)i + 2;
        struct bytes name = pattern_param(pattern, i);
        lua_pushlstring(L, name.data, name.size);
        if (!text_given(L, at) || lua_objlen(L, at) == 0)
            raise_sentence(L, "the topic '%s': {%s} is %s, expected a text",
                           self->topic->name->text, lua_tostring(L, -1),
                           text_given(L, at) ? "empty" : luaL_typename(L, at));
        lua_pop(L, 1);
        values[i] = text_take(L, at);
    }
    struct buf *text = here_scratch(L);
    pattern_format(pattern, values, text);
    if (text->size > NAME_MAX_BYTES)
        raise_sentence(L, "a name of the topic '%s' is %d bytes, %d at most",
                       self->topic->name->text, (int)text->size, NAME_MAX_BYTES);
    struct named *named = handle_new(L, &named_kind, sizeof *named + text->size);
    named->topic = self->topic;
    named->size = text->size;
    memcpy(named->text, text->data, text->size);
    return 1;
}

/* Emits */

static void read_data(lua_State *L, struct emit *emit)
{
    if (json_absent(L, 3))
        emit->data = BYTES("");
    else if (lua_type(L, 3) == LUA_TSTRING)
        emit->data = text_take(L, 3);
    else if (lua_istable(L, 3) || lua_type(L, 3) == LUA_TNUMBER || frozen_table(L, 3))
        emit->data = json_encode(L, 3);
    else
        raise_sentence(L, "emit: the data is a %s, expected a text or a table",
                       luaL_typename(L, 3));
}

/* What its topic's `wrap` makes of the data takes its place. The rule's function runs as a part of the
 * handler: it raises there, and cannot wait under a function of C's. */
static void wrap_data(lua_State *L, const struct plan_topic *topic)
{
    vm_hook_push(vm_of(L), L, topic->wrap);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    if (lua_istable(L, 4))
        lua_getfield(L, 4, "meta");
    else
        lua_pushnil(L);
    lua_call(L, 3, 1);
    if (lua_type(L, -1) != LUA_TSTRING && !lua_istable(L, -1))
        raise_sentence(L, "the wrap of the topic '%s' returned a %s, expected a text or a table",
                       topic->name->text, luaL_typename(L, -1));
    lua_replace(L, 3);
}

static struct bytes text_option(lua_State *L, const char *name, int value)
{
    if (!text_given(L, value))
        raise_sentence(L, "emit: %s is a %s, expected a text", name, luaL_typename(L, value));
    return text_take(L, value);
}

static uint64_t seconds_option(lua_State *L, const char *name, int value, int most)
{
    lua_Number seconds = lua_tonumber(L, value);
    if (lua_type(L, value) != LUA_TNUMBER || !(seconds >= 0 && seconds <= most))
        raise_sentence(L, "emit: %s must be seconds from 0 to %d", name, most);
    return (uint64_t)(seconds * 1000 + 0.5);
}

static void read_tag(lua_State *L, struct emit *emit, int value)
{
    const bool none =
        json_absent(L, value) || (lua_isboolean(L, value) && !lua_toboolean(L, value));
    emit->tag = none ? (struct bytes){NULL, 0} : text_option(L, "tag", value);
}

static void read_user(lua_State *L, struct emit *emit, int value)
{
    emit->user = text_option(L, "user", value);
}

static void read_replaces(lua_State *L, struct emit *emit, int value)
{
    emit->replaces = text_option(L, "replaces", value);
}

static void read_within(lua_State *L, struct emit *emit, int value)
{
    emit->within_ms = seconds_option(L, "within", value, WITHIN_MAX_S);
}

static void read_retry(lua_State *L, struct emit *emit, int value)
{
    emit->retry_ms = seconds_option(L, "retry", value, RETRY_MAX_S);
}

/* CR, LF and NUL break the line; no header could bring back the others. */
static bool has_controls(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) return true;
    return false;
}

/* A client gives it back as the place where it was: it must not mean anything else there. */
static void read_id(lua_State *L, struct emit *emit, int value)
{
    emit->id = text_option(L, "id", value);
    if (emit->id.size == 0 || emit->id.size > ID_MAX_BYTES || has_controls(emit->id))
        raise_sentence(L, "emit: the id must be 1 to %d bytes without control characters",
                       ID_MAX_BYTES);
    if (bytes_equal(emit->id, SUBSCRIBER_EARLIEST) || hub_is_cursor(app_hub(here_app(L)), emit->id))
        raise_sentence(L, "emit: the id '%s' has a meaning of its own: it is %s",
                       lua_tostring(L, value),
                       bytes_equal(emit->id, SUBSCRIBER_EARLIEST)
                           ? "what a client asks for that wants all that there is"
                           : "a cursor of this server");
}

static void read_meta(lua_State *L, struct emit *emit, int value)
{
    emit->meta = json_encode(L, value);
    if (emit->meta.size > META_MAX_BYTES)
        raise_sentence(L, "emit: the meta is %d bytes as JSON, %d at most", (int)emit->meta.size,
                       META_MAX_BYTES);
}

static const char *const option_names[] = {"id",     "meta", "replaces", "retry",
                                           "tag",    "user", "within",   NULL};
static void (*const option_readers[])(lua_State *L, struct emit *emit, int value) = {
    read_id, read_meta, read_replaces, read_retry, read_tag, read_user, read_within};

static void read_option(lua_State *L, struct emit *emit, const char *name, int value)
{
    size_t at = 0;
    while (option_names[at] && strcmp(option_names[at], name) != 0) at++;
    if (option_names[at]) {
        if (!json_absent(L, value) || option_readers[at] == read_tag)
            option_readers[at](L, emit, value);
        return;
    }
    const char *nearest = text_nearest(name, option_names);
    raise_sentence(L,
                   nearest ? "emit: unknown option '%s'; did you mean '%s'?"
                           : "emit: unknown option '%s'",
                   name, nearest);
}

/* What is explicit stands over what the call at hand says: `tag = false` says that there is none.
 */
static void read_options(lua_State *L, struct emit *emit)
{
    luaL_checkstack(L, 24, "emit");
    lua_pushnil(L);
    while (lua_next(L, 4)) {
        const int value = lua_gettop(L);
        read_option(L, emit,
                    lua_type(L, value - 1) == LUA_TSTRING ? lua_tostring(L, value - 1) : "", value);
        lua_pushvalue(L, value - 1); /* the value stays, and what was made of it: its text */
    }
    if (emit->within_ms && !emit->replaces.data)
        raise_sentence(L, "emit: within needs replaces, which says what the newest stands for");
}

/* The declaration that the core takes the name for. */
static const struct plan_topic *declaration(lua_State *L, const struct named *self)
{
    if (!self->topic->overlapped) return self->topic;
    return plan_topic_of(vm_plan(vm_of(L)), bytes_run(self->text, self->size), NULL);
}

/* Of several events that are handled in one call, each has its own. */
static void add(lua_State *L, struct app_emit *emit)
{
    struct running *running = here_running(L);
    if (running->call.publication) {
        emit->event = running->call.event;
        emit->emit.cause = running->cause;
    }
    if (!batch_add(&running->batch, emit))
        raise_sentence(L,
                       "more than %d emits or %d bytes of them in one call; app:flush() publishes "
                       "what is there",
                       BATCH_ITEMS_MAX, (int)BATCH_BYTES_MAX);
}

static struct app_emit emit_on(const struct named *self)
{
    return (struct app_emit){.name = {self->text, self->size}};
}

static void tell_unlisted(lua_State *L, const struct plan_topic *topic, struct bytes type)
{
    struct vm *vm = vm_of(L);
    const struct unlisted_type found = {.app = vm_name(vm),
                                        .topic = atom_bytes(topic->name),
                                        .declared = topic->place.text,
                                        .type = type};
    unlisted_tell(vm_unlisted(vm), vm_options(vm)->ports->log, &found);
}

/* handle:emit(type, data, options) */
static int l_emit(lua_State *L)
{
    phase_check(L, CALL_EMIT, "emit");
    const struct named *self = handle_check(L, 1, &named_kind);
    struct app_emit item = emit_on(self);
    const struct running *running = here_running(L);
    const struct plan_topic *topic = declaration(L, self);
    lua_settop(L, 4);
    if (lua_type(L, 2) != LUA_TSTRING || lua_objlen(L, 2) == 0)
        raise_sentence(L, "emit: the type is %s, expected a text",
                       lua_type(L, 2) == LUA_TSTRING ? "empty" : luaL_typename(L, 2));
    item.emit.type = text_take(L, 2);
    if (text_breaks_line(item.emit.type)) raise_sentence(L, "emit: the type holds CR, LF or NUL");
    item.emit.user = request_user(running);
    item.emit.tag = request_tag(running);
    if (lua_istable(L, 4))
        read_options(L, &item.emit);
    else if (!lua_isnil(L, 4))
        raise_sentence(L, "emit: the options are a %s, expected a table", luaL_typename(L, 4));
    if (item.emit.id.data && !topic->options.publisher_ids)
        raise_sentence(L, "emit: the topic '%s' shows cursors; declared with id = \"publisher\" it "
                          "shows the id of the emit",
                       topic->name->text);
    if (!plan_topic_has_type(topic, item.emit.type)) tell_unlisted(L, topic, item.emit.type);
    if (topic->wrap) wrap_data(L, topic);
    read_data(L, &item.emit);
    if (!item.emit.user.size || !text_is_tag(item.emit.tag))
        item.emit.user = item.emit.tag = (struct bytes){NULL, 0};
    add(L, &item);
    return 0;
}

/* handle:resync(reason) */
static int l_resync(lua_State *L)
{
    phase_check(L, CALL_EMIT, "resync");
    struct app_emit item = emit_on(handle_check(L, 1, &named_kind));
    if (lua_type(L, 2) != LUA_TSTRING || lua_objlen(L, 2) == 0 || lua_objlen(L, 2) > 64 ||
        text_breaks_line(text_take(L, 2)))
        raise_sentence(L, "resync: the reason must be a word such as \"upstream\"");
    item.resync = lua_tostring(L, 2);
    add(L, &item);
    return 0;
}

static int l_subscribers(lua_State *L)
{
    phase_check(L, CALL_APP, "subscribers");
    const struct named *self = handle_check(L, 1, &named_kind);
    struct hub *hub = app_hub(here_app(L));
    struct topic *topic = hub_topic_find(hub, bytes_run(self->text, self->size));
    lua_pushinteger(L, topic ? (lua_Integer)topic_subscribers(topic) : 0);
    return 1;
}

/* flush(): what was emitted so far goes out now; true: it did, else it is collected. */
static int l_flush(lua_State *L)
{
    phase_check(L, CALL_FLUSH, "app:flush");
    return call_flush(here_running(L), L);
}

bool topic_name_at(lua_State *L, int index, struct bytes *name)
{
    const struct named *named = handle_test(L, index, &named_kind);
    if (named)
        *name = bytes_run(named->text, named->size);
    else if (lua_type(L, index) == LUA_TSTRING)
        *name = text_take(L, index);
    else
        return false;
    return true;
}

void topic_push(lua_State *L, struct plan_topic *topic)
{
    struct declared *declared = handle_new(L, &declared_kind, sizeof *declared);
    declared->topic = topic;
}

struct plan_topic *topic_declared_at(lua_State *L, int index)
{
    struct declared *declared = handle_test(L, index, &declared_kind);
    return declared ? declared->topic : NULL;
}

void bind_topic(lua_State *L)
{
    handle_define(L, &declared_kind);
    lua_pushcfunction(L, l_call);
    lua_setfield(L, -2, "__call");
    lua_pop(L, 1);
    handle_define(L, &named_kind);
    lua_pop(L, 1);
    lua_pushcfunction(L, l_flush);
    lua_setfield(L, -2, "flush");
}
