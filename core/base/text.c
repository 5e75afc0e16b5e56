/* Judgements and encodings, each by the letter of its RFC and without a table
 * that must be believed: the ranges stand in the code. What appends to a buf
 * appends all or nothing. Runs that need no change are copied in one piece. */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"

bool text_breaks_line(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0') return true;
    return false;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool text_is_tag(struct bytes text)
{
    if (text.size < 16 || text.size > 64) return false;
    for (size_t i = 0; i < text.size; i++)
        if (!is_alphanumeric(text.data[i]) && text.data[i] != '_' && text.data[i] != '-')
            return false;
    return true;
}

/* The size of the UTF-8 sequence that the text (not empty) begins with. If it is ill-formed,
 * *well is false and the size that of its maximal subpart: what one U+FFFD stands for (Unicode
 * 15, section 3.9, table 3-7). */
static size_t sequence(const unsigned char *text, size_t size, bool *well)
{
    unsigned char lead = text[0], low = 0x80, high = 0xbf;
    size_t want;
    *well = true;
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        want = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        want = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        want = 4;
    else
        want = 0;
    if (lead == 0xe0) low = 0xa0;  /* shorter forms exist */
    if (lead == 0xed) high = 0x9f; /* surrogates */
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f; /* above U+10FFFF */

    size_t have = 1;
    for (; have < want && have < size; have++) {
        if (text[have] < low || text[have] > high) break;
        low = 0x80, high = 0xbf;
    }
    *well = have == want;
    return have;
}

bool text_is_utf8(struct bytes text)
{
    const unsigned char *data = (const unsigned char *)text.data;
    bool well = true;
    for (size_t i = 0; well && i < text.size;) i += sequence(data + i, text.size - i, &well);
    return well;
}

void text_percent_encode(struct buf *out, struct bytes text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *to = buf_reserve(out, text.size * 3), *start = to;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_alphanumeric((char)c) || c == '-' || c == '.' || c == '_' || c == '~') {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    out->size += (size_t)(to - start);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool text_percent_decode(struct buf *out, struct bytes text, bool plus)
{
    char *to = buf_reserve(out, text.size), *start = to;
    for (size_t i = 0; i < text.size; i++) {
        int c = (unsigned char)text.data[i];
        if (c == '%') {
            if (text.size - i < 3) return false;
            int high = hex_value(text.data[i + 1]), low = hex_value(text.data[i + 2]);
            if (high < 0 || low < 0) return false;
            c = high << 4 | low;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0') return false;
        *to++ = (char)c;
    }
    out->size += (size_t)(to - start);
    return true;
}

static bool decodes_to(struct bytes text, const char *name)
{
    struct buf decoded = BUF_EMPTY;
    bool same = text_percent_decode(&decoded, text, true) && bytes_is(buf_bytes(&decoded), name);
    buf_destroy(&decoded);
    return same;
}

bool text_query_get(struct bytes query, const char *name, struct buf *out)
{
    for (size_t at = 0; at < query.size;) {
        const char *pair = query.data + at;
        const char *end = memchr(pair, '&', query.size - at);
        size_t size = end ? (size_t)(end - pair) : query.size - at;
        const char *equals = memchr(pair, '=', size);
        size_t name_size = equals ? (size_t)(equals - pair) : size;
        if (decodes_to(bytes_run(pair, name_size), name)) {
            struct bytes value = bytes_run(pair + size, 0);
            if (equals) value = bytes_run(equals + 1, size - name_size - 1);
            return text_percent_decode(out, value, true);
        }
        at += size + 1;
    }
    return false;
}

/* '&' and '=' stand between names and values, and are no part of an escape. */
bool text_query_is_whole(struct bytes query)
{
    struct buf decoded = BUF_EMPTY;
    bool whole = true;
    for (size_t at = 0; whole && at < query.size;) {
        const char *part = query.data + at;
        size_t size = 0;
        while (size < query.size - at && part[size] != '&' && part[size] != '=') size++;
        whole = text_percent_decode(&decoded, bytes_run(part, size), true);
        at += size + 1;
    }
    buf_destroy(&decoded);
    return whole;
}

/* What a byte below 0x20, a quote or a backslash is written as. */
static void add_escape(struct buf *out, unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *s = shorts; *s; s += 2) {
        if (*s == (char)c) {
            buf_add(out, (char[]){'\\', s[1]}, 2);
            return;
        }
    }
    buf_printf(out, "\\u%04x", c);
}

void text_json_string(struct buf *out, struct bytes text)
{
    const unsigned char *data = (const unsigned char *)text.data;
    size_t copied = 0, at = 0;
    buf_reserve(out, text.size + 2);
    buf_add_char(out, '"');
    while (at < text.size) {
        unsigned char c = data[at];
        bool well;
        size_t size = sequence(data + at, text.size - at, &well);
        bool plain = well && c >= 0x20 && c != '"' && c != '\\';
        if (!plain) {
            buf_add(out, data + copied, at - copied);
            if (well)
                add_escape(out, c);
            else
                buf_add_text(out, "\xef\xbf\xbd");
            copied = at + size;
        }
        at += size;
    }
    if (copied < at) buf_add(out, data + copied, at - copied);
    buf_add_char(out, '"');
}

bool text_equal_secret(struct bytes a, struct bytes b)
{
    if (a.size != b.size) return false;
    volatile unsigned char differs = 0; /* volatile: no early end by a clever compiler */
    for (size_t i = 0; i < a.size; i++)
        differs = (unsigned char)(differs | (a.data[i] ^ b.data[i]));
    return differs == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i])) return false;
    return true;
}

enum { LONGEST_WORD = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Restricted Damerau-Levenshtein distance (optimal string alignment), three rows at a time. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= b_size; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

const char *text_nearest(const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    size_t smallest = SIZE_MAX, size = strlen(word);
    for (; *candidates; candidates++) {
        size_t candidate_size = strlen(*candidates);
        size_t longer = size > candidate_size ? size : candidate_size;
        if (longer > LONGEST_WORD) continue;
        size_t far = distance(word, size, *candidates, candidate_size);
        if (far <= (longer + 1) / 3 && far < smallest) {
            nearest = *candidates;
            smallest = far;
        }
    }
    return nearest;
}

long long text_number(struct bytes text, long long max)
{
    CHECK(max >= 0);
    if (!text.size) return -1;
    long long number = 0;
    for (size_t i = 0; i < text.size; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9) return -1;
        if (digit > max || number > (max - digit) / 10) return -1;
        number = number * 10 + digit;
    }
    return number;
}

struct bytes text_take_line(struct bytes *text)
{
    const char *end = text->size ? memchr(text->data, '\n', text->size) : NULL;
    const struct bytes line = end ? bytes_run(text->data, (size_t)(end - text->data)) : *text;
    const size_t used = line.size + (end != NULL);
    *text = bytes_run(text->data + used, text->size - used);
    return line;
}

bool text_take_number(struct bytes *text, char mark, uint64_t *number)
{
    const char *end = text->size ? memchr(text->data, mark, text->size) : NULL;
    if (!end) return false;
    const size_t size = (size_t)(end - text->data);
    const long long read = text_number(bytes_run(text->data, size), INT64_MAX);
    *number = (uint64_t)read;
    *text = bytes_run(end + 1, text->size - size - 1);
    return read >= 0;
}
