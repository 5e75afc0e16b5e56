/* bind_string: the functions of the string library that could run for ever, or make
 * something endless, over our own matcher and with a bound: find, match, gmatch,
 * gsub, rep. They answer as LuaJIT's do. */
#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <string.h>

#include "script/bind.h"
#include "script/match.h"

enum { REPEAT_MAX = 16 << 20 };

/* The capture of this index, from 0; the whole match if the pattern has none. */
static void push_capture(struct matcher *m, int index, const char *s, const char *past)
{
    if (index == 0 && m->count == 0) {
        lua_pushlstring(m->L, s, (size_t)(past - s));
        return;
    }
    if (index >= m->count) luaL_error(m->L, "a number after '%%' that no capture has");
    const struct match_capture *capture = &m->captures[index];
    if (capture->size == MATCH_OPEN) luaL_error(m->L, "malformed pattern: '(' is not closed");
    if (capture->size == MATCH_POSITION)
        lua_pushinteger(m->L, capture->at - m->subject + 1);
    else
        lua_pushlstring(m->L, capture->at, (size_t)capture->size);
}

/* All captures; with `whole`, the match itself where there are none. Returns how many. */
static int push_captures(struct matcher *m, const char *s, const char *past, bool whole)
{
    int count = m->count == 0 && whole ? 1 : m->count;
    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++) push_capture(m, i, s, past);
    return count;
}

static struct matcher matcher_of(lua_State *L, const char **pattern)
{
    size_t size, pattern_size;
    struct matcher m = {.L = L};
    m.subject = luaL_checklstring(L, 1, &size);
    m.end = m.subject + size;
    *pattern = luaL_checklstring(L, 2, &pattern_size);
    m.pattern_end = *pattern + pattern_size;
    return m;
}

/* Where a search begins, by the argument at the index: 1, or counted from the end if negative; what
 * lies outside the text is moved to its ends. */
static const char *start_of(const struct matcher *m, int index)
{
    lua_Number start = luaL_optnumber(m->L, index, 1), size = (lua_Number)(m->end - m->subject);
    if (start < 0) start += size + 1;
    if (!(start >= 1)) start = 1;
    if (start > size + 1) start = size + 1;
    return m->subject + (ptrdiff_t)start - 1;
}

/* The first match at or behind s: where it begins, and ends in *past; NULL: none. */
static const char *search(struct matcher *m, const char *s, const char *pattern, const char **past)
{
    bool anchored = pattern < m->pattern_end && *pattern == '^';
    if (anchored) pattern++;
    do {
        *past = match_at(m, s, pattern);
        if (*past) return s;
    } while (!anchored && s++ < m->end);
    return NULL;
}

/* ---- the four ---- */

static int push_place(struct matcher *m, const char *s, const char *past)
{
    lua_pushinteger(m->L, s - m->subject + 1);
    lua_pushinteger(m->L, past - m->subject);
    return 2;
}

static bool is_plain(const char *pattern, const char *end)
{
    for (; pattern < end; pattern++)
        if (strchr("^$*+?.([%-", *pattern) && *pattern) return false;
    return true;
}

static int l_find(lua_State *L)
{
    const char *pattern, *past;
    struct matcher m = matcher_of(L, &pattern);
    const char *s = start_of(&m, 3);
    size_t size = (size_t)(m.pattern_end - pattern);
    if (lua_toboolean(L, 4) || is_plain(pattern, m.pattern_end)) {
        s = size ? memmem(s, (size_t)(m.end - s), pattern, size) : s;
        if (s) return push_place(&m, s, s + size);
    } else {
        s = search(&m, s, pattern, &past);
        if (s) return push_place(&m, s, past) + push_captures(&m, s, past, false);
    }
    lua_pushnil(L);
    return 1;
}

static int l_match(lua_State *L)
{
    const char *pattern, *past;
    struct matcher m = matcher_of(L, &pattern);
    const char *s = search(&m, start_of(&m, 3), pattern, &past);
    if (s) return push_captures(&m, s, past, true);
    lua_pushnil(L);
    return 1;
}

/* The iterator of gmatch: text, pattern and the offset to go on from are its upvalues. */
static int l_gmatch_next(lua_State *L)
{
    const char *pattern, *past;
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    struct matcher m = matcher_of(L, &pattern);
    ptrdiff_t from = (ptrdiff_t)lua_tonumber(L, lua_upvalueindex(3));
    for (const char *s = m.subject + from; s <= m.end; s++) {
        past = match_at(&m, s, pattern); /* '^' is no anchor here: it would match once only */
        if (!past) continue;
        lua_pushnumber(L, (lua_Number)(past - m.subject + (past == s)));
        lua_replace(L, lua_upvalueindex(3));
        return push_captures(&m, s, past, true);
    }
    return 0;
}

static int l_gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_pushnumber(L, 0);
    lua_pushcclosure(L, l_gmatch_next, 3);
    return 1;
}

/* A replacement that is a text: "%0" is the match, "%1" a capture, "%%" a '%'. */
static void add_text(struct matcher *m, luaL_Buffer *out, const char *s, const char *past)
{
    size_t size;
    const char *text = lua_tolstring(m->L, 3, &size);
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
        } else if (++i == size) {
            luaL_error(m->L, "gsub: the replacement ends in '%%'");
        } else if (!isdigit((unsigned char)text[i])) {
            luaL_addchar(out, text[i]);
        } else if (text[i] == '0') {
            luaL_addlstring(out, s, (size_t)(past - s));
        } else {
            push_capture(m, text[i] - '1', s, past);
            luaL_addvalue(out);
        }
    }
}

/* A replacement that a function or table gives; false and nil keep the match. */
static void add_answer(struct matcher *m, luaL_Buffer *out, const char *s, const char *past)
{
    lua_State *L = m->L;
    if (lua_isfunction(L, 3)) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, past, true), 1);
    } else {
        push_capture(m, 0, s, past);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, s, (size_t)(past - s));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "gsub: a replacement that is a %s, expected a text", luaL_typename(L, -1));
    }
    luaL_addvalue(out);
}

static int l_gsub(lua_State *L)
{
    const char *pattern, *past;
    struct matcher m = matcher_of(L, &pattern);
    int type = lua_type(L, 3);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TFUNCTION && type != LUA_TTABLE)
        luaL_error(L, "gsub: the replacement is a %s, expected a text, table or function",
                   luaL_typename(L, 3));
    lua_Number most = luaL_optnumber(L, 4, (lua_Number)(m.end - m.subject) + 1);
    bool anchored = pattern < m.pattern_end && *pattern == '^';
    int count = 0;
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    const char *s = m.subject;
    while (count < most) {
        past = match_at(&m, s, pattern + anchored);
        if (past) {
            count++;
            if (type == LUA_TFUNCTION || type == LUA_TTABLE)
                add_answer(&m, &out, s, past);
            else
                add_text(&m, &out, s, past);
        }
        if (past && past > s)
            s = past;
        else if (s < m.end)
            luaL_addchar(&out, *s++);
        else
            break;
        if (anchored) break;
    }
    luaL_addlstring(&out, s, (size_t)(m.end - s));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

/* string.rep, whose original is upvalue 1 */
static int l_rep(lua_State *L)
{
    size_t size;
    luaL_checklstring(L, 1, &size);
    lua_Number times = luaL_checknumber(L, 2);
    if (times > 0 && (double)size * times > REPEAT_MAX)
        return luaL_error(L, "string.rep: a result above %d bytes", REPEAT_MAX);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Changes the string library itself, which texts find their methods in. */
void bind_string(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find", l_find}, {"match", l_match}, {"gmatch", l_gmatch}, {"gsub", l_gsub}, {NULL, NULL}};
    lua_getglobal(L, "string");
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "rep");
    lua_pushcclosure(L, l_rep, 1);
    lua_setfield(L, -2, "rep");
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}
