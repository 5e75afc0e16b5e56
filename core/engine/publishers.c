#include "engine/publishers.h"

#include "base/alloc.h"
#include "base/check.h"

struct line {
    struct list places; /* who is first comes first */
    uint32_t count;
    struct bytes key;
    char text[];
};

struct place {
    struct list node;
    struct line *line;
    struct turn *turn;
};

void publishers_create(struct publishers *publishers, turn_come_f *come)
{
    *publishers = (struct publishers){._lines = DICT_EMPTY, ._come = come};
}

bool publishers_idle(const struct publishers *publishers)
{
    return publishers->_lines.count == 0;
}

void publishers_destroy(struct publishers *publishers)
{
    CHECK(publishers_idle(publishers));
    dict_destroy(&publishers->_lines);
}

static struct place *last_of(const struct line *line)
{
    return CONTAINER(line->places.prev, struct place, node);
}

/* Who is the first in a line is handled and does not wait. */
static bool is_full(const struct publishers *publishers, const struct bytes *keys, size_t count,
                    uint32_t bound)
{
    for (size_t i = 0; i < count; i++) {
        const struct line *line = dict_get(&publishers->_lines, keys[i]);
        if (line && line->count > bound) return true;
    }
    return false;
}

static struct line *line_of(struct publishers *publishers, struct bytes key)
{
    struct line *line = dict_get(&publishers->_lines, key);
    if (line) return line;
    line = xcalloc(1, sizeof(*line) + key.size);
    if (key.size) memcpy(line->text, key.data, key.size);
    line->key = bytes_run(line->text, key.size);
    list_create(&line->places);
    dict_set(&publishers->_lines, key, line);
    return line;
}

static void join(struct turn *turn, struct line *line)
{
    if (line->count && last_of(line)->turn == turn) return; /* nobody else joined meanwhile */
    struct place *place = &turn->_places[turn->_count++];
    *place = (struct place){.line = line, .turn = turn};
    if (line->count++) turn->_behind++;
    list_append(&line->places, &place->node);
}

enum turn_taken turn_take(struct turn *turn, struct publishers *publishers,
                          const struct bytes *keys, size_t count,
                          const struct publishers_bounds *bounds)
{
    CHECK(!turn->_publishers && count);
    if (is_full(publishers, keys, count, bounds->line)) return TURN_LINE_FULL;
    if (publishers->waiting >= bounds->all) return TURN_ALL_FULL;
    *turn = (struct turn){._publishers = publishers,
                          ._places = xcalloc(count, sizeof(struct place))};
    for (size_t i = 0; i < count; i++) join(turn, line_of(publishers, keys[i]));
    if (turn->_behind) publishers->waiting++;
    return turn->_behind ? TURN_WAITS : TURN_COME;
}

/* The first of a line has left it. */
static void move_up(struct publishers *publishers, struct line *line)
{
    struct turn *next = CONTAINER(line->places.next, struct place, node)->turn;
    if (--next->_behind) return;
    publishers->waiting--;
    publishers->_come(next);
}

static void leave(struct publishers *publishers, struct place *place)
{
    struct line *line = place->line;
    const bool first = line->places.next == &place->node;
    list_remove(&place->node);
    if (--line->count) {
        if (first) move_up(publishers, line);
        return;
    }
    dict_remove(&publishers->_lines, line->key);
    xfree(line);
}

bool turn_stands(const struct turn *turn)
{
    return turn->_publishers != NULL;
}

void turn_end(struct turn *turn)
{
    struct turn ended = *turn;
    if (!ended._publishers) return;
    *turn = (struct turn){0};
    if (ended._behind) ended._publishers->waiting--;
    for (uint32_t i = 0; i < ended._count; i++) leave(ended._publishers, &ended._places[i]);
    xfree(ended._places);
}
