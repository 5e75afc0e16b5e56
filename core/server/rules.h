/* rules: the rule files of a config, each loaded into its VM and given to the
 * node as an app. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "engine/app.h"

struct config;
struct node;
struct plan;
struct rules;
struct shadow;
struct shadow_ports;
struct vm_counters;
struct vm_hook;

/* All but errors must outlive the rules. Where anything is wrong rules_good is false, errors has a
 * line a fault, and the node has got no app. */
struct rules *rules_load(const struct config *config, const struct engine_ports *ports,
                         struct shadow_ports *shadow_ports, struct node *node, struct buf *errors);
bool rules_good(const struct rules *rules);

/* Loads the files that this config names and puts all of them in the place of what runs: apps stay, come
 * and go by their names. Or nothing changes: false, and a line a fault. The config must outlive the
 * rules if it is true; the last one is not used any more. With `promote` the files must be what is
 * shadowed; afterwards nothing is. */
bool rules_reload(struct rules *rules, const struct config *config, bool promote,
                  struct buf *errors);

/* Loads the files that this config names and lets each that declares a running app run in the shadow of
 * that one's rules, in the place of an earlier shadow. False: a line a fault, and nothing is
 * shadowed. The config is not used afterwards. */
bool rules_shadow(struct rules *rules, const struct config *config, struct buf *errors);

/* Nothing is shadowed any more. */
void rules_unshadow(struct rules *rules);

/* How many apps are shadowed, and one of them. */
size_t rules_shadows(const struct rules *rules);
const struct shadow *rules_shadow_at(const struct rules *rules, size_t index, const char **app);

/* Which loading of the rules runs: 1, and one more with each reload. */
/* Deliveries of the library, watermarks, that the running rules have not done. */
uint32_t rules_owed(const struct rules *rules);

uint32_t rules_generation(const struct rules *rules);

/* The rules keep nothing going in the background any more; before node_free, which lets go of plans
 * and VMs. */
void rules_stop(struct rules *rules);

/* After node_free. */
void rules_free(struct rules *rules);

/* What the VM of the app counts. */
void rules_count(const struct rules *rules, const struct app *app, struct vm_counters *counters);

/* What the app at this index declared, and the file that did; NULL behind the last. */
const struct plan *rules_plan(const struct rules *rules, size_t index, const char **path);

/* Writes the channels page of the app at this index. False: there is no such app, or a line in errors. */
bool rules_write_channels(const struct rules *rules, size_t index, struct buf *out,
                          struct buf *errors);

/* What the rules of that app declared to be called. */
void rules_hooks_each(const struct rules *rules, const struct app *app,
                      void (*each)(void *ctx, const struct vm_hook *hook), void *ctx);
