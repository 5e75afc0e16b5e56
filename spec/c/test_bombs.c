/* Rules that never end, or never have enough: each is stopped, says so, and the
 * next call of the same VM is answered as if nothing had been. */
#include "script_world.h"

#define HEAD "local sluice = require 'sluice'\nlocal app = sluice.app 'demo'\n"

struct bomb {
    const char *name, *body, *logged;
};

static const struct bomb BOMBS[] = {
    {"a loop", "while true do end", "rules.lua:4: stopped: ran for more than 50 ms without a pause"},
    {"a tail call", "local function f() return f() end f()", "stopped"},
    {"in pcall", "pcall(function() while true do end end)", "stopped"},
    {"a loop of pcalls", "while true do pcall(function() while true do end end) end", "stopped"},
    {"pcalls in pcalls",
     "local function f() pcall(f) while true do pcall(pcall, f) end end f()", "stopped"},
    {"in an error handler",
     "xpcall(function() error 'x' end, function() while true do end end)", "stopped"},
    {"a handler of the stop", "xpcall(function() while true do end end, function() while true do end end)",
     "stopped"},
    {"in a coroutine", "coroutine.wrap(function() while true do end end)()", "stopped"},
    {"a loop of coroutines",
     "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
     "stopped"},
    {"coroutines in coroutines",
     "local function f() coroutine.wrap(f)() end while true do pcall(f) end", "stopped"},
    {"a comparison", "table.sort({ 3, 2, 1 }, function() while true do end end)", "stopped"},
    {"a replacement", "local _ = ('x'):gsub('x', function() while true do end end)", "stopped"},
    {"a metamethod",
     "local t = setmetatable({}, { __index = function() while true do end end }) return t.x",
     "stopped"},
    {"a concatenation",
     "local t = setmetatable({}, { __concat = function() while true do end end }) return t .. t",
     "stopped"},
    {"an iterator", "for _ in function() return 1 end do end", "stopped"},
    {"a deep recursion", "local function f() return 1 + f() end return f()", "stack overflow"},
    {"a recursion through pcall", "local function f() return 1 + select(2, pcall(f)) end error(f())",
     "rules.lua"},
    {"memory", "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end", "not enough memory"},
    {"a string that doubles", "local s = 'x' while true do s = s .. s end", "not enough memory"},
    {"memory in pcall",
     "while true do pcall(function() local s = 'x' while true do s = s .. s end end) end",
     "rule failed"},
    {"memory and its collection", "local t while true do t = { t, ('x'):rep(100) .. #tostring(t) } end",
     "rule failed"},
    {"a long repetition", "return ('x'):rep(1e9)", "string.rep: a result above"},
    {"a pattern", "return ('x'):rep(1e5):match('.-.-.-y')", "stopped"},
    {"a trim", "return (' '):rep(1e6):gsub('^%s*(.-)%s*y$', '')", "stopped"},
    {"a balance", "return ('('):rep(1e6):match('%b()')", "stopped"},
    {"a search", "for _ in ('ab'):rep(1e5):gmatch('a.-c') do end", "stopped"},
    {"a deep pattern", "return ('x'):rep(1e3):match(('x?'):rep(1e3))", "too complex"},
    {"a doubling value",
     "local t = {} for _ = 1, 30 do t = { t, t } end return { json = t }", "JSON: more than"},
    {"a cycle", "local t = {} t.t = t return { json = t }", "JSON: nested deeper than"},
    {"an error that cannot be told",
     "error(setmetatable({}, { __tostring = function() while true do end end }))",
     "an error that is a table"},
    {"a yield", "coroutine.yield(1)", "coroutine.yield outside a coroutine"},
    {"formats", "while true do ('%99.99f'):format(1e300) end", "stopped"},
};

static void each_bomb_is_survived(void **state)
{
    (void)state;
    struct buf rules = BUF_EMPTY;
    buf_add_text(&rules, HEAD "app:route('fine', 'GET /fine', { run = function() return 204 end })\n");
    for (size_t i = 0; i < COUNT(BOMBS); i++)
        buf_printf(&rules,
                   "app:route('bomb%zu', 'GET /bomb%zu', { run = function() do %s end return 204 end })\n",
                   i, i, BOMBS[i].body);
    struct world *world = world_new();
    world->options.memory_bytes = 16 << 20;
    world->options.slice_ms = 50;
    world_begin(world, buf_text(&rules));
    for (size_t i = 0; i < COUNT(BOMBS); i++) {
        char line[32];
        snprintf(line, sizeof line, "GET /bomb%zu", i);
        buf_clear(&world->lines);
        struct client *client = ask(world, line, NULL, NULL);
        if (client->status != 500 || !strstr(buf_text(&world->lines), BOMBS[i].logged))
            fail_msg("%s: status %d, logged [%s]", BOMBS[i].name, client->status,
                     buf_text(&world->lines));
        struct client *fine = ask(world, "GET /fine", NULL, NULL);
        if (fine->status != 204)
            fail_msg("after %s: status %d, logged [%s]", BOMBS[i].name, fine->status,
                     buf_text(&world->lines));
    }
    struct vm_counters counters;
    vm_count(world->vm, &counters);
    assert_true(counters.stopped > 10);
    assert_true(counters.memory_peak_bytes <= counters.memory_limit_bytes);
    assert_int_equal(counters.tasks, 0);
    buf_destroy(&rules);
    world_free(world);
}

static void a_loop_while_loading_is_stopped(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->options.slice_ms = 10;
    assert_false(world_try(world, HEAD "while true do pcall(function() while true do end end) end"));
    assert_contains(buf_text(&world->errors), "rules.lua:3: stopped: ran for more than 200 ms");
    world_free(world);
}

static void a_quota_too_small_is_said(void **state)
{
    (void)state;
    for (size_t kib = 1; kib < 600; kib = kib * 5 / 4 + 1) {
        struct world *world = world_new();
        world->options.memory_bytes = kib << 10;
        if (!world_try(world, HEAD)) assert_contains(buf_text(&world->errors), "memory");
        world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bomb_is_survived),
        cmocka_unit_test(a_loop_while_loading_is_stopped),
        cmocka_unit_test(a_quota_too_small_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
