/* raise: see raise.h. */
#include "script/raise.h"

#include <lua.h>
#include <stdarg.h>
#include <string.h>

bool raise_is_rule(const lua_Debug *frame)
{
    return frame->currentline > 0 &&
           strncmp(frame->source, RAISE_LIBRARY, sizeof RAISE_LIBRARY - 1) != 0;
}

void raise_push_place(lua_State *L)
{
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (raise_is_rule(&frame)) {
            lua_pushfstring(L, "%s:%d", frame.short_src, frame.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

int raise_sentence(lua_State *L, const char *format, ...)
{
    va_list arguments;
    raise_push_place(L);
    if (lua_objlen(L, -1) > 0)
        lua_pushliteral(L, ": ");
    else
        lua_pushliteral(L, "");
    va_start(arguments, format);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    lua_concat(L, 3);
    return lua_error(L);
}
