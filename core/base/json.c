/* A recognizer by recursive descent, one function a rule of RFC 8259, that looks
 * at each byte once and allocates nothing. It accepts exactly the grammar: what
 * is inserted into an accepted object therefore leaves a well-formed object, and
 * what only resembles one is left alone. Depth is bounded, as lua-cjson bounds
 * it, so that hostile nesting ends in "no" and not at the end of the stack. */
#include "base/json.h"

enum { DEEPEST = 1000 };

/* What is left to read. */
struct reader {
    const char *at, *end;
};

static bool value(struct reader *r, int depth);

static bool accept(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static void space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool word(struct reader *r, const char *text)
{
    while (*text)
        if (!accept(r, *text++)) return false;
    return true;
}

static bool digits(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    return r->at > start;
}

static bool number(struct reader *r)
{
    accept(r, '-');
    if (!accept(r, '0') && !digits(r)) return false;
    if (accept(r, '.') && !digits(r)) return false;
    if (accept(r, 'e') || accept(r, 'E')) {
        if (!accept(r, '+')) accept(r, '-');
        return digits(r);
    }
    return true;
}

/* The four digits behind \u, or -1. */
static int code_unit(struct reader *r)
{
    int unit = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = r->at < r->end ? *r->at : '\0';
        if (c >= '0' && c <= '9')
            unit = unit * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + (c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            unit = unit * 16 + (c - 'A' + 10);
        else
            return -1;
    }
    return unit;
}

/* The character behind a backslash, or -1. */
static int escape(struct reader *r)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (accept(r, 'u')) return code_unit(r);
    for (size_t i = 0; names[i]; i++)
        if (accept(r, names[i])) return meanings[i];
    return -1;
}

/* A string; *same, if asked for, tells whether it is the (ASCII) name. */
static bool string(struct reader *r, const char *name, bool *same)
{
    bool equal = name != NULL;
    if (!accept(r, '"')) return false;
    while (!accept(r, '"')) {
        if (r->at == r->end) return false;
        int c = (unsigned char)*r->at++;
        if (c < 0x20) return false;
        if (c == '\\' && (c = escape(r)) < 0) return false;
        equal = equal && *name && c == *name++;
    }
    if (same) *same = equal && !*name;
    return true;
}

/* Members of an object behind its brace. */
static bool members(struct reader *r, int depth, const char *name, struct json_object *object)
{
    space(r);
    if (accept(r, '}')) {
        if (object) object->empty = true;
        return true;
    }
    do {
        bool same;
        space(r);
        if (!string(r, name, &same)) return false;
        if (object && same) object->has = true;
        space(r);
        if (!accept(r, ':') || !value(r, depth)) return false;
    } while (accept(r, ','));
    return accept(r, '}');
}

static bool elements(struct reader *r, int depth)
{
    space(r);
    if (accept(r, ']')) return true;
    do
        if (!value(r, depth)) return false;
    while (accept(r, ','));
    return accept(r, ']');
}

/* A value with the white space around it. */
static bool value(struct reader *r, int depth)
{
    bool well;
    if (depth >= DEEPEST) return false;
    space(r);
    if (r->at == r->end) return false;
    switch (*r->at) {
    case '{':
        r->at++, well = members(r, depth + 1, NULL, NULL);
        break;
    case '[':
        r->at++, well = elements(r, depth + 1);
        break;
    case '"':
        well = string(r, NULL, NULL);
        break;
    case 't':
        well = word(r, "true");
        break;
    case 'f':
        well = word(r, "false");
        break;
    case 'n':
        well = word(r, "null");
        break;
    default:
        well = number(r);
    }
    space(r);
    return well;
}

bool json_scan_object(struct bytes text, const char *name, struct json_object *object)
{
    if (!text.size) return false;
    struct reader r = {text.data, text.data + text.size};
    *object = (struct json_object){0};
    space(&r);
    if (!accept(&r, '{')) return false;
    object->inside = (size_t)(r.at - text.data);
    if (!members(&r, 1, name, object)) return false;
    space(&r);
    return r.at == r.end;
}
