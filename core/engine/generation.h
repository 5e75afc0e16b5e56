/* generation: one loading of an app's rules: the plan that it declared and the
 * hooks that run its code. An app has one current generation; a reload gives it
 * the next, and the last one goes when nobody needs it any more.
 *
 * It is counted. Whoever keeps a pointer into a plan, or has a hook running,
 * holds a reference of the generation that this belongs to: an app, a seat, a
 * feed, a visit, a beat, an errand. */
#pragma once

#include <stdint.h>

#include "engine/hooks.h"
#include "plan/plan.h"
#include "ports/later.h"

struct generation;

/* Nobody holds it any more: plan and hooks may be freed, and whoever made it does. From a job of
 * its own, so that no rule's code and no call-back of a hook is on the stack. */
typedef void generation_over_f(void *owner);

/* One reference, for the caller. `over` may be NULL. */
struct generation *generation_new(struct plan *plan, struct hooks *hooks, struct later *later,
                                  generation_over_f *over, void *owner);
struct generation *generation_ref(struct generation *generation);
void generation_unref(struct generation *generation);

const struct plan *generation_plan(const struct generation *generation);
struct hooks *generation_hooks(const struct generation *generation);

/* Replaces the generation that a pointer holds; takes a reference of the new one. */
void generation_set(struct generation **held, struct generation *generation);

/* How many hold it. */
uint32_t generation_refs(const struct generation *generation);
