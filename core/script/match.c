/* match: see match.h. The subject is walked by pointers; nothing is allocated
 * while matching. Every step counts, and every 1024 steps the watchdog is asked. */
#include "script/match.h"

#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <string.h>

#include "script/watchdog.h"

enum { DEPTH_MAX = 200, STEPS = 1024 };

static void step(struct matcher *m)
{
    if (++m->_steps % STEPS == 0) watchdog_check(m->L);
}

static void bad(const struct matcher *m, const char *what)
{
    luaL_error(m->L, "malformed pattern: %s", what);
}

/* ---- one character ---- */

static bool in_class(int c, int class)
{
    bool is;
    switch (tolower(class)) {
    case 'a': is = isalpha(c); break;
    case 'c': is = iscntrl(c); break;
    case 'd': is = isdigit(c); break;
    case 'g': is = isgraph(c); break;
    case 'l': is = islower(c); break;
    case 'p': is = ispunct(c); break;
    case 's': is = isspace(c); break;
    case 'u': is = isupper(c); break;
    case 'w': is = isalnum(c); break;
    case 'x': is = isxdigit(c); break;
    case 'z': is = c == 0; break;
    default: return class == c;
    }
    return isupper(class) ? !is : is;
}

/* Behind the item that stands at p: "a", "%d", "[^...]". */
static const char *item_end(struct matcher *m, const char *p)
{
    const char *last = m->pattern_end;
    char first = *p++;
    if (first == '%') {
        if (p == last) bad(m, "ends in '%'");
        return p + 1;
    }
    if (first != '[') return p;
    if (p < last && *p == '^') p++;
    do { /* a ']' that comes first is meant as itself */
        if (p == last) bad(m, "'[' is not closed");
        if (*p++ == '%') {
            if (p == last) bad(m, "'[' is not closed");
            p++;
        }
    } while (p == last || *p != ']');
    return p + 1;
}

/* Is c in the set from p ('[') to its ']'? */
static bool in_set(int c, const char *p, const char *close)
{
    bool wanted = true;
    if (*++p == '^') {
        wanted = false;
        p++;
    }
    for (; p < close; p++) {
        if (*p == '%') {
            if (in_class(c, (unsigned char)*++p)) return wanted;
        } else if (p + 2 < close && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2]) return wanted;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return wanted;
        }
    }
    return !wanted;
}

static bool item_matches(const struct matcher *m, const char *s, const char *p, const char *past)
{
    if (s >= m->end) return false;
    int c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case '%':
        return in_class(c, (unsigned char)p[1]);
    case '[':
        return in_set(c, p, past - 1);
    default:
        return (unsigned char)*p == c;
    }
}

/* ---- items of more than one character ---- */

static const char *match(struct matcher *m, const char *s, const char *p);

/* "%bxy" */
static const char *match_balanced(struct matcher *m, const char *s, const char *p)
{
    if (m->pattern_end - p < 4) bad(m, "%b wants two characters");
    if (s >= m->end || *s != p[2]) return NULL;
    for (int open = 1; ++s < m->end;) {
        step(m);
        if (*s == p[3]) {
            if (--open == 0) return match(m, s + 1, p + 4);
        } else if (*s == p[2]) {
            open++;
        }
    }
    return NULL;
}

/* "%f[set]": from outside the set to inside, the text's ends being '\0' */
static const char *match_frontier(struct matcher *m, const char *s, const char *p)
{
    p += 2;
    if (p >= m->pattern_end || *p != '[') bad(m, "%f wants a set");
    const char *past = item_end(m, p);
    int before = s == m->subject ? 0 : (unsigned char)s[-1];
    int here = s == m->end ? 0 : (unsigned char)*s;
    if (in_set(before, p, past - 1) || !in_set(here, p, past - 1)) return NULL;
    return match(m, s, past);
}

/* "%1": what a capture held; a position is found nowhere again */
static const char *match_again(struct matcher *m, const char *s, const char *p)
{
    int index = p[1] - '1';
    if (index < 0 || index >= m->count || m->captures[index].size == MATCH_OPEN)
        bad(m, "a number after '%' that no closed capture has");
    ptrdiff_t size = m->captures[index].size;
    if (size == MATCH_POSITION || m->end - s < size || memcmp(m->captures[index].at, s, (size_t)size) != 0) return NULL;
    return match(m, s + size, p + 2);
}

static const char *begin_capture(struct matcher *m, const char *s, const char *p, ptrdiff_t size)
{
    if (m->count == MATCH_CAPTURES_MAX) bad(m, "too many captures");
    m->captures[m->count++] = (struct match_capture){s, size};
    const char *past = match(m, s, p);
    if (!past) m->count--;
    return past;
}

static const char *close_capture(struct matcher *m, const char *s, const char *p)
{
    int index = m->count - 1;
    while (index >= 0 && m->captures[index].size != MATCH_OPEN) index--;
    if (index < 0) bad(m, "')' without '('");
    m->captures[index].size = s - m->captures[index].at;
    const char *past = match(m, s, p);
    if (!past) m->captures[index].size = MATCH_OPEN;
    return past;
}

/* "*" and "+": as many as there are, then fewer, down to `least` */
static const char *match_most(struct matcher *m, const char *s, const char *p, const char *past,
                              ptrdiff_t least)
{
    ptrdiff_t count = 0;
    while (item_matches(m, s + count, p, past)) {
        step(m);
        count++;
    }
    for (; count >= least; count--) {
        step(m);
        const char *rest = match(m, s + count, past + 1);
        if (rest) return rest;
    }
    return NULL;
}

/* "-": none, then more */
static const char *match_fewest(struct matcher *m, const char *s, const char *p, const char *past)
{
    for (;; s++) {
        step(m);
        const char *rest = match(m, s, past + 1);
        if (rest) return rest;
        if (!item_matches(m, s, p, past)) return NULL;
    }
}

/* Items that are not a character with a suffix; false: this is one. */
static bool match_special(struct matcher *m, const char *s, const char *p, const char **past)
{
    bool more = p + 1 < m->pattern_end;
    if (*p == '(')
        *past = more && p[1] == ')' ? begin_capture(m, s, p + 2, MATCH_POSITION)
                                    : begin_capture(m, s, p + 1, MATCH_OPEN);
    else if (*p == ')')
        *past = close_capture(m, s, p + 1);
    else if (*p == '$' && !more)
        *past = s == m->end ? s : NULL;
    else if (*p == '%' && more && p[1] == 'b')
        *past = match_balanced(m, s, p);
    else if (*p == '%' && more && p[1] == 'f')
        *past = match_frontier(m, s, p);
    else if (*p == '%' && more && isdigit((unsigned char)p[1]))
        *past = match_again(m, s, p);
    else
        return false;
    return true;
}

/* Matches the pattern from p on at s: where the match ends, or NULL. A run of plain items is walked here;
 * what may have to come back recurses. */
static const char *match_from(struct matcher *m, const char *s, const char *p)
{
    const char *special;
    while (p < m->pattern_end) {
        step(m);
        if (match_special(m, s, p, &special)) return special;
        const char *past = item_end(m, p);
        char suffix = past < m->pattern_end ? *past : '\0';
        bool here = item_matches(m, s, p, past);
        if (suffix == '*') return match_most(m, s, p, past, 0);
        if (suffix == '+') return match_most(m, s, p, past, 1);
        if (suffix == '-') return match_fewest(m, s, p, past);
        if (suffix == '?') {
            const char *rest = here ? match(m, s + 1, past + 1) : NULL;
            if (rest) return rest;
            p = past + 1;
            continue;
        }
        if (!here) return NULL;
        s++;
        p = past;
    }
    return s;
}

static const char *match(struct matcher *m, const char *s, const char *p)
{
    if (++m->_depth > DEPTH_MAX) bad(m, "too complex");
    const char *past = match_from(m, s, p);
    m->_depth--;
    return past;
}

const char *match_at(struct matcher *m, const char *s, const char *p)
{
    m->count = m->_depth = 0;
    return match(m, s, p);
}
