/* One descent through the grammar of RFC 8259 that copies as it goes: white space,
 * order and the spelling of numbers stay, since rules may compare texts. A text is
 * decoded to be looked at, so that no escape hides a value, and copied as it was
 * unless something in it was replaced. */
#include "tape/redact_json.h"

#include "base/text.h"

enum { DEEPEST = 200 };

struct reading {
    struct redact *redact;
    struct buf *out;
    const char *at, *end;
};

static bool value(struct reading *r, bool secret, int depth);

static void copy(struct reading *r, const char *from)
{
    buf_add(r->out, from, (size_t)(r->at - from));
}

static void space(struct reading *r)
{
    const char *from = r->at;
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
    copy(r, from);
}

/* Takes and copies this character. */
static bool accept(struct reading *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    buf_add_char(r->out, c);
    return true;
}

/* ---- texts ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The four digits behind \u, or -1. */
static long code_unit(struct reading *r)
{
    long unit = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        const int digit = r->at < r->end ? hex_digit(*r->at) : -1;
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static void add_utf8(struct buf *out, unsigned long code)
{
    if (code < 0x80) {
        buf_add_char(out, (char)code);
    } else if (code < 0x800) {
        buf_add(out, (char[]){(char)(0xc0 | code >> 6), (char)(0x80 | (code & 63))}, 2);
    } else if (code < 0x10000) {
        buf_add(out, (char[]){(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 63)),
                              (char)(0x80 | (code & 63))}, 3);
    } else {
        buf_add(out, (char[]){(char)(0xf0 | code >> 18), (char)(0x80 | (code >> 12 & 63)),
                              (char)(0x80 | (code >> 6 & 63)), (char)(0x80 | (code & 63))}, 4);
    }
}

/* What stands behind \u; half a pair is U+FFFD. */
static bool decode_unit(struct reading *r, struct buf *to)
{
    long unit = code_unit(r);
    if (unit < 0) return false;
    if (unit >= 0xd800 && unit < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' &&
        r->at[1] == 'u') {
        const char *pair = r->at;
        r->at += 2;
        const long low = code_unit(r);
        if (low < 0) return false;
        if (low >= 0xdc00 && low < 0xe000)
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        else
            r->at = pair;
    }
    add_utf8(to, unit >= 0xd800 && unit < 0xe000 ? 0xfffd : (unsigned long)unit);
    return true;
}

static bool decode_escape(struct reading *r, struct buf *to)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end) return false;
    const char c = *r->at++;
    if (c == 'u') return decode_unit(r, to);
    const char *found = c ? strchr(names, c) : NULL;
    if (found) buf_add_char(to, meanings[found - names]);
    return found;
}

/* Reads a text with its quotes, copying nothing. */
static bool decode(struct reading *r, struct buf *to)
{
    if (r->at == r->end || *r->at != '"') return false;
    r->at++;
    while (r->at < r->end && *r->at != '"') {
        const char c = *r->at++;
        if ((unsigned char)c < 0x20) return false;
        if (c != '\\')
            buf_add_char(to, c);
        else if (!decode_escape(r, to))
            return false;
    }
    return r->at < r->end && *r->at++ == '"';
}

static bool within(struct redact *redact, struct bytes text, int depth, struct buf *out);

/* Writes what stands for a text that was read from `from` on and means `means`. */
static void put(struct reading *r, const char *from, struct bytes means, bool secret, int depth)
{
    struct buf kept = BUF_EMPTY;
    bool changed = true;
    if (secret) {
        redact_name(r->redact, means, &kept);
    } else if (means.size && (means.data[0] == '{' || means.data[0] == '[') &&
               within(r->redact, means, depth, &kept)) {
        changed = !bytes_equal(buf_bytes(&kept), means);
    } else {
        changed = redact_known(r->redact, means, &kept);
    }
    if (changed)
        text_json_string(r->out, buf_bytes(&kept));
    else
        copy(r, from);
    buf_destroy(&kept);
}

static bool text(struct reading *r, bool secret, int depth)
{
    const char *from = r->at;
    struct buf means = BUF_EMPTY;
    const bool well = decode(r, &means);
    if (well) put(r, from, buf_bytes(&means), secret, depth);
    buf_destroy(&means);
    return well;
}

/* ---- the rest ---- */

static bool digits(struct reading *r)
{
    const char *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    return r->at > from;
}

static bool is_next(const struct reading *r, const char *set)
{
    return r->at < r->end && *r->at && strchr(set, *r->at);
}

static bool scan_number(struct reading *r)
{
    if (is_next(r, "-")) r->at++;
    if (is_next(r, "0"))
        r->at++;
    else if (!digits(r))
        return false;
    if (is_next(r, ".")) {
        r->at++;
        if (!digits(r)) return false;
    }
    if (!is_next(r, "eE")) return true;
    r->at++;
    if (is_next(r, "+-")) r->at++;
    return digits(r);
}

/* A number that is a secret becomes a text: no number says that it stands for one. */
static bool number(struct reading *r, bool secret)
{
    const char *from = r->at;
    if (!scan_number(r)) return false;
    put(r, from, bytes_run(from, (size_t)(r->at - from)), secret, DEEPEST);
    return true;
}

static bool word(struct reading *r, const char *text)
{
    while (*text)
        if (!accept(r, *text++)) return false;
    return true;
}

static bool member(struct reading *r, bool secret, int depth)
{
    const char *from = r->at;
    struct buf name = BUF_EMPTY;
    const bool well = decode(r, &name);
    if (well) {
        secret = secret || redact_is_secret(r->redact, buf_bytes(&name));
        put(r, from, buf_bytes(&name), false, DEEPEST);
    }
    buf_destroy(&name);
    if (!well) return false;
    space(r);
    return accept(r, ':') && value(r, secret, depth);
}

static bool members(struct reading *r, bool secret, int depth)
{
    space(r);
    if (accept(r, '}')) return true;
    do {
        space(r);
        if (!member(r, secret, depth)) return false;
    } while (accept(r, ','));
    return accept(r, '}');
}

static bool elements(struct reading *r, bool secret, int depth)
{
    space(r);
    if (accept(r, ']')) return true;
    do
        if (!value(r, secret, depth)) return false;
    while (accept(r, ','));
    return accept(r, ']');
}

/* A value with the white space around it. */
static bool value(struct reading *r, bool secret, int depth)
{
    bool well;
    if (depth >= DEEPEST) return false;
    space(r);
    if (r->at == r->end) return false;
    switch (*r->at) {
    case '{':
        well = accept(r, '{') && members(r, secret, depth + 1);
        break;
    case '[':
        well = accept(r, '[') && elements(r, secret, depth + 1);
        break;
    case '"':
        well = text(r, secret, depth + 1);
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
        well = number(r, secret);
    }
    space(r);
    return well;
}

/* As redact_json, at some depth of another text. */
static bool within(struct redact *redact, struct bytes text, int depth, struct buf *out)
{
    const size_t before = out->size;
    struct reading r = {redact, out, text.data, text.data + text.size};
    if (value(&r, false, depth) && r.at == r.end) return true;
    out->size = before;
    return false;
}

bool redact_json(struct redact *redact, struct bytes text, struct buf *out)
{
    return text.size && within(redact, text, 0, out);
}
