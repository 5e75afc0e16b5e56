#include "engine/errand.h"

#include "base/check.h"

bool errand_start(struct errand *errand, struct generation *generation,
                  const struct hook_call *call, hook_done_f *done, void *owner)
{
    struct hooks *hooks = generation_hooks(generation);
    CHECK(!errand->_running);
    generation_ref(generation); /* what `done` does may let go of the last other one */
    struct running *running = hooks->call(hooks, call, done, owner);
    if (running)
        *errand = (struct errand){generation, running};
    else
        generation_unref(generation);
    return running != NULL;
}

static struct errand take(struct errand *errand)
{
    struct errand taken = *errand;
    *errand = (struct errand){NULL, NULL};
    return taken;
}

void errand_over(struct errand *errand)
{
    struct errand ended = take(errand);
    if (ended._generation) generation_unref(ended._generation);
}

static void give_up(struct errand *errand, bool late)
{
    struct errand given_up = take(errand);
    if (!given_up._running) return;
    struct hooks *hooks = generation_hooks(given_up._generation);
    hooks->cancel(hooks, given_up._running, late);
    generation_unref(given_up._generation);
}

void errand_cancel(struct errand *errand)
{
    give_up(errand, false);
}

void errand_expire(struct errand *errand)
{
    give_up(errand, true);
}

bool errand_waits(const struct errand *errand)
{
    return errand->_running != NULL;
}
