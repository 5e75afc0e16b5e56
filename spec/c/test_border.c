/* The border between coroutines and the core, at every call that waits: the
 * client leaves, the deadline comes, the VM goes, the collector runs; and memory
 * is refused at every single allocation. */
#include <lua.h>

#include "script/quota.h"
#include "script_world.h"

#define HEAD "local sluice = require 'sluice'\nlocal app = sluice.app 'demo'\n"                    \
             "local http, time = require 'sluice.http', require 'sluice.time'\n"                   \
             "local store, json = require 'sluice.store', require 'sluice.json'\n"

/* Each waits once, and then answers 204 and emits. */
static const char *const WAITS[] = {
    "http.get 'http://x/'",
    "http.try { url = 'http://x/', headers = { a = 1 }, json = { 1, 2, 3 } }",
    "time.sleep(1)",
    "pcall(http.get, 'http://x/')",
    "coroutine.wrap(function() coroutine.wrap(http.get)('http://x/') end)()",
    "local co = coroutine.create(time.sleep) coroutine.resume(co, 1)",
    "read:open('ann', nil, 'bob', row) read:advance('ann', 'bob', row + 1) row = row + 2",
};

static struct world *world_waiting(void)
{
    struct buf rules = BUF_EMPTY;
    buf_add_text(&rules, HEAD "local all = app:topic('all', { history = { size = 4, ttl = 9 } })\n"
                         "local row = 1\n"
                         "local read = require 'sluice.watermark'.new(app, 'read', { wait = 4,\n"
                         "  post = function(user, data, peer, n) http.post('http://x/'):expect(200) end })\n"
                         "app:stream('s', { path = '/s', topics = function() return all() end })\n");
    for (size_t i = 0; i < COUNT(WAITS); i++)
        buf_printf(&rules,
                   "app:route('w%zu', 'GET /w%zu', { run = function(req) local method = req.method\n"
                   "  %s\n  all():emit('done', method .. req.path) return 204 end })\n",
                   i, i, WAITS[i]);
    struct world *world = world_of(buf_text(&rules));
    buf_destroy(&rules);
    return world;
}

static struct client *ask_waiting(struct world *world, size_t i)
{
    char line[32];
    snprintf(line, sizeof line, "GET /w%zu", i);
    struct client *client = ask(world, line, NULL, NULL);
    assert_int_equal(client->status, 0);
    assert_false(vm_idle(world->vm));
    return client;
}

static void collect(struct world *world)
{
    lua_gc(vm_lua(world->vm), LUA_GCCOLLECT, 0);
}

/* Lets everything that waits come. */
static void serve(struct world *world)
{
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < world->fetch_count; i++)
            if (world->fetches[i].open) reply(world, &world->fetches[i], 200, "[1]");
        advance(world, 500);
    }
}

static void goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAITS); i++) {
        struct world *world = world_waiting();
        struct client *tab = ask(world, "GET /s", NULL, NULL);
        story_of(tab);
        struct client *client = ask_waiting(world, i);
        collect(world);
        serve(world);
        assert_int_equal(client->status, 204);
        assert_contains(story_of(tab), "done GET/w");
        world_free(world);
    }
}

static void is_given_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAITS); i++) {
        struct world *world = world_waiting();
        struct client *tab = ask(world, "GET /s", NULL, NULL);
        story_of(tab);
        leave(world, ask_waiting(world, i));
        collect(world);
        serve(world);
        assert_string_equal(story_of(tab), "");
        world_free(world);
    }
}

static void is_late(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAITS); i++) {
        if (strstr(WAITS[i], "sleep") || strstr(WAITS[i], "read")) continue; /* end before */
        struct world *world = world_waiting();
        struct client *client = ask_waiting(world, i);
        collect(world);
        advance(world, 5000);
        assert_int_equal(client->status, 500);
        assert_int_equal(fetches_open(world), 0);
        world_free(world);
    }
}

/* What came and the end in the same turn: the answer is there, but nobody wants it any more. */
static void is_given_up_when_woken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAITS); i++) {
        struct world *world = world_waiting();
        struct client *client = ask_waiting(world, i);
        for (int n = 0; n < world->fetch_count; n++) {
            struct fetch_call *call = &world->fetches[n];
            const struct fetch_answer answer = {.status = 200, .body = BYTES("[]")};
            call->open = false;
            call->done(call->owner, &answer);
        }
        wheel_advance(&world->clock.wheel, world->clock.now_ms += 1000);
        client->dead = true;
        client->exchange.gone(client->exchange.owner);
        collect(world);
        settle(world);
        serve(world);
        world_free(world);
    }
}

static void the_vm_goes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WAITS); i++) {
        struct world *world = world_waiting();
        struct client *client = ask_waiting(world, i);
        vm_retire(world->vm);
        settle(world);
        world_free(world);
        (void)client;
    }
}

/* The quota leaves room for n bytes more, from 0 on, until everything succeeds. */
static void memory_is_refused_anywhere(void **state)
{
    (void)state;
    struct world *world = world_of(HEAD
        "local all = app:topic('all:{n}', { history = { size = 4, ttl = 9 } })\n"
        "local me = sluice.identity(function(req) return { user = 'a' .. req.query.n, data = { list = { 1, { 2 } } } } end)\n"
        "app:route('r', 'POST /r', { identity = me, run = function(req)\n"
        "  local value = json.decode(req.body)\n"
        "  store.set('k' .. value.n, value)\n"
        "  all(value.n):emit('x', { value, req.data, req.headers.a }, { replaces = 'k' })\n"
        "  local co = coroutine.wrap(function(n) time.sleep(n) return n end)\n"
        "  co(0.001)\n"
        "  return { status = 201, headers = { a = { 'b', 'c' } }, json = { value, req:form(), req.data.list } }\n"
        "end })\n");
    struct quota *quota = (struct quota *)vm_quota(world->vm);
    const size_t limit = quota->limit_bytes;
    unsigned refused = 0, done = 0;
    for (size_t room = 0; done < 20 && room < 100000; room += 24) {
        char line[32];
        snprintf(line, sizeof line, "POST /r?n=%zu", room);
        world->client_count = 0;
        collect(world);
        quota->limit_bytes = quota->used_bytes + room;
        struct client *client = ask(world, line, "a: b", "{\"n\":5,\"list\":[1,2,3]}");
        advance(world, 10);
        quota->limit_bytes = limit;
        if (client->status == 201)
            done++;
        else if (client->status == 500 || client->status == 503)
            refused++, done = 0;
        else
            fail_msg("status %d", client->status);
        client_forget(client);
    }
    assert_true(refused > 20 && done == 20);
    world->client_count = 0;
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on),
        cmocka_unit_test(is_given_up),
        cmocka_unit_test(is_late),
        cmocka_unit_test(is_given_up_when_woken),
        cmocka_unit_test(the_vm_goes),
        cmocka_unit_test(memory_is_refused_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
