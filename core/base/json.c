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

/* ---- parts ---- */

static enum json_kind kind_of(char first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_LIST;
    case '"':
        return JSON_TEXT;
    case 't':
    case 'f':
        return JSON_BOOLEAN;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool take_value(struct reader *r, struct json_value *taken)
{
    space(r);
    const char *first = r->at;
    if (!value(r, 0)) return false;
    const char *end = r->at;
    while (is_space(end[-1])) end--;
    *taken = (struct json_value){kind_of(*first), bytes_run(first, (size_t)(end - first))};
    return true;
}

bool json_read(struct bytes text, struct json_value *value)
{
    struct reader r = {text.data, text.data + text.size};
    return text.size && take_value(&r, value) && r.at == r.end;
}

struct bytes json_inside(const struct json_value *value)
{
    struct reader r = {value->text.data + 1, value->text.data + value->text.size - 1};
    space(&r);
    return bytes_run(r.at, (size_t)(r.end - r.at));
}

static void leave(struct reader *r, struct bytes *rest)
{
    accept(r, ',');
    *rest = bytes_run(r->at, (size_t)(r->end - r->at));
}

bool json_next_member(struct bytes *rest, struct json_value *name, struct json_value *value)
{
    struct reader r = {rest->data, rest->data + rest->size};
    if (!rest->size || !take_value(&r, name) || !accept(&r, ':') || !take_value(&r, value))
        return false;
    leave(&r, rest);
    return true;
}

bool json_next_element(struct bytes *rest, struct json_value *value)
{
    struct reader r = {rest->data, rest->data + rest->size};
    if (!rest->size || !take_value(&r, value)) return false;
    leave(&r, rest);
    return true;
}

/* ---- what a text says ---- */

static bool is_half(long unit, long first)
{
    return unit >= first && unit < first + 0x400;
}

static void add_code_point(struct buf *out, long c)
{
    if (c < 0x80) {
        buf_add_char(out, (char)c);
        return;
    }
    const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char marks[] = {0, 0xc0, 0xe0, 0xf0};
    buf_add_char(out, (char)(marks[more] | (c >> (6 * more))));
    for (int i = more - 1; i >= 0; i--) buf_add_char(out, (char)(0x80 | ((c >> (6 * i)) & 0x3f)));
}

/* Behind a backslash; two escapes may make one character. */
static void add_escaped(struct buf *out, struct reader *r)
{
    long c = escape(r);
    if (is_half(c, 0xd800) && r->end - r->at > 2 && r->at[0] == '\\' && r->at[1] == 'u') {
        struct reader second = {r->at + 2, r->end};
        const long low = code_unit(&second);
        if (is_half(low, 0xdc00)) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            *r = second;
        }
    }
    add_code_point(out, is_half(c, 0xd800) || is_half(c, 0xdc00) ? 0xfffd : c);
}

void json_text(struct buf *out, const struct json_value *text)
{
    struct reader r = {text->text.data + 1, text->text.data + text->text.size - 1};
    while (r.at < r.end) {
        const char *mark = memchr(r.at, '\\', (size_t)(r.end - r.at));
        buf_add(out, r.at, (size_t)((mark ? mark : r.end) - r.at));
        r.at = mark ? mark + 1 : r.end;
        if (mark) add_escaped(out, &r);
    }
}
