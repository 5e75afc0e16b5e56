/* A topic's hole takes the characters that percent-encoding leaves as they are,
 * and '%'; the character with which the next literal begins is taken out of
 * that set and is encoded too. So a hole ends exactly where the literal begins,
 * matching needs no backtracking, and a name has one spelling: one that format
 * would not have written is not matched.
 *
 * A path's hole takes one whole segment. Paths come from browsers, where any
 * character may be encoded, so segments are compared decoded. */
#include "plan/pattern.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"

#define PARTS_MAX (2 * PATTERN_PARAMS_MAX + 1)
#define TEXT_MAX 200

struct part {
    bool hole;
    struct bytes text; /* the literal, or the hole's name; points into the pattern's text */
};

struct pattern {
    enum pattern_kind kind;
    struct part parts[PARTS_MAX];
    size_t part_count, hole_count, literals;
    size_t size;
    char text[];
};

static const char *add_part(struct pattern *pattern, bool hole, struct bytes text)
{
    if (hole) {
        if (pattern->hole_count == PATTERN_PARAMS_MAX) return "has more than 8 parameters";
        if (!text.size) return "has a parameter without a name";
        for (size_t i = 0; i < pattern->part_count; i++)
            if (pattern->parts[i].hole && bytes_equal(pattern->parts[i].text, text))
                return "names one parameter twice";
        pattern->hole_count++;
    } else {
        pattern->literals += text.size;
    }
    pattern->parts[pattern->part_count++] = (struct part){hole, text};
    return NULL;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Where holes may stand: in a path they are whole segments, in a topic never side by side. */
static const char *check_part_border(const struct pattern *pattern, const char *open,
                                     const char *close)
{
    const char *end = pattern->text + pattern->size;
    if (pattern->kind == PATTERN_PATH) {
        if (open == pattern->text || open[-1] != '/' || (close + 1 < end && close[1] != '/'))
            return "has a parameter that is not a whole path segment";
    } else if (close + 1 < end && close[1] == '{') {
        return "has two parameters with nothing between them";
    }
    return NULL;
}

static const char *parse(struct pattern *pattern)
{
    const char *at = pattern->text, *end = at + pattern->size;
    if (pattern->kind == PATTERN_PATH && (at == end || *at != '/')) return "must begin with '/'";
    while (at < end) {
        const char *error = NULL, *start = at;
        if (*at == '{') {
            const char *close = memchr(at, '}', (size_t)(end - at));
            if (!close) return "has a '{' without its '}'";
            for (const char *c = at + 1; c < close; c++)
                if (!is_name_char(*c)) return "has a parameter name with other than [A-Za-z0-9_]";
            error = check_part_border(pattern, at, close);
            if (!error)
                error = add_part(pattern, true, bytes_run(at + 1, (size_t)(close - at - 1)));
            at = close + 1;
        } else {
            while (at < end && *at != '{') {
                if (*at <= ' ' || *at >= 127 || *at == '}' || *at == '%')
                    return "may hold printable ASCII without spaces, '%' and a lone '}'";
                at++;
            }
            error = add_part(pattern, false, bytes_run(start, (size_t)(at - start)));
        }
        if (error) return error;
    }
    return NULL;
}

struct pattern *pattern_new(enum pattern_kind kind, struct bytes text, const char **error)
{
    *error = !text.size             ? "is empty"
             : text.size > TEXT_MAX ? "is longer than 200 characters"
                                    : NULL;
    if (*error) return NULL;
    struct pattern *pattern = xcalloc(1, sizeof(*pattern) + text.size + 1);
    pattern->kind = kind;
    pattern->size = text.size;
    memcpy(pattern->text, text.data, text.size);
    *error = parse(pattern);
    if (*error) {
        xfree(pattern);
        return NULL;
    }
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    xfree(pattern);
}

struct bytes pattern_text(const struct pattern *pattern)
{
    return bytes_run(pattern->text, pattern->size);
}

size_t pattern_params(const struct pattern *pattern)
{
    return pattern->hole_count;
}

struct bytes pattern_param(const struct pattern *pattern, size_t index)
{
    for (size_t i = 0; i < pattern->part_count; i++)
        if (pattern->parts[i].hole && index-- == 0) return pattern->parts[i].text;
    CHECK(!"no such parameter");
    return BYTES("");
}

size_t pattern_literals(const struct pattern *pattern)
{
    return pattern->literals;
}

/* The first character of the literal behind a hole; 0 at the end. */
static char stop_of(const struct pattern *pattern, size_t hole)
{
    return hole + 1 < pattern->part_count ? pattern->parts[hole + 1].text.data[0] : '\0';
}

static bool is_plain(char c, char stop)
{
    return c != stop && (is_name_char(c) || c == '-' || c == '.' || c == '~');
}

static void encode_value(struct buf *out, struct bytes value, char stop)
{
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (is_plain(c, stop))
            buf_add_char(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned char)c);
    }
}

void pattern_format(const struct pattern *pattern, const struct bytes *values, struct buf *out)
{
    for (size_t i = 0; i < pattern->part_count; i++) {
        if (!pattern->parts[i].hole)
            buf_add_bytes(out, pattern->parts[i].text);
        else
            encode_value(out, *values++, pattern->kind == PATTERN_TOPIC ? stop_of(pattern, i) : 0);
    }
}

/* Decodes into the match; values are offsets until the buf has stopped growing. */
static bool add_value(struct pattern_match *match, struct bytes encoded)
{
    size_t start = match->_decoded.size;
    if (!encoded.size || !text_percent_decode(&match->_decoded, encoded, false)) return false;
    match->values[match->count++] = (struct bytes){NULL, match->_decoded.size - start};
    return true;
}

static void settle_values(struct pattern_match *match)
{
    const char *at = match->_decoded.data;
    for (size_t i = 0; i < match->count; i++) {
        match->values[i].data = at;
        at += match->values[i].size;
    }
}

static bool match_topic(const struct pattern *pattern, struct bytes name,
                        struct pattern_match *match)
{
    const char *at = name.data, *end = at + name.size;
    for (size_t i = 0; i < pattern->part_count; i++) {
        struct bytes text = pattern->parts[i].text;
        const char *start = at;
        if (!pattern->parts[i].hole) {
            if ((size_t)(end - at) < text.size || memcmp(at, text.data, text.size) != 0)
                return false;
            at += text.size;
            continue;
        }
        char stop = stop_of(pattern, i);
        while (at < end && (*at == '%' || is_plain(*at, stop)))
            at += *at == '%' && end - at >= 3 ? 3 : 1; /* the stop may be a digit of an escape */
        if (!add_value(match, bytes_run(start, (size_t)(at - start)))) return false;
    }
    return at == end;
}

static bool is_one_spelling(const struct pattern *pattern, struct bytes name,
                            const struct pattern_match *match)
{
    struct buf again = BUF_EMPTY;
    pattern_format(pattern, match->values, &again);
    bool same = bytes_equal(buf_bytes(&again), name);
    buf_destroy(&again);
    return same;
}

/* Compares a literal, which may span segments, with encoded path bytes. */
static const char *match_path_literal(struct bytes literal, const char *at, const char *end)
{
    for (size_t i = 0; i < literal.size; i++) {
        char c = at < end ? *at : '\0';
        size_t width = 1;
        if (c == '%' && end - at >= 3) {
            struct buf one = BUF_EMPTY;
            if (text_percent_decode(&one, bytes_run(at, 3), false)) c = one.data[0];
            buf_destroy(&one);
            width = 3;
            if (c == '/') return NULL; /* an encoded slash separates nothing */
        }
        if (c != literal.data[i]) return NULL;
        at += width;
    }
    return at;
}

static bool match_path(const struct pattern *pattern, struct bytes path,
                       struct pattern_match *match)
{
    const char *at = path.data, *end = at + path.size;
    for (size_t i = 0; i < pattern->part_count; i++) {
        if (!pattern->parts[i].hole) {
            at = match_path_literal(pattern->parts[i].text, at, end);
            if (!at) return false;
            continue;
        }
        const char *slash = memchr(at, '/', (size_t)(end - at));
        if (!slash) slash = end;
        if (!add_value(match, bytes_run(at, (size_t)(slash - at)))) return false;
        at = slash;
    }
    return at == end;
}

bool pattern_match(const struct pattern *pattern, struct bytes name, struct pattern_match *match)
{
    *match = (struct pattern_match){.count = 0};
    bool matched = name.size && (pattern->kind == PATTERN_PATH
                                     ? match_path(pattern, name, match)
                                     : match_topic(pattern, name, match));
    if (matched) {
        settle_values(match);
        matched = pattern->kind == PATTERN_PATH || is_one_spelling(pattern, name, match);
    }
    if (!matched) pattern_match_destroy(match);
    return matched;
}

void pattern_match_destroy(struct pattern_match *match)
{
    buf_destroy(&match->_decoded);
    match->count = 0;
}

/* One step of a pattern as an automaton: a literal character, or a hole. */
struct step {
    char literal; /* 0: a hole */
    char stop;
};

static size_t steps_of(const struct pattern *pattern, struct step *steps)
{
    size_t count = 0;
    for (size_t i = 0; i < pattern->part_count; i++) {
        struct bytes text = pattern->parts[i].text;
        if (pattern->parts[i].hole)
            steps[count++] = (struct step){0, pattern->kind == PATTERN_PATH ? '/' : stop_of(pattern, i)};
        else
            for (size_t c = 0; c < text.size; c++) steps[count++] = (struct step){text.data[c], 0};
    }
    return count;
}

static bool step_takes(struct step step, char c, enum pattern_kind kind)
{
    if (step.literal) return step.literal == c;
    return kind == PATTERN_PATH ? c != '/' : c == '%' || is_plain(c, step.stop);
}

/* Some character that both take. Two holes always share letters. */
static bool steps_meet(struct step a, struct step b, enum pattern_kind kind)
{
    if (a.literal) return step_takes(b, a.literal, kind);
    return !b.literal || step_takes(a, b.literal, kind);
}

/* Walks the product of the two automata: reached[i][j] says that some text brings a to step i and
 * b to step j, the character at hand taken by both. A hole may stay for one more. */
bool pattern_overlaps(const struct pattern *a, const struct pattern *b)
{
    if (a->kind != b->kind) return false;
    struct step left[TEXT_MAX], right[TEXT_MAX];
    size_t rows = steps_of(a, left), columns = steps_of(b, right);
    bool *reached = xcalloc(rows * columns, sizeof(bool));
    bool overlap = false;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            bool from = (i == 0 && j == 0) || (i && j && reached[(i - 1) * columns + j - 1]) ||
                        (i && !right[j].literal && reached[(i - 1) * columns + j]) ||
                        (j && !left[i].literal && reached[i * columns + j - 1]);
            reached[i * columns + j] = from && steps_meet(left[i], right[j], a->kind);
        }
    }
    overlap = rows && columns && reached[rows * columns - 1];
    xfree(reached);
    return overlap;
}
