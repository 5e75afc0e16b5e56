/* The resync is placed at the end of the turn, so that it stands behind all that a
 * turn's emits were refused, however many. One timer a limiter, once a second: it says
 * what is still to be said, and frees a limiter that has nothing left to remember. */
#include "hub/limiter.h"

#include "base/alloc.h"
#include "base/check.h"
#include "hub/hub_state.h"
#include "hub/topic_state.h"

enum { PACE_MS = 1000 };

struct limiter {
    struct topic *topic;
    struct bucket bucket;
    struct timer timer;
    struct job job;
    bool told;   /* since the timer was armed */
    bool untold; /* something was refused behind the last resync */
};

static void arm(struct limiter *limiter)
{
    clock_after(limiter->topic->hub->ports.clock, &limiter->timer, PACE_MS);
}

static void tell(struct limiter *limiter)
{
    limiter->told = true;
    limiter->untold = false;
    topic_resync(limiter->topic, "limited", 0);
}

static void tell_now(struct job *job)
{
    struct limiter *limiter = CONTAINER(job, struct limiter, job);
    if (limiter->untold) tell(limiter);
}

static bool is_as_new(const struct limiter *limiter)
{
    const struct bucket_limit limit = limiter->topic->options->limit;
    return !limit.burst || bucket_full(&limiter->bucket, limit, hub_now(limiter->topic->hub));
}

static void tick(struct timer *timer)
{
    struct limiter *limiter = CONTAINER(timer, struct limiter, timer);
    struct topic *topic = limiter->topic;
    limiter->told = false;
    if (limiter->untold) tell(limiter);
    if (limiter->told || !is_as_new(limiter)) {
        arm(limiter);
        return;
    }
    limiter_drop(topic);
    topic_release(topic);
}

static struct limiter *limiter_of(struct topic *topic)
{
    if (topic->limiter) return topic->limiter;
    struct limiter *limiter = xcalloc(1, sizeof(*limiter));
    limiter->topic = topic;
    timer_init(&limiter->timer, tick);
    job_create(&limiter->job, tell_now);
    topic->limiter = limiter;
    arm(limiter);
    return limiter;
}

bool limiter_admits(struct topic *topic)
{
    const struct bucket_limit limit = topic->options->limit;
    return !limit.burst || bucket_take(&limiter_of(topic)->bucket, limit, hub_now(topic->hub));
}

void limiter_refuse(struct topic *topic, const struct emission *emission)
{
    struct limiter *limiter = topic->limiter;
    CHECK(limiter);
    topic->hub->counters.limited++;
    hub_note_limited(topic->hub, topic->name, emission);
    limiter->untold = true;
    if (!limiter->told)
        later_post(topic->hub->ports.later, LATER_LAST, &limiter->job);
}

void limiter_drop(struct topic *topic)
{
    if (!topic->limiter) return;
    clock_cancel(topic->hub->ports.clock, &topic->limiter->timer);
    later_cancel(&topic->limiter->job);
    xfree(topic->limiter);
    topic->limiter = NULL;
}
