/* loop: the one event loop of a process, on libev. It is the adapter behind the
 * ports clock, later, random and log: it says what time it is, fires the timer
 * wheel, runs jobs at the end of a turn, and gives the outside's descriptors
 * (loop/watch.h, or libev itself for libraries that want it) their turn.
 *
 * A turn is: wait for descriptors and timers, take the time, run what is ready,
 * fire due timers, then run jobs in rounds until none is left. Jobs that keep
 * posting themselves are interrupted after LOOP_ROUNDS rounds or LOOP_SLICE_US,
 * whichever comes first: the next turn then polls without waiting, so that no
 * long fan-out starves sockets and timers, and no waiting socket starves jobs.
 *
 * One thread; nothing here may be called from another one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "ports/clock.h"
#include "ports/later.h"
#include "ports/log.h"
#include "ports/random.h"

enum { LOOP_ROUNDS = 64, LOOP_SLICE_US = 2000, LOOP_SIGNALS = 8, LOOP_GAP_MS = 1000 };

struct ev_loop;
struct loop;

struct loop_counters {
    uint64_t turns;
    uint64_t rounds;      /* of jobs */
    uint64_t interrupted; /* turns that ended with jobs still waiting */
    uint64_t busy_us;     /* spent outside the wait, all in all */
    uint64_t lag_us;      /* how long the last turn ran: what came then waited up to this */
    uint64_t lag_max_us;  /* the longest since loop_lag_reset */
    struct histogram turn; /* how long turns ran, */
    struct histogram late; /* and how late timers were looked at */
};

typedef void loop_signal_f(void *owner, int signum);

/* Lines go to stderr; loop_log gives the log, whose level and form may be set. */
struct loop *loop_new(void);

/* Nothing may be watched, armed or posted any more. */
void loop_free(struct loop *loop);

/* The ports, valid as long as the loop. */
struct clock *loop_clock(struct loop *loop);
struct later *loop_later(struct loop *loop);
struct random *loop_random(struct loop *loop);
struct log *loop_log(struct loop *loop);

/* For libraries that bring their own adapter to libev. */
struct ev_loop *loop_ev(struct loop *loop);

/* Calls `caught` in the turn after the signal came; at most LOOP_SIGNALS kinds, each set once. */
void loop_signal(struct loop *loop, int signum, loop_signal_f *caught, void *owner);

/* Those signals do nothing from now on, also when the loop is gone: neither call anybody, nor end the process. For when
 * their owners are about to be freed. */
void loop_deafen(struct loop *loop);

/* `gap` is called when a turn has taken the time and that is LOOP_GAP_MS or more after the last turn's: the process
 * may have been stopped, and all that it knows of others be over. No descriptor and no timer has been looked at. One at most; NULL: none any more. */
typedef void loop_gap_f(void *owner);
void loop_on_gap(struct loop *loop, loop_gap_f *gap, void *owner);

/* Runs turns until loop_stop, which may be called from anywhere within a turn; that turn's jobs
 * still run. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn; with `wait` it sleeps until something is ready or due, or a job waits. */
void loop_turn(struct loop *loop, bool wait);

/* Queries. */
const struct loop_counters *loop_counters(const struct loop *loop);
void loop_lag_reset(struct loop *loop);
