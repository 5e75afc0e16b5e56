/* loaded: a rule file in a VM of its own, as one generation of its app. Frees
 * plan and VM when the engine needs neither any more. What the server and the
 * rig load and reload rules with. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/list.h"
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
    struct list generations; /* the ring of those of one app */
    bool current;            /* the app's, of all in the ring */
};

/* How many there are in this process, with those that an app has left and that still end. */
uint32_t loaded_live(void);

/* NULL: one line a fault in errors. */
struct loaded *loaded_new(const struct vm_options *options, const char *path, struct buf *errors);

/* Only while no app runs it. */
void loaded_free(struct loaded *loaded);

/* Replaces the rules of running apps: fresh[i], where it is not NULL, takes the place of current[i],
 * which are the node's apps in their order. All of them or none: false, why not in errors, and the
 * fresh ones stay the caller's. What the earlier rules began ends in them; their background tasks
 * are given up. */
bool loaded_swap(struct loaded **current, struct loaded *const *fresh, struct node *node,
                 struct buf *errors);

/* Gives the node one more app, which owns it from then on. NULL: it clashes with another, see
 * node_add_app, and stays the caller's. */
struct app *loaded_add(struct loaded *loaded, struct node *node, struct buf *errors);
