/* bind_plan: what a rule file declares becomes the plan. The library's schemas
 * (scripts/sluice/declare_*.lua) have checked names, types and ranges and filled
 * in the defaults; here plain values move into plain structs. Each function takes
 * one table, the fields of one declaration, and returns it as a light userdata,
 * or nil and a sentence. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "plan/plan.h"
#include "script/bind.h"
#include "script/field.h"
#include "script/objects.h"
#include "script/phase.h"
#include "script/vm.h"
#include "script/vm_hook.h"

static struct plan *plan_of(lua_State *L)
{
    return vm_plan(vm_of(L));
}

static int push_error(lua_State *L, const char *sentence)
{
    lua_pushnil(L);
    lua_pushstring(L, sentence);
    return 2;
}

/* Declarations */

static int l_app(lua_State *L)
{
    vm_set_plan(vm_of(L), plan_new(field_text(L, "name")));
    return 0;
}

static void read_text(lua_State *L, void *item)
{
    struct bytes text;
    text.data = lua_tolstring(L, -1, &text.size);
    *(struct atom **)item = atom_get(text);
}

static int l_topic(lua_State *L)
{
    const char *error;
    struct pattern *pattern = field_pattern(L, PATTERN_TOPIC, "pattern", &error);
    if (!pattern) return push_error(L, error);
    struct plan_topic *topic = plan_add_topic(plan_of(L));
    topic->pattern = pattern;
    topic->name = field_atom(L, "pattern");
    field_place(L, &topic->place);
    topic->subscribe = field_hook(L, "subscribe");
    topic->filter = field_hook(L, "filter");
    topic->wrap = field_hook(L, "wrap");
    topic->snapshot = field_hook(L, "snapshot");
    topic->audience = (struct plan_audience){.ask = field_hook(L, "audience_ask"),
                                             .key = field_hook(L, "audience_key"),
                                             .ttl_ms = field_ms(L, "audience_ttl")};
    topic->unasked = field_flag(L, "unasked");
    topic->owned = field_flag(L, "owned");
    topic->typed = field_flag(L, "typed");
    topic->type_count =
        field_list(L, "types", (void **)&topic->types, sizeof *topic->types, read_text);
    topic->presence = (struct plan_presence){.grace_ms = field_ms(L, "presence_grace"),
                                             .beat_ms = field_ms(L, "presence_beat"),
                                             .change = field_hook(L, "presence_change")};
    topic->options = (struct topic_options){
        .history_size = (uint32_t)field_number(L, "history_size"),
        .history_ttl_ms = field_ms(L, "history_ttl"),
        .name = field_is(L, "event", "topic")  ? EVENT_NAME_TOPIC
                : field_is(L, "event", "none") ? EVENT_NAME_NONE
                                               : EVENT_NAME_TYPE,
        .publisher_ids = field_is(L, "id", "publisher"),
        .filtered = topic->filter || topic->audience.ask,
        .audience = topic->audience.ask != 0,
        .attended = field_flag(L, "attended"),
        .retain = field_flag(L, "retain"),
        .retain_ttl_ms = field_ms(L, "retain_ttl"),
        .snapshot = topic->snapshot != 0,
        .away_local = field_flag(L, "away_local"),
        .limit = {.rate = (uint32_t)field_number(L, "limit_rate"),
                  .burst = (uint32_t)field_number(L, "limit_burst")},
        .owner = topic,
    };
    topic_push(L, topic);
    return 1;
}

static int l_upstream(lua_State *L)
{
    struct plan_upstream *upstream = plan_add_upstream(plan_of(L));
    upstream->name = field_atom(L, "name");
    field_place(L, &upstream->place);
    upstream->key = field_hook(L, "key");
    upstream->request = field_hook(L, "request");
    upstream->queue_max = (uint32_t)field_number(L, "queue");
    upstream->policy = (struct link_policy){
        .grace_ms = field_ms(L, "grace"),
        .backoff_min_ms = field_ms(L, "backoff_min"),
        .backoff_max_ms = field_ms(L, "backoff_max"),
        .idle_ms = field_ms(L, "idle"),
        .connect_timeout_ms = field_ms(L, "connect_timeout"),
        .event_limit_bytes = (size_t)field_number(L, "event_limit"),
        .trust_resume = field_is(L, "resume", "trust"),
    };
    lua_getfield(L, 1, "topic");
    upstream->topic = topic_declared_at(L, -1);
    lua_pushlightuserdata(L, upstream);
    return 1;
}

static void read_topic(lua_State *L, void *item)
{
    *(struct plan_topic **)item = topic_declared_at(L, -1);
}

static int l_source(lua_State *L)
{
    struct plan_source *source = plan_add_source(plan_of(L));
    source->name = field_atom(L, "name");
    field_place(L, &source->place);
    source->url = field_atom(L, "url");
    source->channel = field_atom(L, "channel");
    source->pattern = field_flag(L, "pattern");
    source->queue_max = (uint32_t)field_number(L, "queue");
    source->topic_count =
        field_list(L, "topics", (void **)&source->topics, sizeof *source->topics, read_topic);
    lua_pushlightuserdata(L, source);
    return 1;
}

static int add_handler(lua_State *L, struct plan_handler **handlers, size_t *count)
{
    struct bytes type;
    type.data = luaL_checklstring(L, 2, &type.size);
    *handlers = xrealloc(*handlers, (*count + 1) * sizeof **handlers);
    (*handlers)[(*count)++] =
        (struct plan_handler){atom_get(type), (hook)luaL_checkinteger(L, 3)};
    return 0;
}

/* handler(upstream, type, hook) */
static int l_handler(lua_State *L)
{
    struct plan_upstream *upstream = lua_touserdata(L, 1);
    return add_handler(L, &upstream->handlers, &upstream->handler_count);
}

/* source_handler(source, type, hook) */
static int l_source_handler(lua_State *L)
{
    struct plan_source *source = lua_touserdata(L, 1);
    return add_handler(L, &source->handlers, &source->handler_count);
}

/* ingest_handler(ingest, type, hook) */
static int l_ingest_handler(lua_State *L)
{
    struct plan_ingest *ingest = lua_touserdata(L, 1);
    return add_handler(L, &ingest->handlers, &ingest->handler_count);
}

static void read_upstream(lua_State *L, void *item)
{
    *(struct plan_upstream **)item = lua_touserdata(L, -1);
}

static void read_endpoint(lua_State *L, struct plan_endpoint *at, struct pattern *path)
{
    at->name = field_atom(L, "name");
    at->method = field_atom(L, "method");
    at->path = path;
    at->identity = field_hook(L, "identity");
    field_place(L, &at->place);
    at->rate = (struct bucket_limit){.rate = (uint32_t)field_number(L, "rate"),
                                     .burst = (uint32_t)field_number(L, "rate_burst"),
                                     .seconds = (uint32_t)field_number(L, "rate_seconds")};
    at->rate_of_user = field_is(L, "rate_per", "user");
    at->origin_count =
        field_list(L, "origins", (void **)&at->origins, sizeof *at->origins, read_text);
}

static struct subscriber_options read_subscriber_options(lua_State *L)
{
    return (struct subscriber_options){
        .queue_frames = (uint32_t)field_number(L, "queue_frames"),
        .queue_bytes = (size_t)field_number(L, "queue_bytes"),
        .stall_ms = field_ms(L, "stall"),
        .heartbeat_ms = field_ms(L, "heartbeat"),
        .beat_name = field_atom(L, "heartbeat_event"),
        .beat_data = field_atom(L, "heartbeat_data"),
        .beat_always = field_flag(L, "heartbeat_always"),
        .ready = field_is(L, "ready", "header") ? READY_HEADER : READY_EVENT,
        .earliest = field_flag(L, "earliest"),
        .retry_ms = field_ms(L, "retry"),
        .verdict_ms = field_ms(L, "verdict_timeout"),
        .replay_max = (uint32_t)field_number(L, "replay"),
        .suppress = field_is(L, "suppress", "client") ? SUPPRESS_CLIENT
                    : field_is(L, "suppress", "none") ? SUPPRESS_NONE
                                                      : SUPPRESS_SERVER,
    };
}

static struct plan_parameters read_parameters(lua_State *L, const char *name)
{
    struct plan_parameters read = {NULL, 0};
    read.count = field_list(L, name, (void **)&read.names, sizeof *read.names, read_text);
    return read;
}

static int l_stream(lua_State *L)
{
    const char *error;
    struct pattern *path = field_pattern(L, PATTERN_PATH, "path", &error);
    if (!path) return push_error(L, error);
    struct plan_stream *stream = plan_add_stream(plan_of(L));
    read_endpoint(L, &stream->at, path);
    stream->topics = field_hook(L, "topics");
    stream->connect = field_hook(L, "connect");
    stream->disconnect = field_hook(L, "disconnect");
    stream->upstream_count = field_list(L, "upstreams", (void **)&stream->upstreams,
                                        sizeof *stream->upstreams, read_upstream);
    stream->options = read_subscriber_options(L);
    stream->asks_topic = read_parameters(L, "asks_topic");
    stream->asks_cursor = read_parameters(L, "asks_cursor");
    stream->refusal = field_is(L, "refusal", "retry") ? REFUSE_RETRY : REFUSE_STATUS;
    stream->lifetime_ms = field_ms(L, "lifetime");
    stream->topics_max = (uint32_t)field_number(L, "topics_max");
    stream->per_user = (uint32_t)field_number(L, "per_user");
    stream->per_address = (uint32_t)field_number(L, "per_address");
    lua_pushlightuserdata(L, stream);
    return 1;
}

/* stream_hooks(stream, connect, disconnect): what watches streams is known once all is declared. */
static int l_stream_hooks(lua_State *L)
{
    struct plan_stream *stream = lua_touserdata(L, 1);
    stream->connect = (hook)luaL_checkinteger(L, 2);
    stream->disconnect = (hook)luaL_checkinteger(L, 3);
    return 0;
}

static int l_route(lua_State *L)
{
    const char *error;
    struct pattern *path = field_pattern(L, PATTERN_PATH, "path", &error);
    if (!path) return push_error(L, error);
    struct plan_route *route = plan_add_route(plan_of(L));
    read_endpoint(L, &route->at, path);
    route->run = field_hook(L, "run");
    lua_pushlightuserdata(L, route);
    return 1;
}

static int l_ingest(lua_State *L)
{
    const char *error;
    struct pattern *path = field_pattern(L, PATTERN_PATH, "path", &error);
    if (!path) return push_error(L, error);
    struct plan_ingest *ingest = plan_add_ingest(plan_of(L));
    read_endpoint(L, &ingest->at, path);
    ingest->key_count =
        field_list(L, "keys", (void **)&ingest->keys, sizeof *ingest->keys, read_text);
    ingest->any_user = field_flag(L, "any_user");
    ingest->run = field_hook(L, "run");
    ingest->ignores_unknown = field_flag(L, "ignores_unknown");
    ingest->batch_max = (uint32_t)field_number(L, "batch");
    ingest->waiting_max = (uint32_t)field_number(L, "waiting");
    ingest->kept_max = (uint32_t)field_number(L, "kept");
    ingest->kept_ms = field_ms(L, "kept_for");
    lua_pushlightuserdata(L, ingest);
    return 1;
}

/* A directory is relative to the rule file, wherever the server was started. */
static char *beside_rules(lua_State *L, struct bytes directory)
{
    const char *path = vm_path(vm_of(L)), *slash = strrchr(path, '/');
    struct buf whole = BUF_EMPTY;
    bool absolute = directory.size && directory.data[0] == '/';
    if (slash && !absolute) buf_add(&whole, path, (size_t)(slash - path) + 1);
    buf_add_bytes(&whole, directory);
    return buf_take(&whole);
}

static bool is_directory(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 && S_ISDIR(file.st_mode);
}

static int l_static(lua_State *L)
{
    const char *error;
    struct pattern *path = field_pattern(L, PATTERN_PATH, "path", &error);
    if (!path) return push_error(L, error);
    struct plan_static *files = plan_add_static(plan_of(L));
    read_endpoint(L, &files->at, path);
    files->directory = beside_rules(L, field_text(L, "directory"));
    files->cache_control = field_atom(L, "cache_control");
    if (!is_directory(files->directory))
        return push_error(L, lua_pushfstring(L, "there is no directory %s", files->directory));
    lua_pushlightuserdata(L, files);
    return 1;
}

static int l_every(lua_State *L)
{
    struct plan_every *every = plan_add_every(plan_of(L));
    every->name = field_atom(L, "name");
    field_place(L, &every->place);
    every->period_ms = field_ms(L, "period");
    every->run = field_hook(L, "run");
    lua_pushlightuserdata(L, every);
    return 1;
}

/* Around them */

/* declaring(what): raises unless the rule file is loading */
static int l_declaring(lua_State *L)
{
    phase_check(L, CALL_DECLARE, luaL_checkstring(L, 1));
    return 0;
}

/* has_presence(topic): its name, whether these rules declared presence for it, and whether that counts
 * beats; nothing: the value names no topic */
static int l_has_presence(lua_State *L)
{
    struct bytes name;
    if (!topic_name_at(L, 1, &name)) return 0;
    const struct plan_topic *topic = plan_topic_of(plan_of(L), name, NULL);
    lua_pushlstring(L, name.data, name.size);
    lua_pushboolean(L, topic && topic->options.attended);
    lua_pushboolean(L, topic && topic->presence.beat_ms);
    return 3;
}

/* hook(function, what, the rule's function in it, what runs in its place in quarantine): its number */
static int l_hook(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct vm *vm = vm_of(L);
    const hook spare = (hook)luaL_optinteger(L, 4, 0);
    const hook number =
        vm_hook_add(vm, L, 1, luaL_checkstring(L, 2), lua_isfunction(L, 3) ? 3 : 1);
    vm_hook_info(vm, number)->spare = spare;
    lua_pushinteger(L, number);
    return 1;
}

/* fault(line): something is wrong with the rule file */
static int l_fault(lua_State *L)
{
    vm_fault(vm_of(L), luaL_checkstring(L, 1));
    return 0;
}

static int l_is_topic(lua_State *L)
{
    lua_pushboolean(L, topic_declared_at(L, 1) != NULL);
    return 1;
}

static int l_is_topic_name(lua_State *L)
{
    struct bytes name;
    lua_pushboolean(L, topic_name_at(L, 1, &name));
    return 1;
}

void bind_plan(lua_State *L)
{
    static const luaL_Reg functions[] = {{"app", l_app},           {"topic", l_topic},
                                         {"upstream", l_upstream}, {"handler", l_handler},
                                         {"source", l_source},     {"source_handler", l_source_handler},
                                         {"ingest", l_ingest},     {"ingest_handler", l_ingest_handler},
                                         {"stream", l_stream},     {"stream_hooks", l_stream_hooks},
                                         {"route", l_route},       {"static", l_static},
                                         {"every", l_every},       {"declaring", l_declaring},
                                         {"hook", l_hook},         {"fault", l_fault},
                                         {"is_topic", l_is_topic}, {"is_topic_name", l_is_topic_name},
                                         {"has_presence", l_has_presence},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
