/* A beat that the rules dropped while it runs is no beat any more, but stands in
 * the list until it ends, so that a drain can cancel it. */
#include "engine/beats.h"

#include "base/alloc.h"
#include "engine/app.h"
#include "engine/errand.h"

struct beat {
    struct list node;
    struct app *app;
    struct generation *generation; /* the one of `every`; held */
    const struct plan_every *every; /* NULL: dropped */
    struct timer timer;
    struct errand errand;
};

static void beat_free(struct beat *beat)
{
    list_remove(&beat->node);
    clock_cancel(app_ports(beat->app)->clock, &beat->timer);
    errand_cancel(&beat->errand);
    generation_unref(beat->generation);
    xfree(beat);
}

static void on_done(void *owner, const struct hook_result *result)
{
    struct beat *beat = owner;
    (void)result;
    errand_over(&beat->errand);
    if (!beat->every) beat_free(beat);
}

static void on_due(struct timer *timer)
{
    struct beat *beat = CONTAINER(timer, struct beat, timer);
    clock_after(app_ports(beat->app)->clock, &beat->timer, beat->every->period_ms);
    if (errand_waits(&beat->errand)) {
        LOG(app_ports(beat->app)->log, LOG_WARN, "a beat was skipped: the last one still runs",
            F_BYTES("every", atom_bytes(beat->every->name)));
        return;
    }
    const struct hook_call call = {.kind = HOOK_EVERY, .hook = beat->every->run};
    errand_start(&beat->errand, beat->generation, &call, on_done, beat);
}

static void beat_new(struct beats *beats, struct generation *generation,
                     const struct plan_every *every)
{
    struct beat *beat = xcalloc(1, sizeof(*beat));
    beat->app = beats->_app;
    beat->generation = generation_ref(generation);
    beat->every = every;
    timer_init(&beat->timer, on_due);
    list_append(&beats->_beats, &beat->node);
    clock_after(app_ports(beat->app)->clock, &beat->timer, every->period_ms);
}

static void beat_drop(struct beat *beat)
{
    clock_cancel(app_ports(beat->app)->clock, &beat->timer);
    beat->every = NULL;
    if (!errand_waits(&beat->errand)) beat_free(beat);
}

static void beat_move(struct beat *beat, struct generation *generation,
                      const struct plan_every *every)
{
    struct clock *clock = app_ports(beat->app)->clock;
    beat->every = every;
    generation_set(&beat->generation, generation);
    if (beat->timer.due_ms > clock->now_ms + every->period_ms)
        clock_after(clock, &beat->timer, every->period_ms);
}

static struct beat *beat_named(const struct beats *beats, const struct atom *name)
{
    LIST_EACH(node, &beats->_beats) {
        struct beat *beat = CONTAINER(node, struct beat, node);
        if (beat->every && beat->every->name == name) return beat;
    }
    return NULL;
}

void beats_start(struct beats *beats, struct app *app)
{
    const struct plan *plan = app_plan(app);
    beats->_app = app;
    list_create(&beats->_beats);
    for (size_t i = 0; i < plan->every_count; i++)
        beat_new(beats, app_generation(app), plan->everys[i]);
}

void beats_swap(struct beats *beats)
{
    struct generation *generation = app_generation(beats->_app);
    const struct plan *plan = generation_plan(generation);
    LIST_EACH(node, &beats->_beats) {
        struct beat *beat = CONTAINER(node, struct beat, node);
        if (!beat->every) continue;
        const struct plan_every *every = plan_every_named(plan, beat->every->name);
        if (every)
            beat_move(beat, generation, every);
        else
            beat_drop(beat);
    }
    for (size_t i = 0; i < plan->every_count; i++)
        if (!beat_named(beats, plan->everys[i]->name)) beat_new(beats, generation, plan->everys[i]);
}

void beats_stop(struct beats *beats)
{
    LIST_EACH(node, &beats->_beats) {
        beat_free(CONTAINER(node, struct beat, node));
    }
}
