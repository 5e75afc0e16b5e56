/* Every call that waits, in every phase in which it may, and every way in which
 * that wait can end: the client leaves, the rules are loaded again, the node
 * drains, the deadline comes, the collector runs, the VM is shut. The calls and
 * the phases come from the core's own table (script/phase.c); one that has no
 * case here fails. */
#include <lua.h>

#include "script/call.h"
#include "rig/redis.c"
#include "script/loaded.h"
#include "script_world.h"

/* One for each of the core's waits, as a rule writes it: one that ends, and one that a deadline must end. */
static const struct awaitable {
    const char *wait, *lua, *longer;
    bool acts; /* it may be called only where rules may act */
} AWAITABLES[] = {
    {"http", "http.get 'http://x/'", "http.get 'http://x/'", false},
    {"redis", "db:get 'x'", "db:get 'x'", false},
    {"time.sleep", "time.sleep(20)", "pcall(time.sleep, 3000)", false},
    /* For the post of another task. */
    {"latch:wait", "read:advance('ann', 'bob', 2)",
     "while true do read:advance('ann', 'bob', 2) time.sleep(1) end", false},
    /* Of another client's stream, whose topic's rule waits. */
    {"sub:subscribe", "app:subscribers { user = 'zed' }[1]:subscribe 'slow'",
     "while true do app:subscribers { user = 'zed' }[1]:subscribe 'slow' time.sleep(1) end", true},
};

#define BIT(end) (1u << (end))
enum end { GONE, RELOAD, DRAIN, LATE, COLLECT, SHUT, ENDS };
static const char *const END_NAMES[] = {"the client goes", "a reload", "a drain",
                                        "the deadline",    "a collection", "the VM is shut"};

struct cell {
    struct world *world;
    struct loaded *loaded; /* the app's */
    struct vm *vm;         /* in which it waits */
    struct client *watcher, *client;
    enum phase phase;
    const char *lua;
};

/* The rules: one hook of each kind, all of which answer at once but those at `where`, once. */
static const char RULES[] =
    "local sluice = require 'sluice'\n"
    "local http, time, log = require 'sluice.http', require 'sluice.time', require 'sluice.log'\n"
    "local watermark = require 'sluice.watermark'\n"
    "local app, where = sluice.app 'demo', \"%s\"\n"
    "local db = require 'sluice.redis'.connect 'redis://x'\n"
    "local all, filtered, watched = app:topic 'all', nil, nil\n"
    "local read = watermark.new(app, 'read', { wait = 20, post = function() http.post 'http://read/' end })\n"
    "local function at(phase, emits)\n"
    "  if phase ~= where then return end\n"
    "  where = nil\n"
    "  if emits then all():emit 'before' end\n"
    "  %s\n"
    "  if emits then all():emit 'after' end\n"
    "  log.info 'went on'\n"
    "end\n"
    "local who = sluice.identity(function() at 'an identity function' return { user = 'ann' } end)\n"
    "filtered = app:topic('filtered', { filter = function() at 'a filter' return true end })\n"
    "watched = app:topic('watched', { audience = { ask = function() at \"an audience's ask\" return true end } })\n"
    "local told = app:topic('told', { snapshot = function() at \"a topic's snapshot\" return 'y' end })\n"
    "app:topic('asked:{n}', { subscribe = function() at \"a topic's subscribe\" return true end })\n"
    "local here = app:topic('here', { presence = { grace = 60,\n"
    "  change = function() at(\"a topic's presence change\", true) end } })\n"
    "local feed = app:upstream('feed', { grace = 0,\n"
    "  key = function(sub) at \"an upstream's key\" return sub.user end,\n"
    "  request = function() at \"an upstream's request\" return 'http://up/' end })\n"
    "feed:on('tick', function() at('an event handler', true) end)\n"
    "local job = watermark.new(app, 'job', { post = function() at(\"the library's background\", true) end })\n"
    "app:stream('watch', { path = '/watch', topics = function() return all() end })\n"
    "app:stream('zed', { path = '/zed', identity = sluice.identity(function() return { user = 'zed' } end) })\n"
    "app:topic('slow', { subscribe = function() http.get 'http://slow/' return true end })\n"
    "app:stream('s', { path = '/s', identity = who, upstreams = { feed }, verdict_timeout = 60,\n"
    "  topics = function() at \"a stream's topics\" return { filtered(), watched(), here(), told() } end,\n"
    "  connect = function() at(\"a stream's connect\", true) end,\n"
    "  disconnect = function() at(\"a stream's disconnect\", true) end })\n"
    "local ingest = app:ingest('ingest', { path = '/publish',\n"
    "  authorize = function() at \"an ingest's authorize\" return true end })\n"
    "ingest:on('tick', function() at(\"an ingest's handler\", true) end)\n"
    "app:every('beat', { period = 20, run = function() at('a timer', true) end })\n"
    "app:route('r', 'GET /r', { run = function() at('a route', true) return 204 end })\n"
    "app:route('emit', 'GET /emit', { run = function() filtered():emit 'x' return 204 end })\n"
    "app:route('seen', 'GET /seen', { run = function() watched():emit 'x' return 204 end })\n"
    "app:route('open', 'GET /open', { run = function() read:open('ann', nil, 'bob', 1) return 204 end })\n"
    "app:route('job', 'GET /job', { run = function() job:open('ann', nil, 'bob', 1) return 204 end })\n";

/* How a hook is brought to wait, what the caller has of it in the end, and which ends (a bit each) give
 * it up. What a reload gives up is asked again, of the new rules. */
struct stage {
    void (*begin)(struct cell *cell);
    bool (*served)(struct cell *cell);
    unsigned given_up_by;
};

static void connect(struct cell *cell)
{
    cell->client = ask(cell->world, "GET /s", NULL, NULL);
}

static void connect_asking(struct cell *cell)
{
    cell->client = ask(cell->world, "GET /s?topic=asked:1", NULL, NULL);
}

static void be_filtered(struct cell *cell)
{
    connect(cell);
    assert_int_equal(ask(cell->world, "GET /emit", NULL, NULL)->status, 204);
}

static void be_watched(struct cell *cell)
{
    connect(cell);
    assert_int_equal(ask(cell->world, "GET /seen", NULL, NULL)->status, 204);
}

static void bring_event(struct cell *cell)
{
    connect(cell);
    wire_accept(cell->world, &cell->world->wires[0]);
    wire_send(cell->world, &cell->world->wires[0], "tick", "1");
}

static void call_route(struct cell *cell)
{
    cell->client = ask(cell->world, "GET /r", NULL, NULL);
}

static void publish(struct cell *cell)
{
    cell->client = ask(cell->world, "POST /publish?type=tick", NULL, NULL);
}

static void come_round(struct cell *cell)
{
    advance(cell->world, 20000);
}

static void disconnect(struct cell *cell)
{
    connect(cell);
    leave(cell->world, cell->client);
}

static void begin_job(struct cell *cell)
{
    assert_int_equal(ask(cell->world, "GET /job", NULL, NULL)->status, 204);
}

static bool is_stream(struct cell *cell)
{
    return cell->client->status == 200 && cell->client->streaming;
}

static bool has_trigger(struct cell *cell)
{
    return strstr(buf_text(&cell->client->story), "x \n") != NULL;
}

static bool has_snapshot(struct cell *cell)
{
    return strstr(buf_text(&cell->client->story), "y \n") != NULL;
}

static bool is_linked(struct cell *cell)
{
    return cell->world->wire_count > 0;
}

static bool is_published(struct cell *cell)
{
    return cell->client->status == 200;
}

static bool is_answered(struct cell *cell)
{
    return cell->client->status == 204;
}

/* What is not answered to anybody is only seen in what it emitted. */
static bool is_done(struct cell *cell)
{
    (void)cell;
    return true;
}

static const struct stage STAGES[PHASES] = {
    [HOOK_AUTHENTICATE] = {connect, is_stream, BIT(GONE) | BIT(DRAIN)},
    [HOOK_TOPICS] = {connect, is_stream, BIT(GONE) | BIT(DRAIN)},
    [HOOK_SUBSCRIBE] = {connect_asking, is_stream, BIT(GONE) | BIT(DRAIN)},
    [HOOK_FILTER] = {be_filtered, has_trigger, BIT(GONE) | BIT(DRAIN) | BIT(RELOAD)},
    [HOOK_AUDIENCE] = {be_watched, has_trigger, BIT(GONE) | BIT(DRAIN) | BIT(RELOAD)},
    [HOOK_SNAPSHOT] = {connect, has_snapshot, BIT(GONE) | BIT(DRAIN) | BIT(RELOAD)},
    [HOOK_KEY] = {connect, is_stream, BIT(GONE) | BIT(DRAIN)},
    [HOOK_REQUEST] = {connect, is_linked, BIT(GONE) | BIT(DRAIN)},
    [HOOK_EVENT] = {bring_event, is_done, 0},
    [HOOK_AUTHORIZE] = {publish, is_published, BIT(GONE)},
    [HOOK_PUBLISH] = {publish, is_published, 0},
    [HOOK_ROUTE] = {call_route, is_answered, BIT(GONE)},
    [HOOK_EVERY] = {come_round, is_done, BIT(DRAIN)},
    [HOOK_CONNECT] = {connect, is_done, BIT(GONE) | BIT(DRAIN)},
    [HOOK_DISCONNECT] = {disconnect, is_done, 0},
    [HOOK_PRESENCE] = {connect, is_done, 0},
    [PHASE_BACKGROUND] = {begin_job, is_done, BIT(RELOAD)},
};

/* ---- the world ---- */

static struct redises redises;

/* Every command gets a 1. */
static void serve_redis(void)
{
    static const struct redis_value one = {.kind = REDIS_NUMBER, .number = 1};
    static const struct redis_answer answer = {.value = &one};
    LIST_EACH(node, &redises.calls)
        redises_answer(&redises, CONTAINER(node, struct redis_call, node)->number, &answer);
}

static struct loaded *load(struct cell *cell, const char *where)
{
    struct world *world = cell->world;
    struct buf rules = BUF_EMPTY;
    char path[128];
    snprintf(path, sizeof path, "%s/rules.lua", world->folder);
    buf_printf(&rules, RULES, where, cell->lua);
    world_write(world, "rules.lua", buf_text(&rules));
    buf_destroy(&rules);
    struct loaded *loaded = loaded_new(&world->options, path, &world->errors);
    if (!loaded) fail_msg("%s", buf_text(&world->errors));
    return loaded;
}

/* Answers what asks, and lets time pass. */
static void serve(struct cell *cell, uint64_t ms)
{
    struct world *world = cell->world;
    for (uint64_t passed = 0; passed <= ms; passed += 500) {
        for (int i = 0; i < world->fetch_count; i++)
            if (world->fetches[i].open) reply(world, &world->fetches[i], 200, "[1]");
        serve_redis();
        advance(world, 500);
    }
}

static void begin_cell(struct cell *cell)
{
    struct world *world = cell->world = world_new();
    redises_create(&redises, &world->later);
    world->databases._opener = &redises.opener;
    world->options.deadline_ms = 30000;
    world->options.end_ms = 60000;
    cell->loaded = load(cell, phase_name(cell->phase));
    cell->vm = cell->loaded->vm;
    world_make_node(world);
    world->app = loaded_add(cell->loaded, world->node, &world->errors);
    assert_non_null(world->app);
    cell->watcher = ask(world, "GET /watch", NULL, NULL);
    if (strstr(cell->lua, "read:")) {
        ask(world, "GET /open", NULL, NULL);
        serve(cell, 0);
    }
    if (strstr(cell->lua, ":subscribe")) ask(world, "GET /zed", NULL, NULL);
    story_of(cell->watcher);
    STAGES[cell->phase].begin(cell);
    assert_string_equal(story_of(cell->watcher), "");
    if (vm_idle(cell->vm)) fail_msg("nothing waits");
}

static void end_cell(struct cell *cell)
{
    struct world *world = cell->world;
    node_drain(world->node, 0);
    vm_retire(cell->loaded->vm);
    settle(world);
    assert_true(node_idle(world->node));
    assert_true(vm_idle(cell->loaded->vm));
    assert_int_equal(fetches_open(world), 0);
    assert_true(list_empty(&redises.calls));
    world_free(world);
    assert_true(list_empty(&redises.servers));
    assert_int_equal(loaded_live(), 0);
}

/* ---- the ends ---- */

static void collect(struct cell *cell)
{
    lua_gc(vm_lua(cell->vm), LUA_GCCOLLECT, 0);
}

static void apply(struct cell *cell, enum end end)
{
    struct world *world = cell->world;
    switch (end) {
    case GONE:
        if (cell->client) leave(world, cell->client);
        break;
    case RELOAD: {
        const struct loaded_change change = {cell->loaded, load(cell, "")};
        assert_true(loaded_apply(&change, 1, world->node, 0, &world->errors));
        cell->loaded = change.fresh;
        settle(world);
        break;
    }
    case DRAIN:
        node_drain(world->node, 0);
        settle(world);
        break;
    case LATE:
        advance(world, cell->phase == PHASE_BACKGROUND ? 60000 : 30000);
        break;
    case SHUT:
        vm_shut(cell->vm);
        settle(world);
        break;
    case COLLECT:
    case ENDS:
        break;
    }
    if (end != RELOAD || loaded_live() == 2) collect(cell); /* else it is gone */
}

static bool gives_up(const struct cell *cell, enum end end)
{
    return end == LATE || end == SHUT || (STAGES[cell->phase].given_up_by & BIT(end));
}

/* What the caller sees of a call that was given up: don't know, and never no. */
static void assert_given_up(struct cell *cell, enum end end)
{
    const int status = cell->client ? cell->client->status : 0;
    assert_false(strstr(buf_text(&cell->world->lines), "went on") != NULL);
    assert_string_equal(story_of(cell->watcher), "");
    switch ((unsigned)cell->phase) {
    case HOOK_AUTHENTICATE:
    case HOOK_TOPICS:
    case HOOK_SUBSCRIBE:
    case HOOK_KEY:
    case HOOK_AUTHORIZE:
        assert_int_equal(status, end == GONE ? 0 : 503);
        break;
    case HOOK_FILTER:
    case HOOK_AUDIENCE:
        assert_int_equal(has_trigger(cell), end == RELOAD);
        break;
    case HOOK_SNAPSHOT:
        assert_int_equal(has_snapshot(cell), end == RELOAD);
        break;
    case HOOK_PUBLISH:
    case HOOK_ROUTE:
        assert_int_equal(status, end == GONE ? 0 : 500);
        break;
    default:
        break;
    }
}

static void assert_served(struct cell *cell, enum end end)
{
    const char *story = story_of(cell->watcher);
    assert_logged(cell->world, "went on");
    if (end == DRAIN) return; /* there is nobody left to see it */
    if (phase_allows(cell->phase, CALL_EMIT)) assert_string_equal(story, "before \nafter \n");
    if (end != GONE && !STAGES[cell->phase].served(cell)) fail_msg("not served");
}

static void run_cell(enum phase phase, const struct awaitable *awaitable, enum end end)
{
    struct cell cell = {.phase = phase, .lua = end == LATE ? awaitable->longer : awaitable->lua};
    begin_cell(&cell);
    apply(&cell, end);
    const bool given_up = gives_up(&cell, end);
    if (given_up) assert_given_up(&cell, end);
    if (end == LATE) assert_logged(cell.world, "killed: not done after its deadline");
    serve(&cell, 25000);
    if (end == RELOAD) assert_int_equal(loaded_live(), 1);
    if (!given_up) assert_served(&cell, end);
    end_cell(&cell);
}

/* ---- the matrix ---- */

static const struct awaitable *awaitable_of(const char *wait)
{
    for (size_t i = 0; i < COUNT(AWAITABLES); i++)
        if (strcmp(AWAITABLES[i].wait, wait) == 0) return &AWAITABLES[i];
    fail_msg("%s waits, and no case here knows how", wait);
    return NULL;
}

static void every_wait_ends_in_every_way(void **state)
{
    (void)state;
    unsigned cells = 0;
    const char *wait;
    for (unsigned w = 0; (wait = phase_wait(w)); w++) {
        const struct awaitable *awaitable = awaitable_of(wait);
        for (unsigned phase = 0; phase < PHASES; phase++) {
            if (!phase_allows((enum phase)phase, CALL_WAIT)) continue;
            if (awaitable->acts && !phase_allows((enum phase)phase, CALL_SEAT)) continue;
            if (!STAGES[phase].begin) fail_msg("%s is no stage here", phase_name((enum phase)phase));
            for (enum end end = 0; end < ENDS; end++, cells++) {
                print_message("%s in %s: %s\n", wait, phase_name((enum phase)phase), END_NAMES[end]);
                run_cell((enum phase)phase, awaitable, end);
            }
        }
    }
    print_message("%u cells ran: waits, in phases, to ends\n", cells);
    assert_true(cells >= (COUNT(AWAITABLES) - 1) * ENDS * HOOK_KINDS); /* one acts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wait_ends_in_every_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
