/* match: Lua's patterns (Lua 5.1 manual, 5.4.1, with %f of 5.2), matched by
 * backtracking like everybody's, but so that the watchdog can stop it: a pattern as
 * plain as "^%s*(.-)%s*$" takes a time that grows with the square of its text, and
 * texts come from clients. */
#pragma once

#include <stddef.h>

struct lua_State;

enum { MATCH_CAPTURES_MAX = 32 };

/* Sizes of captures that are not closed, or have none: "(", "()". */
enum { MATCH_OPEN = -1, MATCH_POSITION = -2 };

struct match_capture {
    const char *at;
    ptrdiff_t size;
};

/* On the caller's stack; the first four are the caller's to set. */
struct matcher {
    struct lua_State *L;       /* raises on it */
    const char *subject, *end; /* the text */
    const char *pattern_end;
    unsigned _steps;
    int _depth;
    int count; /* of captures that the last match made */
    struct match_capture captures[MATCH_CAPTURES_MAX];
};

/* Matches the pattern that begins at p ('^' is no anchor) at s, exactly there: where the match ends, or
 * NULL. Raises for a malformed pattern, as far as it is looked at. */
const char *match_at(struct matcher *matcher, const char *s, const char *p);
