/* The longest common run of lines, by the textbook's table: what handlers emit is a
 * few lines; where it is more, lines are told apart by their places. */
#include "engine/difference.h"

#include "base/alloc.h"
#include "base/text.h"
#include "engine/emit.h"
#include "engine/hooks.h"

enum { LINES_MAX = 200, DATA_MAX = 400 };

/* ---- lines ---- */

/* As it stands, without its line ends, and not too long. */
static void add_data(struct buf *line, struct bytes data)
{
    const size_t size = data.size < DATA_MAX ? data.size : DATA_MAX;
    for (size_t i = 0; i < size; i++)
        buf_add_char(line, data.data[i] == '\n' || data.data[i] == '\r' ? ' ' : data.data[i]);
    if (size < data.size) buf_printf(line, "... %zu bytes", data.size);
}

static void add_field(struct buf *line, const char *name, struct bytes value)
{
    if (!value.data) return;
    buf_printf(line, " [%s ", name);
    add_data(line, value);
    buf_add_char(line, ']');
}

void difference_add(struct buf *lines, const struct app_emit *emits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct app_emit *one = &emits[i];
        add_data(lines, one->name);
        buf_add_char(lines, ' ');
        if (one->resync) {
            buf_printf(lines, "resync %s\n", one->resync);
            continue;
        }
        add_data(lines, one->emit.type);
        buf_add_char(lines, ' ');
        add_data(lines, one->emit.data);
        add_field(lines, "user", one->emit.user);
        add_field(lines, "tag", one->emit.tag);
        add_field(lines, "replaces", one->emit.replaces);
        if (one->emit.within_ms)
            buf_printf(lines, " [within %.15g s]", (double)one->emit.within_ms / 1000);
        buf_add_char(lines, '\n');
    }
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
                       struct bytes first, struct bytes second)
{
    struct lines *lines = xcalloc(2, sizeof(*lines));
    table *common = xcalloc(1, sizeof(*common));
    *difference = (struct difference){BUF_EMPTY, BUF_EMPTY};
    buf_printf(&difference->event, "%s ", event->source->text);
    add_data(&difference->event, event->key);
    buf_add_text(&difference->event, ": ");
    add_data(&difference->event, event->type);
    if (event->id.size) add_field(&difference->event, "id", event->id);
    split(&lines[0], first);
    split(&lines[1], second);
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
