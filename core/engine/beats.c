#include "engine/beats.h"

#include "base/alloc.h"
#include "engine/app.h"
#include "engine/hooks.h"

struct beat {
    struct app *app;
    const struct plan_every *every;
    struct timer timer;
    struct running *running;
    bool busy;
};

static void on_done(void *owner, const struct hook_result *result)
{
    (void)result;
    struct beat *beat = owner;
    beat->running = NULL;
    beat->busy = false;
}

static void on_due(struct timer *timer)
{
    struct beat *beat = CONTAINER(timer, struct beat, timer);
    struct hooks *hooks = app_hooks(beat->app);
    clock_after(app_ports(beat->app)->clock, &beat->timer, beat->every->period_ms);
    if (beat->busy) {
        LOG(app_ports(beat->app)->log, LOG_WARN, "a beat was skipped: the last one still runs",
            F_BYTES("every", atom_bytes(beat->every->name)));
        return;
    }
    const struct hook_call call = {.kind = HOOK_EVERY, .hook = beat->every->run};
    beat->busy = true;
    struct running *running = hooks->call(hooks, &call, on_done, beat);
    if (running) beat->running = running;
}

void beats_start(struct beats *beats, struct app *app)
{
    const struct plan *plan = app_plan(app);
    beats->_app = app;
    beats->_count = plan->every_count;
    beats->_beats = xcalloc(beats->_count, sizeof(struct beat));
    for (size_t i = 0; i < beats->_count; i++) {
        struct beat *beat = &beats->_beats[i];
        beat->app = app;
        beat->every = plan->everys[i];
        timer_init(&beat->timer, on_due);
        clock_after(app_ports(app)->clock, &beat->timer, beat->every->period_ms);
    }
}

void beats_stop(struct beats *beats)
{
    for (size_t i = 0; i < beats->_count; i++) {
        struct beat *beat = &beats->_beats[i];
        struct hooks *hooks = app_hooks(beat->app);
        clock_cancel(app_ports(beat->app)->clock, &beat->timer);
        if (beat->running) hooks->cancel(hooks, beat->running);
    }
    xfree(beats->_beats);
    beats->_beats = NULL;
    beats->_count = 0;
}
