/* raise: how C complains to rule code: in the rule file's own lines, and not in
 * the library's between it and us. */
#pragma once

#include <stdbool.h>

struct lua_Debug;
struct lua_State;

/* Raises "rules/posta.lua:12: " and the sentence (in lua_pushfstring's few formats). The place is the
 * innermost function on the stack that is neither C's nor the library's. Never returns. */
int raise_sentence(struct lua_State *L, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Pushes that place, "rules/posta.lua:12", or "" where there is none. */
void raise_push_place(struct lua_State *L);

/* Is a frame, of which lua_getinfo has told "S" and "l", of a rule file? */
bool raise_is_rule(const struct lua_Debug *frame);

/* The chunk names of the library's files begin with this. */
#define RAISE_LIBRARY "=sluice"
