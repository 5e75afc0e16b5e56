/* Rules on a real engine: what a rule file says, and what comes of it. */
#include "script_world.h"

#define HEAD "local sluice = require 'sluice'\nlocal app = sluice.app 'demo'\n"

static void routes_answer(void **state)
{
    (void)state;
    struct world *world = world_of(HEAD
        "app:route('a', 'GET /a', { run = function() return 204 end })\n"
        "app:route('b', 'GET /b/{name}', { run = function(req, params)\n"
        "  return 200, params.name .. ' ' .. req.method .. ' ' .. req.query.q end })\n"
        "app:route('c', 'POST /c', { run = function(req)\n"
        "  return { status = 201, headers = { ['X-Thing'] = 7 }, json = { got = req:json().x } } end })\n"
        "app:route('d', 'POST /d', { run = function(req) return { html = '<b>' .. req:form().name } end })\n"
        "app:route('e', 'GET /e', { run = function(req) error 'oh no' end })\n"
        "app:route('f', 'GET /f', { run = function(req) end })\n");
    assert_int_equal(ask(world, "GET /a", NULL, NULL)->status, 204);
    struct client *b = ask(world, "GET /b/x%2Fy?p=1&q=a+b", NULL, NULL);
    assert_int_equal(b->status, 200);
    assert_contains(answer_of(b), "text/plain");
    assert_contains(answer_of(b), "\n\nx/y GET a b");
    struct client *c = ask(world, "POST /c", NULL, "{\"x\":[1,2]}");
    assert_int_equal(c->status, 201);
    assert_contains(answer_of(c), "x-thing: 7\n");
    assert_contains(answer_of(c), "{\"got\":[1,2]}");
    struct client *bad = ask(world, "POST /c", NULL, "{");
    assert_int_equal(bad->status, 400);
    assert_contains(answer_of(bad), "\"code\":\"bad_json\"");
    assert_contains(answer_of(ask(world, "POST /d", NULL, "a=1&name=B%26b")), "<b>B&b");
    assert_int_equal(ask(world, "GET /e", NULL, NULL)->status, 500);
    assert_logged(world, "rules.lua:9: oh no");
    assert_int_equal(ask(world, "GET /f", NULL, NULL)->status, 500);
    assert_logged(world, "a route must return");
    world_free(world);
}

static const char CHAT[] = HEAD
    "local http = require 'sluice.http'\n"
    "local session = sluice.identity(function(req)\n"
    "  local answer = http.get('http://posta/session', { headers = { cookie = req.headers.cookie or '' } })\n"
    "  if answer.status == 401 then return nil end\n"
    "  local who = answer:expect(200):json()\n"
    "  return { user = who.user, data = { token = who.token, roles = { 'a', 'b' } } }\n"
    "end)\n"
    "local mine = app:topic('user:{user}', { subscribe = sluice.owner 'user', history = { size = 10 } })\n"
    "local inbox = app:upstream('inbox', {\n"
    "  key = function(sub) return sub.user end, topic = mine,\n"
    "  request = function(key, data) return { url = 'http://posta/events?k=' .. key .. data.token .. #data.roles } end })\n"
    "app:stream('events', { path = '/events', identity = session, upstreams = { inbox },\n"
    "  topics = function(req, sub) return mine(sub.user) end })\n"
    "inbox:on({ 'inbound', 'other' }, function(ev)\n"
    "  local message = ev:json()\n"
    "  mine(ev.key):emit('thread-updated', message.peer, { tag = message.tag })\n"
    "  mine(ev.key):emit('seen', { type = ev.type })\n"
    "  if message.fail then error 'failed' end\n"
    "end)\n";

static void an_event_becomes_triggers(void **state)
{
    (void)state;
    struct world *world = world_of(CHAT);
    struct client *tab = ask(world, "GET /events", "cookie: s=1", NULL);
    struct fetch_call *session = fetch_of(world, "GET http://posta/session\ncookie: s=1\n");
    assert_int_equal(tab->status, 0);
    reply(world, session, 200, "{\"user\":\"ann\",\"token\":\"T\"}");
    assert_int_equal(tab->status, 200);
    assert_contains(story_of(tab), "ready {\"resumed\":false");
    assert_int_equal(world->wire_count, 1);
    assert_string_equal(world->wires[0].url, "http://posta/events?k=annT2");
    wire_accept(world, &world->wires[0]);
    story_of(tab);
    wire_send(world, &world->wires[0], "inbound", "{\"peer\":\"https://posta.no/@bob\"}");
    assert_string_equal(story_of(tab), "thread-updated https://posta.no/@bob\nseen {\"type\":\"inbound\"}\n");
    wire_send(world, &world->wires[0], "inbound", "{\"peer\":\"p\",\"fail\":true}");
    assert_string_equal(story_of(tab),
                        "resync {\"reason\":\"rule\",\"missed\":null,\"topics\":[\"user:ann\"]}\n");
    assert_logged(world, "rules.lua:20: failed");
    world_free(world);
}

static void no_is_not_dont_know(void **state)
{
    (void)state;
    struct world *world = world_of(CHAT);
    struct client *stranger = ask(world, "GET /events", NULL, NULL);
    reply(world, fetch_of(world, "GET"), 401, "");
    assert_int_equal(stranger->status, 401);
    struct client *unlucky = ask(world, "GET /events", NULL, NULL);
    reply(world, fetch_of(world, "GET"), 500, "");
    assert_int_equal(unlucky->status, 503);
    assert_logged(world, "rules.lua:7: GET http://posta/session: status 500, expected 200");
    struct client *unheard = ask(world, "GET /events", NULL, NULL);
    no_reply(world, fetch_of(world, "GET"), "refused");
    assert_int_equal(unheard->status, 503);
    assert_logged(world, "rules.lua:5: GET http://posta/session: refused: nobody listens there");
    struct client *late = ask(world, "GET /events", NULL, NULL);
    advance(world, 4999);
    assert_int_equal(late->status, 0);
    advance(world, 1);
    assert_int_equal(late->status, 503);
    assert_int_equal(fetches_open(world), 0);
    assert_logged(world, "killed: not done after its deadline of 5000 ms");
    struct client *gone = ask(world, "GET /events", NULL, NULL);
    leave(world, gone);
    assert_int_equal(fetches_open(world), 0);
    assert_true(vm_idle(world->vm));
    world_free(world);
}

static void note_hook(void *ctx, const struct vm_hook *info)
{
    const char *file = strrchr(info->place->text, '/');
    buf_printf(ctx, "%s %s %d %d\n", info->what->text, file ? file + 1 : "", (int)info->runs,
               (int)info->errors);
}

static void what_runs_is_counted(void **state)
{
    (void)state;
    struct world *world = world_of(HEAD
        "local all = app:topic('all', { filter = function(ev) if ev.data == '2' then error 'two' end end })\n"
        "app:stream('s', { path = '/s', topics = function() return all() end })\n"
        "app:route('r', 'GET /r/{n}', { run = function(req, params) all():emit('x', params.n) return 204 end })\n");
    ask(world, "GET /s", NULL, NULL);
    for (int n = 1; n <= 3; n++) {
        char line[16];
        snprintf(line, sizeof line, "GET /r/%d", n);
        ask(world, line, NULL, NULL);
    }
    struct buf hooks = BUF_EMPTY;
    vm_hooks_each(world->vm, note_hook, &hooks);
    assert_string_equal(buf_text(&hooks), "filter of topic all rules.lua:3 3 3\n"
                                          "topics of stream s rules.lua:4 1 0\n"
                                          "route r rules.lua:5 3 0\n");
    buf_destroy(&hooks);
    struct vm_counters counters;
    vm_count(world->vm, &counters);
    assert_int_equal(counters.errors, 3);
    assert_int_equal(counters.tasks, 0);
    assert_logged(world, "rules.lua:3: two");
    assert_logged(world, "the filter returned nil, which is a no; return true or false");
    world_free(world);
}

/* One line a failure, but five in ten seconds at most. */
static void failures_are_logged_at_a_pace(void **state)
{
    (void)state;
    struct world *world = world_of(HEAD
        "app:every('beat', { period = 0.1, run = function() error 'again' end })\n");
    advance(world, 9900);
    int lines = 0;
    for (const char *at = buf_text(&world->lines); (at = strstr(at, "rule failed")); at++) lines++;
    assert_int_equal(lines, 5);
    buf_clear(&world->lines);
    advance(world, 1000);
    assert_logged(world, "again");
    assert_logged(world, "kept_back=9");
    world_free(world);
}

static unsigned lines_of(struct world *world, const char *part)
{
    unsigned count = 0;
    for (const char *at = buf_text(&world->lines); (at = strstr(at, part)); at++) count++;
    return count;
}

/* The time of an old generation is over: what waits is killed, what comes is not run, and the log has
 * one line for all of it. */
static void shut_rules_run_no_more(void **state)
{
    (void)state;
    struct world *world = world_of(HEAD
        "local http, time, store = require 'sluice.http', require 'sluice.time', require 'sluice.store'\n"
        "local all = app:topic('all')\n"
        "local read = require 'sluice.watermark'.new(app, 'read', { post = function() http.get('http://x/') end })\n"
        "app:stream('s', { path = '/s', topics = function() return all() end })\n"
        "app:route('fetch', 'GET /fetch', { run = function()\n"
        "  all():emit('begun') http.get('http://x/') return 204 end })\n"
        "app:route('sleep', 'GET /sleep', { run = function() pcall(time.sleep, 60) return 204 end })\n"
        "app:route('post', 'GET /post', { run = function() read:open('ann', nil, 'bob', 1) return 204 end })\n"
        "app:route('fine', 'GET /fine', { run = function() return 204 end })\n");
    struct client *tab = ask(world, "GET /s", NULL, NULL);
    struct client *waiting[] = {ask(world, "GET /fetch", NULL, NULL), ask(world, "GET /sleep", NULL, NULL)};
    assert_int_equal(ask(world, "GET /post", NULL, NULL)->status, 204);
    assert_int_equal(fetches_open(world), 2);
    story_of(tab);
    buf_clear(&world->lines);
    vm_shut(world->vm);
    assert_true(vm_idle(world->vm));
    assert_int_equal(fetches_open(world), 0);
    for (size_t i = 0; i < COUNT(waiting); i++) assert_int_equal(waiting[i]->status, 500);
    struct vm_counters before, after;
    vm_count(world->vm, &before);
    assert_int_equal(before.late, 2);
    assert_int_equal(before.background, 0);
    for (int i = 0; i < 3; i++) assert_int_equal(ask(world, "GET /fine", NULL, NULL)->status, 500);
    assert_int_equal(ask(world, "GET /s", NULL, NULL)->status, 503);
    advance(world, 60000);
    vm_shut(world->vm);
    vm_count(world->vm, &after);
    assert_int_equal(after.runs, before.runs);
    assert_string_equal(story_of(tab), "");
    assert_int_equal(lines_of(world, "rule failed"), 0);
    assert_int_equal(lines_of(world, "earlier rules shut"), 1);
    assert_logged(world, "level=warn msg=\"earlier rules shut\" app=demo killed=2");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_answer),
        cmocka_unit_test(an_event_becomes_triggers),
        cmocka_unit_test(no_is_not_dont_know),
        cmocka_unit_test(what_runs_is_counted),
        cmocka_unit_test(failures_are_logged_at_a_pace),
        cmocka_unit_test(shut_rules_run_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
