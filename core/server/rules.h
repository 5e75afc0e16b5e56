/* rules: the rule files of a config, each loaded into its VM and given to the
 * node as an app. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "engine/app.h"

struct config;
struct node;
struct rules;
struct vm_counters;

/* All but errors must outlive the rules. Where anything is wrong rules_good is false, errors has a
 * line a fault, and the node has got no app. */
struct rules *rules_load(const struct config *config, const struct engine_ports *ports,
                         struct node *node, struct buf *errors);
bool rules_good(const struct rules *rules);

/* Loads the files that this config names and puts all of them in the place of what runs: apps stay, come
 * and go by their names. Or nothing changes: false, and a line a fault. The config must outlive the
 * rules if it is true; the last one is not used any more. */
bool rules_reload(struct rules *rules, const struct config *config, struct buf *errors);

/* Which loading of the rules runs: 1, and one more with each reload. */
uint32_t rules_generation(const struct rules *rules);

/* The rules keep nothing going in the background any more; before node_free, which lets go of plans
 * and VMs. */
void rules_stop(struct rules *rules);

/* After node_free. */
void rules_free(struct rules *rules);

/* What the VM of the app counts. */
void rules_count(const struct rules *rules, const struct app *app, struct vm_counters *counters);

/* What the config and the rules would serve, for people. */
void rules_describe(const struct rules *rules, const struct config *config, struct buf *out);
