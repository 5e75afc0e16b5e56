/* loaded: a rule file in a VM of its own, as one generation of its app. Frees
 * plan and VM when the engine needs neither any more. What the server and the
 * rig load and reload rules with. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/wheel.h"
#include "engine/generation.h"
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
    struct timer end;        /* of an earlier generation: when its time is over */
    struct shadow *shadow;   /* it is the app's shadow, and not its rules; or NULL */
};

/* How many there are in this process, with those that an app has left and that still end. */
uint32_t loaded_live(void);

/* NULL: one line a fault in errors. */
struct loaded *loaded_new(const struct vm_options *options, const char *path, struct buf *errors);

/* Only while no app runs it. */
void loaded_free(struct loaded *loaded);

/* What becomes of one app: `fresh` takes the place of `current`. */
struct loaded_change {
    struct loaded *current; /* NULL: the app is new */
    struct loaded *fresh;   /* NULL: the app goes; the same as current: it stays as it is */
};

/* Carries out all changes, or none: false, why not in errors, and the fresh ones stay the caller's.
 * Every app of the node is in one of them. What the earlier rules began ends in them, within their
 * options' end_ms; their background tasks are given up. Streams of an app that goes end spread over
 * spread_ms. */
bool loaded_apply(const struct loaded_change *changes, size_t count, struct node *node,
                  uint64_t spread_ms, struct buf *errors);

/* Loaded with the ports of a shadow (engine/shadow.h), it is the app's shadow from now on. */
void loaded_shadow(struct loaded *loaded, struct app *app);

/* And no more; what runs in it is given up, and it goes. */
void loaded_unshadow(struct loaded *loaded);

/* Gives the node one more app, which owns it from then on. NULL: it clashes with another, see
 * node_add_app, and stays the caller's. */
struct app *loaded_add(struct loaded *loaded, struct node *node, struct buf *errors);
