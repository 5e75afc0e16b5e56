/* beats: an app's `app:every` timers. A beat that is still running when it is
 * due again is skipped, not doubled. */
#pragma once

#include "base/list.h"

struct app;

struct beats {
    struct app *_app;
    struct list _beats;
};

/* Those of the app's current generation. */
void beats_start(struct beats *beats, struct app *app);

/* The app has another generation: a beat of the same name keeps its due time, if that is no later
 * than the new period would have it; what runs, runs to its end. */
void beats_swap(struct beats *beats);

/* No beat is due any more; one that runs is cancelled. */
void beats_stop(struct beats *beats);
