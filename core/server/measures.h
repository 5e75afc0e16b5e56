/* measures: the metrics whose values are not one number of one room: by listener, by
 * state, by hook, and histograms. Each writes the lines of its family.
 * Plain ones are families.h's; metrics.c writes both. */
#pragma once

#include <stddef.h>

struct buf;
struct server;

struct measure {
    const char *name, *type, *help;
    const char *label; /* or several, "app,hook"; NULL: none */
    void (*write)(const struct server *server, const char *name, struct buf *out);
};

extern const struct measure measures[];
extern const size_t measure_count;

/* Of a node with others on the same Redis servers (server->joint); a node by itself has none of them. */
extern const struct measure joint_measures[];
extern const size_t joint_measure_count;
