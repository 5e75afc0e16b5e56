#include "script/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/alloc.h"

#define ITEMS_MAX 256

struct reading {
    void (*set)(void *ctx, const struct setting *setting);
    void *ctx;
};

static const char *const refused_words[] = {"function", "for", "while", "repeat", "goto", NULL};

/* ---- a look at the words of the file: Lua's lexer is only copied as far as strings and
 * comments hide words ---- */

static const char *skip_long(const char *at)
{
    const char *mark = at + 1;
    while (*mark == '=') mark++;
    if (*at != '[' || *mark != '[') return NULL;
    size_t level = (size_t)(mark - at - 1);
    for (const char *end = mark; (end = strchr(end, ']')); end++) {
        const char *close = end + 1;
        while (*close == '=') close++;
        if (*close == ']' && (size_t)(close - end - 1) == level) return close + 1;
    }
    return at + strlen(at);
}

static const char *skip_quoted(const char *at)
{
    const char quote = *at++;
    while (*at && *at != quote && *at != '\n') at += *at == '\\' && at[1] ? 2 : 1;
    return *at ? at + 1 : at;
}

/* Past a comment or string that begins here; NULL if none does. */
static const char *skip_hidden(const char *at)
{
    if (at[0] == '-' && at[1] == '-') {
        const char *past = at[2] == '[' ? skip_long(at + 2) : NULL;
        return past ? past : at + strcspn(at, "\n");
    }
    if (*at == '"' || *at == '\'') return skip_quoted(at);
    return *at == '[' ? skip_long(at) : NULL;
}

static const char *refused_word(const char *word, size_t size)
{
    for (const char *const *refused = refused_words; *refused; refused++)
        if (strlen(*refused) == size && memcmp(*refused, word, size) == 0) return *refused;
    return NULL;
}

static bool check_words(const char *path, const char *text, struct buf *errors)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const char *at = text;
    while (*at) {
        const char *past = skip_hidden(at);
        size_t size = past ? 0 : strspn(at, letters);
        const char *refused = size ? refused_word(at, size) : NULL;
        if (refused) {
            int line = 1;
            for (const char *c = text; c < at; c++) line += *c == '\n';
            buf_printf(errors, "%s:%d: '%s' has no place in a config file; write assignments only\n",
                       path, line, refused);
            return false;
        }
        at = past ? past : at + (size ? size : 1);
    }
    return true;
}

/* ---- running it ---- */

static int l_env(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *value = getenv(name);
    if (!value && lua_isnone(L, 2))
        return luaL_error(L, "the environment has no %s; set it, or give env(\"%s\", default)",
                          name, name);
    if (value)
        lua_pushstring(L, value);
    else
        lua_pushvalue(L, 2);
    return 1;
}

/* Up to the first that is no text. */
static void read_items(lua_State *L, int index, struct bytes *items, struct setting *setting)
{
    setting->item_count = lua_objlen(L, index);
    for (size_t i = 0; i < setting->item_count && i < ITEMS_MAX; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            setting->odd_item = i + 1;
            setting->type_name = luaL_typename(L, -1);
            setting->item_count = 0;
        } else {
            items[i].data = lua_tolstring(L, -1, &items[i].size);
        }
        lua_pop(L, 1); /* the table keeps it alive */
    }
}

/* A list is a table of texts and nothing else. */
static bool is_list(lua_State *L, int index, size_t count)
{
    size_t pairs = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) pairs++;
    return pairs == count && count <= ITEMS_MAX;
}

static int l_assign(lua_State *L)
{
    struct reading *reading = lua_touserdata(L, lua_upvalueindex(1));
    struct bytes items[ITEMS_MAX];
    lua_Debug where = {0};
    if (lua_getstack(L, 1, &where)) lua_getinfo(L, "l", &where);
    struct setting setting = {.name = luaL_checkstring(L, 2),
                              .line = where.currentline,
                              .type_name = luaL_typename(L, 3)};
    switch (lua_type(L, 3)) {
    case LUA_TSTRING:
        setting.type = SETTING_TEXT;
        setting.text.data = lua_tolstring(L, 3, &setting.text.size);
        break;
    case LUA_TNUMBER:
        setting.type = SETTING_NUMBER;
        setting.number = lua_tonumber(L, 3);
        break;
    case LUA_TBOOLEAN:
        setting.type = SETTING_BOOLEAN;
        setting.boolean = lua_toboolean(L, 3);
        break;
    case LUA_TTABLE:
        read_items(L, 3, items, &setting);
        setting.items = items;
        setting.type = is_list(L, 3, setting.item_count) ? SETTING_LIST : SETTING_OTHER;
        break;
    default:
        setting.type = SETTING_OTHER;
    }
    reading->set(reading->ctx, &setting);
    lua_pushvalue(L, 2); /* kept, so that a later line may use it, but where __newindex still sees
                            the next assignment */
    lua_pushvalue(L, 3);
    lua_rawset(L, lua_upvalueindex(2));
    return 0;
}

static void push_environment(lua_State *L, struct reading *reading)
{
    lua_newtable(L); /* the environment, always empty itself */
    lua_newtable(L); /* its metatable */
    lua_newtable(L); /* what was assigned */
    lua_pushcfunction(L, l_env);
    lua_setfield(L, -2, "env");
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__index");
    lua_pushlightuserdata(L, reading);
    lua_insert(L, -2);
    lua_pushcclosure(L, l_assign, 2);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}

static char *read_file(const char *path, struct buf *errors)
{
    struct buf text = BUF_EMPTY;
    FILE *file = fopen(path, "re");
    bool good = file;
    while (good && !feof(file)) {
        text.size += fread(buf_reserve(&text, 4096), 1, 4096, file);
        if (ferror(file)) good = false;
    }
    if (!good) buf_printf(errors, "%s: cannot be read: %s\n", path, strerror(errno));
    if (file) fclose(file);
    if (good && text.size && memchr(text.data, '\0', text.size)) {
        buf_printf(errors, "%s: holds a NUL byte, so it is no text; write it anew\n", path);
        good = false;
    }
    if (good) return buf_take(&text);
    buf_destroy(&text);
    return NULL;
}

static bool run(lua_State *L, const char *path, const char *text, struct reading *reading)
{
    char chunk[300];
    snprintf(chunk, sizeof(chunk), "@%s", path);
    if (luaL_loadbuffer(L, text, strlen(text), chunk) != 0) return false;
    push_environment(L, reading);
    lua_setfenv(L, -2);
    return lua_pcall(L, 0, 0, 0) == 0;
}

bool settings_read(const char *path, void (*set)(void *ctx, const struct setting *setting),
                   void *ctx, struct buf *errors)
{
    char *text = read_file(path, errors);
    if (!text) return false;
    bool good = check_words(path, text, errors);
    lua_State *L = good ? luaL_newstate() : NULL;
    struct reading reading = {set, ctx};
    if (L && !run(L, path, text, &reading)) {
        buf_printf(errors, "%s\n", lua_tostring(L, -1));
        good = false;
    }
    if (L) lua_close(L);
    xfree(text);
    return good;
}
