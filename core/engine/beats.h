/* beats: an app's `app:every` timers. A beat that is still running when it is
 * due again is skipped, not doubled. */
#pragma once

#include <stddef.h>

#include "plan/plan.h"

struct app;
struct beat;

struct beats {
    struct app *_app;
    struct beat *_beats;
    size_t _count;
};

void beats_start(struct beats *beats, struct app *app);

/* No beat is due any more; one that runs is cancelled. */
void beats_stop(struct beats *beats);
