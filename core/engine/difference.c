/* The longest common run of lines, by the textbook's table: what handlers emit is a
 * few lines. Where it is more, or a line is long, the hash of what is not shown
 * stands in its place, so that what differs looks different. */
#include "engine/difference.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/emit.h"
#include "engine/hooks.h"

enum { LINES_MAX = 200, LINES_BYTES_MAX = 16 << 10, DATA_MAX = 400 };

/* ---- lines ---- */

static void add_rest(struct buf *line, uint64_t hash)
{
    buf_printf(line, ", %08x", (unsigned)(hash & 0xffffffff));
}

/* As it stands, but nothing that a terminal obeys, and not too long. */
static void add_data(struct buf *line, struct bytes data)
{
    const size_t size = data.size < DATA_MAX ? data.size : DATA_MAX;
    bool whole = size == data.size;
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)data.data[i];
        const bool plain = c >= 0x20 && c != 0x7f;
        buf_add_char(line, plain ? (char)c : ' ');
        whole = whole && plain;
    }
    if (whole) return;
    buf_printf(line, "... %zu bytes", data.size);
    add_rest(line, hash_bytes(data.data, data.size));
}

static void add_field(struct buf *line, const char *name, struct bytes value)
{
    if (!value.data) return;
    buf_printf(line, " [%s ", name);
    add_data(line, value);
    buf_add_char(line, ']');
}

static void add_line(struct buf *line, const struct app_emit *one)
{
    add_data(line, one->name);
    buf_add_char(line, ' ');
    if (one->resync) {
        buf_printf(line, "resync %s", one->resync);
        return;
    }
    add_data(line, one->emit.type);
    buf_add_char(line, ' ');
    add_data(line, one->emit.data);
    add_field(line, "user", one->emit.user);
    add_field(line, "tag", one->emit.tag);
    add_field(line, "replaces", one->emit.replaces);
    add_field(line, "id", one->emit.id);
    add_field(line, "meta", one->emit.meta);
    if (one->emit.retry_ms) buf_printf(line, " [retry %.15g s]", (double)one->emit.retry_ms / 1000);
    if (one->emit.within_ms)
        buf_printf(line, " [within %.15g s]", (double)one->emit.within_ms / 1000);
}

static void add(struct emitted *emitted, struct bytes line)
{
    emitted->hash = emitted->hash * 31 + hash_bytes(line.data, line.size);
    emitted->count++;
    if (emitted->shown == LINES_MAX - 1 || emitted->lines.size + line.size > LINES_BYTES_MAX)
        return;
    if (emitted->shown + 1 != emitted->count) return; /* none behind one that is not */
    buf_add_bytes(&emitted->lines, line);
    buf_add_char(&emitted->lines, '\n');
    emitted->shown++;
}

void emitted_add(struct emitted *emitted, const struct app_emit *emits, size_t count)
{
    struct buf line = BUF_EMPTY;
    for (size_t i = 0; i < count; i++) {
        buf_clear(&line);
        add_line(&line, &emits[i]);
        add(emitted, buf_bytes(&line));
    }
    buf_destroy(&line);
}

void emitted_add_failure(struct emitted *emitted)
{
    add(emitted, BYTES("it failed"));
}

bool emitted_equal(const struct emitted *a, const struct emitted *b)
{
    return a->count == b->count && a->hash == b->hash;
}

void emitted_destroy(struct emitted *emitted)
{
    buf_destroy(&emitted->lines);
}

static void finish(struct emitted *emitted)
{
    if (emitted->shown == emitted->count) return;
    buf_printf(&emitted->lines, "... and %u more", emitted->count - emitted->shown);
    add_rest(&emitted->lines, emitted->hash);
    buf_add_char(&emitted->lines, '\n');
}

/* ---- their difference ---- */

struct lines {
    struct bytes items[LINES_MAX];
    size_t count;
};

static void split(struct lines *lines, struct bytes text)
{
    lines->count = 0;
    while (text.size && lines->count < LINES_MAX)
        lines->items[lines->count++] = text_take_line(&text);
}

static void write_line(struct buf *out, const char *mark, struct bytes line)
{
    buf_add_text(out, mark);
    buf_add_bytes(out, line);
    buf_add_char(out, '\n');
}

/* common[i][j]: how many lines the rests from i and from j have in common. */
typedef uint16_t table[LINES_MAX + 1][LINES_MAX + 1];

static void fill(table *common, const struct lines *a, const struct lines *b)
{
    for (size_t i = a->count; i-- > 0;)
        for (size_t j = b->count; j-- > 0;) {
            const uint16_t down = (*common)[i + 1][j], right = (*common)[i][j + 1];
            (*common)[i][j] = bytes_equal(a->items[i], b->items[j])
                                  ? (uint16_t)((*common)[i + 1][j + 1] + 1)
                              : down > right ? down
                                             : right;
        }
}

static void walk(struct buf *out, const table *common, const struct lines *a,
                 const struct lines *b)
{
    size_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        const bool both = i < a->count && j < b->count;
        if (both && bytes_equal(a->items[i], b->items[j]))
            write_line(out, "  ", a->items[i++]), j++;
        else if (j == b->count || (both && (*common)[i + 1][j] >= (*common)[i][j + 1]))
            write_line(out, "- ", a->items[i++]);
        else
            write_line(out, "+ ", b->items[j++]);
    }
}

void difference_create(struct difference *difference, const struct event *event,
                       struct emitted *first, struct emitted *second)
{
    struct lines *lines = xcalloc(2, sizeof(*lines));
    table *common = xcalloc(1, sizeof(*common));
    *difference = (struct difference){BUF_EMPTY, BUF_EMPTY};
    buf_printf(&difference->event, "%s ", event->source->text);
    add_data(&difference->event, event->key);
    buf_add_text(&difference->event, ": ");
    add_data(&difference->event, event->type);
    if (event->id.size) add_field(&difference->event, "id", event->id);
    finish(first);
    finish(second);
    split(&lines[0], buf_bytes(&first->lines));
    split(&lines[1], buf_bytes(&second->lines));
    fill(common, &lines[0], &lines[1]);
    walk(&difference->lines, common, &lines[0], &lines[1]);
    xfree(lines);
    xfree(common);
}

void difference_destroy(struct difference *difference)
{
    buf_destroy(&difference->event);
    buf_destroy(&difference->lines);
}
