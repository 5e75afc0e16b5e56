/* loaded: a rule file in a VM of its own, as one generation of its app. Frees
 * plan and VM when the engine needs neither any more. What the server and the
 * rig load and reload rules with. */
#pragma once

#include "base/buf.h"
#include "engine/generation.h"
#include "plan/plan.h"
#include "script/vm.h"

struct app;
struct node;

/* Read only. */
struct loaded {
    struct generation *generation; /* one reference is ours until an app takes it */
    struct plan *plan;
    struct vm *vm;
};

/* How many there are in this process, with those that an app has left and that still end. */
uint32_t loaded_live(void);

/* NULL: one line a fault in errors. */
struct loaded *loaded_new(const struct vm_options *options, const char *path, struct buf *errors);

/* Only while no app runs it. */
void loaded_free(struct loaded *loaded);

/* Gives the node one more app, which owns it from then on. NULL: it clashes with another, see
 * node_add_app, and stays the caller's. */
struct app *loaded_add(struct loaded *loaded, struct node *node, struct buf *errors);
