/* Both forms share the quoted text: a JSON string in which, beyond what JSON
 * asks, DEL, the C1 controls, the line and paragraph separators and the
 * directional overrides are escaped too, because viewers and terminals obey them
 * (Unicode 15, sections 23.1 and 23.2). A pair's value stands bare only if it is
 * one word of printable ASCII without quote, backslash and '='. Names come from
 * programs, not from input; what does not belong into one becomes '_'. */
#include "base/line.h"

#include "base/text.h"

enum { LONGEST_TEXT = 4096 };

static bool is_bare(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
    }
    return text.size > 0;
}

/* The size of the sequence at the start of well-formed UTF-8 that a viewer would obey, and its
 * code point; 0 for anything else. */
static size_t obeyed(const char *text, size_t size, unsigned *code)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] == 0x7f) {
        *code = 0x7f;
        return 1;
    }
    if (size >= 2 && c[0] == 0xc2 && c[1] <= 0x9f) {
        *code = c[1];
        return 2;
    }
    if (size >= 3 && c[0] == 0xe2 && (c[1] == 0x80 || c[1] == 0x81)) {
        *code = 0x2000u | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
        bool marks = *code == 0x200e || *code == 0x200f;
        bool breaks_or_overrides = *code >= 0x2028 && *code <= 0x202e;
        bool isolates = *code >= 0x2066 && *code <= 0x2069;
        return marks || breaks_or_overrides || isolates ? 3 : 0;
    }
    return 0;
}

void line_quoted(struct buf *out, struct bytes text)
{
    struct buf quoted = BUF_EMPTY;
    text_json_string(&quoted, text);
    size_t copied = 0, at = 0;
    while (at < quoted.size) {
        unsigned code;
        size_t size = obeyed(quoted.data + at, quoted.size - at, &code);
        if (size) {
            buf_add(out, quoted.data + copied, at - copied);
            buf_printf(out, "\\u%04x", code);
            copied = at + size;
        }
        at += size ? size : 1;
    }
    buf_add(out, quoted.data + copied, at - copied);
    buf_destroy(&quoted);
}

/* The text, or its beginning, cut between characters, with an ellipsis. */
static void add_text(struct buf *out, enum line_form form, struct bytes text)
{
    if (text.size > LONGEST_TEXT) {
        struct buf cut = BUF_EMPTY;
        size_t size = LONGEST_TEXT;
        while (size && ((unsigned char)text.data[size] & 0xc0) == 0x80) size--;
        buf_add(&cut, text.data, size);
        buf_add_text(&cut, "\xe2\x80\xa6");
        line_quoted(out, buf_bytes(&cut));
        buf_destroy(&cut);
    } else if (form == LINE_PAIRS && is_bare(text)) {
        buf_add_bytes(out, text);
    } else {
        line_quoted(out, text);
    }
}

static void add_name(struct buf *out, enum line_form form, const char *name)
{
    if (form == LINE_JSON)
        buf_add_text(out, ",\"");
    else
        buf_add_char(out, ' ');
    for (; *name; name++) {
        bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
        bool plain = letter || (*name >= '0' && *name <= '9') || strchr("_.-", *name);
        buf_add_char(out, plain ? *name : '_');
    }
    buf_add_text(out, form == LINE_JSON ? "\":" : "=");
}

void line_word(struct buf *out, struct bytes text)
{
    add_text(out, LINE_PAIRS, text);
}

/* Years begin in March here, so that the leap day is the last of
 * its year and months have lengths by a formula (Hinnant, "chrono-compatible low-level date
 * algorithms", civil_from_days). */
void line_time(struct buf *out, uint64_t wall_ms)
{
    uint64_t ms = wall_ms % 1000, second = wall_ms / 1000;
    uint64_t day = second / 86400 + 719468; /* since 0000-03-01 */
    uint64_t era = day / 146097, of_era = day % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153; /* 0: March */
    uint64_t of_month = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    buf_printf(out, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)year, (unsigned)month,
               (unsigned)of_month, (unsigned)(second / 3600 % 24), (unsigned)(second / 60 % 60),
               (unsigned)(second % 60), (unsigned)ms);
}

void line_write(struct buf *out, enum line_form form, uint64_t wall_ms, const char *level,
                const char *message, const struct line_field *fields, size_t count)
{
    buf_add_text(out, form == LINE_JSON ? "{\"ts\":\"" : "ts=");
    line_time(out, wall_ms);
    if (form == LINE_JSON) buf_add_char(out, '"');
    add_name(out, form, "level");
    add_text(out, form, bytes_of(level));
    add_name(out, form, "msg");
    add_text(out, form, bytes_of(message));
    for (size_t i = 0; i < count; i++) {
        add_name(out, form, fields[i].name);
        if (fields[i].text.data)
            add_text(out, form, fields[i].text);
        else
            buf_printf(out, "%lld", fields[i].number);
    }
    buf_add_text(out, form == LINE_JSON ? "}\n" : "\n");
}
