/* families: the registry of the metrics whose values are one number each: how it is called, what it
 * means, and where it is read. Rooms keep their own counters; one more is a row here and how it is
 * read. Those that are more than a number - histograms, by hook, by listener - are measures.h's;
 * metrics.c writes both.
 *
 * A family has one value, or one per label value: `count` of them, or one an app. A counter of all
 * apps counts those that are gone too, so it never falls. */
#pragma once

#include <stddef.h>

struct server;

struct family {
    const char *name, *type, *help;
    const char *label; /* NULL: one value */
    size_t count;      /* 0: one per app */
    const char *(*label_value)(const struct server *server, size_t index);
    double (*read)(const struct server *server, size_t index);
};

extern const struct family families[];
extern const size_t family_count;

/* How many values it has now. */
size_t family_values(const struct family *family, const struct server *server);
