/* Patterns: the same answers as LuaJIT's own string library gives, on what the
 * manual shows and on patterns and texts of chance. */
#include "script/bind_string.c"

#include <lualib.h>
#include <stdio.h>

#include "base/buf.h"
#include "unit.h"

/* Keeps the library's own four in the table `theirs`, ours in `ours`. */
static lua_State *both(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, "theirs = {} for k, v in pairs(string) do theirs[k] = v end"), 0);
    bind_string(L);
    assert_int_equal(luaL_dostring(L, "ours = string"), 0);
    static const char compare[] =
        "local function show(...)\n"
        "  local list = { select('#', ...), ... }\n"
        "  for i = 1, #list do list[i] = tostring(list[i]) end\n"
        "  return table.concat(list, '|')\n"
        "end\n"
        "local function run(good, ...) return good and show(...) or 'error' end\n"
        "local function all(lib, s, p)\n"
        "  local list = {}\n"
        "  local steps = 0\n"
        "  for a, b, c in lib.gmatch(s, p) do\n"
        "    steps = steps + 1\n"
        "    list[steps] = show(a, b, c)\n"
        "  end\n"
        "  return table.concat(list, '/')\n"
        "end\n"
        "function same(s, p, r)\n"
        "  local a, b = {}, {}\n"
        "  for lib, out in pairs { [theirs] = a, [ours] = b } do\n"
        "    out[1] = run(pcall(lib.find, s, p))\n"
        "    out[2] = run(pcall(lib.match, s, p, 2))\n"
        "    out[3] = run(pcall(all, lib, s, p))\n"
        "    out[4] = run(pcall(lib.gsub, s, p, r))\n"
        "    out[5] = run(pcall(lib.gsub, s, p, function(x, y) return y or (x == 'a' and 'A') end, 3))\n"
        "    out[6] = run(pcall(lib.gsub, s, p, { a = 1, b = false }))\n"
        "    out[7] = run(pcall(lib.find, s, p, -2, true))\n"
        "  end\n"
        "  for i = 1, 7 do if a[i] ~= b[i] then error(('%d: theirs %s, ours %s'):format(i, a[i], b[i])) end end\n"
        "end\n";
    if (luaL_dostring(L, compare)) fail_msg("%s", lua_tostring(L, -1));
    return L;
}

static void same(lua_State *L, struct bytes text, struct bytes pattern, const char *replacement)
{
    lua_getglobal(L, "same");
    lua_pushlstring(L, text.data, text.size);
    lua_pushlstring(L, pattern.data, pattern.size);
    lua_pushstring(L, replacement);
    if (lua_pcall(L, 3, 0, 0) != 0)
        fail_msg("[%.*s] in [%.*s]: %s", (int)pattern.size, pattern.data, (int)text.size, text.data,
                 lua_tostring(L, -1));
}

static void known_patterns(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "a", "  trim me \t", "key = value", "f(a(b)c)d", "THE (quick) fox",
                                        "2026-11-21T01:02:03", "aaa]b-]^", "a.b.c", "hello hello", "x\\y%z"};
    static const char *const patterns[] = {
        "", "^", "$", "^$", ".", ".*", ".-", ".+", "a*", "a-b", "a?b?", "^%s*(.-)%s*$", "(%w+)%s*=%s*(%w+)",
        "%b()", "%b(", "%f[%a]%a+", "%f[a", "%f", "(%d+)-(%d+)", "()a()", "(a*(.)%w(%s*))", "[]]", "[^]]", "[]-a]",
        "[a-]", "[-a]", "[%]%-]", "[^%s]", "[%w_]+", "(%w+) %1", "%1", "(a%1)", "(", ")", "(()", "%", "[", "[a",
        "[%", "%g", "%z", "%A%D", "a$b", "a^b", "^^a", "+", "*", "?a", "-", "%.", "[.]", "%%", "(a)(b)(c)?"};
    lua_State *L = both();
    for (size_t i = 0; i < COUNT(texts); i++)
        for (size_t j = 0; j < COUNT(patterns); j++)
            same(L, bytes_of(texts[i]), bytes_of(patterns[j]), "<%0>%%");
    same(L, BYTES("a\0b"), BYTES("a.b"), "%1");
    same(L, BYTES("a\0b"), BYTES("a%zb"), "%2");
    same(L, BYTES("abc"), BYTES("(b)"), "%1%1");
    same(L, BYTES("abc"), BYTES("b"), "%x");
    lua_close(L);
}

static void random_patterns(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "b", "c", ".", "%a", "%d", "[ab]", "[^a]", "[a-c]", "(", ")", "()", "*",
                                         "+", "-", "?", "^", "$", "%1", "%b()", "%f[b]", "%w", "[%a]", "%(", "]", "["};
    lua_State *L = both();
    struct buf text = BUF_EMPTY, pattern = BUF_EMPTY;
    uint64_t chance = 20261121;
    for (int round = 0; round < 60000; round++) {
        buf_clear(&text);
        buf_clear(&pattern);
        for (uint64_t n = draw_below(&chance, 12); n > 0; n--)
            buf_add_char(&text, "aabbc1 ()"[draw_below(&chance, 9)]);
        for (uint64_t n = draw_below(&chance, 7); n > 0; n--)
            buf_add_text(&pattern, pieces[draw_below(&chance, COUNT(pieces))]);
        buf_reserve(&text, 1);
        buf_reserve(&pattern, 1);
        same(L, buf_bytes(&text), buf_bytes(&pattern), draw_below(&chance, 2) ? "<%1>" : "x");
    }
    buf_destroy(&text);
    buf_destroy(&pattern);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(known_patterns, nothing_left),
        cmocka_unit_test_teardown(random_patterns, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
