/* The turn is ours, not libev's: ev_run is asked for one iteration at a time,
 * and what comes before and after it stands here in order. The road not taken,
 * prepare and check watchers around an endless ev_run, needs a third kind (idle)
 * to keep from sleeping while jobs wait and leaves the order to priorities.
 *
 * Only the taking of the time is a check watcher, of the highest priority: it
 * runs between the wait and the first callback, so that every callback of a turn
 * sees one and the same now.
 *
 * One ev_timer stands for the whole wheel. It has no work to do: that it was due
 * ends the wait. */
#include "loop/loop.h"

#include <ev.h>
#include <signal.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "loop/entropy.h"
#include "loop/logger.h"

struct signal_slot {
    ev_signal watcher;
    loop_signal_f *caught;
    void *owner;
};

struct loop {
    struct ev_loop *ev;
    struct clock clock;
    struct later later;
    struct entropy entropy;
    struct logger logger;
    ev_check woken;
    ev_timer alarm;
    uint64_t alarm_ms; /* when the alarm is set for; UINT64_MAX: not set */
    uint64_t woken_us; /* when the turn at hand began to work */
    struct signal_slot signals[LOOP_SIGNALS];
    int signal_count;
    loop_gap_f *gap; /* or NULL */
    void *gap_owner;
    bool stopping;
    struct loop_counters counters;
};

static uint64_t microseconds(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t read_us(void)
{
    return microseconds(CLOCK_MONOTONIC);
}

static void take_time(struct loop *loop)
{
    loop->woken_us = loop->clock.turn_us = read_us();
    loop->clock.now_ms = loop->woken_us / 1000;
    loop->clock.wall_ms = microseconds(CLOCK_REALTIME) / 1000;
}

static void on_woken(struct ev_loop *ev, ev_check *woken, int events)
{
    (void)woken, (void)events;
    struct loop *loop = ev_userdata(ev);
    const uint64_t last_ms = loop->clock.now_ms;
    take_time(loop);
    if (loop->gap && loop->clock.now_ms - last_ms >= LOOP_GAP_MS) loop->gap(loop->gap_owner);
}

static void on_alarm(struct ev_loop *ev, ev_timer *alarm, int events)
{
    (void)alarm, (void)events;
    struct loop *loop = ev_userdata(ev);
    loop->alarm_ms = UINT64_MAX;
}

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    CHECK(loop->ev);
    ev_set_userdata(loop->ev, loop);
    loop->clock.read_us = read_us;
    take_time(loop);
    wheel_create(&loop->clock.wheel, loop->clock.now_ms);
    later_create(&loop->later);
    entropy_create(&loop->entropy);
    logger_create(&loop->logger, LOGGER_STDERR);
    loop->alarm_ms = UINT64_MAX;
    ev_check_init(&loop->woken, on_woken);
    ev_set_priority(&loop->woken, EV_MAXPRI);
    ev_check_start(loop->ev, &loop->woken);
    ev_timer_init(&loop->alarm, on_alarm, 0, 0);
    return loop;
}

void loop_free(struct loop *loop)
{
    CHECK(loop->clock.wheel.count == 0 && later_idle(&loop->later));
    for (int i = 0; i < loop->signal_count; i++)
        ev_signal_stop(loop->ev, &loop->signals[i].watcher);
    ev_timer_stop(loop->ev, &loop->alarm);
    ev_check_stop(loop->ev, &loop->woken);
    ev_loop_destroy(loop->ev);
    logger_open(&loop->logger, NULL);
    xfree(loop);
}

struct clock *loop_clock(struct loop *loop)
{
    return &loop->clock;
}
struct later *loop_later(struct loop *loop)
{
    return &loop->later;
}
struct random *loop_random(struct loop *loop)
{
    return &loop->entropy.random;
}
struct log *loop_log(struct loop *loop)
{
    return &loop->logger.log;
}
struct ev_loop *loop_ev(struct loop *loop)
{
    return loop->ev;
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
    (void)ev, (void)events;
    struct signal_slot *slot = CONTAINER(watcher, struct signal_slot, watcher);
    slot->caught(slot->owner, watcher->signum);
}

void loop_signal(struct loop *loop, int signum, loop_signal_f *caught, void *owner)
{
    CHECK(loop->signal_count < LOOP_SIGNALS);
    struct signal_slot *slot = &loop->signals[loop->signal_count++];
    slot->caught = caught;
    slot->owner = owner;
    ev_signal_init(&slot->watcher, on_signal, signum);
    ev_signal_start(loop->ev, &slot->watcher);
}

/* libev gives a signal its default action back, which is to end the process: none may come just then. */
void loop_deafen(struct loop *loop)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    while (loop->signal_count) {
        ev_signal *watcher = &loop->signals[--loop->signal_count].watcher;
        ev_signal_stop(loop->ev, watcher);
        signal(watcher->signum, SIG_IGN);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void loop_on_gap(struct loop *loop, loop_gap_f *gap, void *owner)
{
    CHECK(!loop->gap || !gap);
    loop->gap = gap;
    loop->gap_owner = owner;
}

/* Sets libev's timer for what the wheel has next, if that changed. libev counts from the moment
 * that it last woke, as our now does. */
static void set_alarm(struct loop *loop)
{
    uint64_t next = wheel_next(&loop->clock.wheel);
    if (next == loop->alarm_ms) return;
    ev_timer_stop(loop->ev, &loop->alarm);
    loop->alarm_ms = next;
    if (next == UINT64_MAX) return;
    uint64_t now = loop->clock.now_ms;
    ev_timer_set(&loop->alarm, next > now ? (double)(next - now) / 1000 : 0, 0);
    ev_timer_start(loop->ev, &loop->alarm);
}

static uint64_t run_jobs(struct loop *loop)
{
    uint64_t now = microseconds(CLOCK_MONOTONIC);
    uint64_t until = now + LOOP_SLICE_US;
    for (int rounds = 0; rounds < LOOP_ROUNDS && now < until; rounds++) {
        if (!later_round(&loop->later)) break;
        loop->counters.rounds++;
        now = microseconds(CLOCK_MONOTONIC);
    }
    if (!later_idle(&loop->later)) loop->counters.interrupted++;
    return now;
}

void loop_turn(struct loop *loop, bool wait)
{
    set_alarm(loop);
    const uint64_t due_ms = loop->alarm_ms;
    ev_run(loop->ev, wait && later_idle(&loop->later) ? EVRUN_ONCE : EVRUN_NOWAIT);
    if (due_ms <= loop->clock.now_ms)
        histogram_note(&loop->counters.late, loop->woken_us - due_ms * 1000, 1);
    wheel_advance(&loop->clock.wheel, loop->clock.now_ms);
    uint64_t lag = run_jobs(loop) - loop->woken_us;
    struct loop_counters *counters = &loop->counters;
    counters->turns++;
    counters->busy_us += lag;
    counters->lag_us = lag;
    histogram_note(&counters->turn, lag, 1);
    if (lag > counters->lag_max_us) counters->lag_max_us = lag;
}

void loop_run(struct loop *loop)
{
    loop->stopping = false;
    while (!loop->stopping) loop_turn(loop, true);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

const struct loop_counters *loop_counters(const struct loop *loop)
{
    return &loop->counters;
}

void loop_lag_reset(struct loop *loop)
{
    loop->counters.lag_max_us = 0;
}
