/* publishers: in which order what is published is handled: one after the other for
 * one key, in the order of arrival, and different keys side by side. A request
 * with several keys stands in the line of each, and its turn has come when it is
 * the first in all of them; as it joins all at once, no two can wait for each
 * other.
 *
 * Pure and blind: it knows neither rules nor requests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/dict.h"
#include "base/list.h"

struct turn;

/* Its turn has come. Only marks: must not end a turn before it returns. */
typedef void turn_come_f(struct turn *turn);

struct publishers {
    struct dict _lines;
    turn_come_f *_come;
    uint32_t waiting; /* whose turn has not come yet */
};

/* One request's place, embedded in it; zeroed: it stands nowhere. */
struct turn {
    struct publishers *_publishers;
    struct place *_places;
    uint32_t _count, _behind; /* lines, and those of them in which somebody is before it */
};

struct publishers_bounds {
    uint32_t line; /* that wait in one line */
    uint32_t all;
};

enum turn_taken { TURN_COME, TURN_WAITS, TURN_LINE_FULL, TURN_ALL_FULL };

void publishers_create(struct publishers *publishers, turn_come_f *come);

/* Needs that nobody stands anywhere. */
void publishers_destroy(struct publishers *publishers);
bool publishers_idle(const struct publishers *publishers);

/* Joins the lines of these keys; one that is there twice counts once. TURN_COME: at once, and `come`
 * is not called. Above the bounds it stands nowhere. */
enum turn_taken turn_take(struct turn *turn, struct publishers *publishers,
                          const struct bytes *keys, size_t count,
                          const struct publishers_bounds *bounds);

/* Does it stand anywhere? */
bool turn_stands(const struct turn *turn);

/* Leaves all lines, whether its turn has come or not; those behind it may have theirs. Harmless for
 * one that stands nowhere. */
void turn_end(struct turn *turn);
