/* errand: one call of a hook that may wait, and the generation whose code it
 * runs: the rules of a reload in between do not finish, and cannot cancel, what
 * the earlier ones began. Embedded in who waits; zeroed: none is under way. */
#pragma once

#include <stdbool.h>

#include "engine/generation.h"
#include "engine/hooks.h"

struct errand {
    struct generation *_generation;
    struct running *_running;
};

/* Calls the hook. True: it waits, and `done` comes later. False: `done` has been called already, and
 * the owner, the errand with it, may be gone. */
bool errand_start(struct errand *errand, struct generation *generation,
                  const struct hook_call *call, hook_done_f *done, void *owner);

/* The first thing that `done` does; harmless when the call never waited. */
void errand_over(struct errand *errand);

/* `done` will not be called. Harmless when none is under way. */
void errand_cancel(struct errand *errand);

/* The same, because it took too long: that is logged and counted as the rule's failure. */
void errand_expire(struct errand *errand);

bool errand_waits(const struct errand *errand);
