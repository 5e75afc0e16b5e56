/* later: what runs at the end of the turn, when no library's callback is on the
 * stack. Two lanes: jobs of LATER_SOON run first, those of LATER_LAST when no
 * other is left (the flush, so that everything a turn brought leaves in one
 * write). A job that is posted again while it runs waits for the next round, so
 * a long fan-out yields by posting itself: between rounds the loop polls.
 *
 * A job is embedded in its owner, and posting it twice is posting it once. */
#pragma once

#include <stdbool.h>

#include "base/list.h"

enum later_lane { LATER_SOON, LATER_LAST, LATER_LANES };

struct job {
    struct list _node;
    void (*run)(struct job *job);
};

struct later {
    struct list _lanes[LATER_LANES];
};

static inline void later_create(struct later *later)
{
    for (int lane = 0; lane < LATER_LANES; lane++) list_create(&later->_lanes[lane]);
}

static inline void job_create(struct job *job, void (*run)(struct job *job))
{
    list_create(&job->_node);
    job->run = run;
}

static inline bool job_posted(const struct job *job)
{
    return !list_empty(&job->_node);
}

static inline void later_post(struct later *later, enum later_lane lane, struct job *job)
{
    if (!job_posted(job)) list_append(&later->_lanes[lane], &job->_node);
}

static inline void later_cancel(struct job *job)
{
    list_remove(&job->_node);
}

static inline bool later_idle(const struct later *later)
{
    return list_empty(&later->_lanes[LATER_SOON]) && list_empty(&later->_lanes[LATER_LAST]);
}

/* One round: what waits in SOON now, or, if nothing does, what waits in LAST. The adapter calls
 * it; it returns false when nothing was there. */
static inline bool later_round(struct later *later)
{
    struct list *lane = &later->_lanes[LATER_SOON];
    if (list_empty(lane)) lane = &later->_lanes[LATER_LAST];
    if (list_empty(lane)) return false;
    struct list round;
    list_create(&round);
    list_move(&round, lane);
    while (!list_empty(&round)) {
        struct job *job = CONTAINER(round.next, struct job, _node);
        list_remove(&job->_node);
        job->run(job);
    }
    return true;
}
