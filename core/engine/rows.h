/* rows: what two nodes know of each row that another is about to tell an app's server. Before a node posts a row, the
 * server's script says it to them (core/cluster/watermark.lua), in a letter of the kind "row": the app's name, a key of its
 * store, and the row, as netstrings. Here the number that stands there is raised to that, for a day; what a watermark
 * does with it is the library's (scripts/sluice/posting_shared.lua).
 *
 * So a row is known beside the node that posted it when Redis forgets everything. It says nothing of whether the app's
 * server has it: who wrote the letter may have died behind it. A letter of an epoch that is over is as true as any,
 * and letters in another order raise to the same. A store of which more than half is taken is left to this node's own
 * rules, and keeps no others. */
#pragma once

#include "cluster/cluster.h"

struct atom;
struct engine_ports;
struct rows;
struct store;

/* The ports have a joint; all three outlive it. */
struct rows *rows_new(const struct engine_ports *ports, struct store *store, struct atom *app);
void rows_free(struct rows *rows);
