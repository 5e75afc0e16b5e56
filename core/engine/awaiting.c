#include "engine/awaiting.h"

#include "base/alloc.h"
#include "engine/joint.h"
#include "engine/ports.h"
#include "hub/carried.h"

struct awaited {
    struct topic_waiter waiter;
    struct awaiting *awaiting;
    bool waits;
};

static struct clock *clock_of(const struct awaiting *awaiting)
{
    return awaiting->_ports->clock;
}

static void stop(struct awaiting *awaiting)
{
    for (size_t i = 0; i < awaiting->_count; i++)
        if (awaiting->_topics[i].waits) topic_await_no_more(&awaiting->_topics[i].waiter);
    clock_cancel(clock_of(awaiting), &awaiting->_timer);
    later_cancel(&awaiting->_job);
    xfree(awaiting->_topics);
    awaiting->_topics = NULL;
    awaiting->_ports = NULL;
    awaiting->_count = 0;
}

static void end(struct awaiting *awaiting, bool loaded)
{
    awaiting_done_f *done = awaiting->_done;
    void *owner = awaiting->_owner;
    stop(awaiting);
    done(owner, loaded);
}

/* Whoever tells is in the midst of telling others. */
static void on_loaded(struct topic_waiter *waiter, bool loaded)
{
    struct awaited *awaited = CONTAINER(waiter, struct awaited, waiter);
    struct awaiting *awaiting = awaited->awaiting;
    awaited->waits = false;
    if (!loaded) return; /* the timer looks whether it has become so meanwhile */
    if (--awaiting->_open == 0)
        later_post(awaiting->_ports->later, LATER_SOON, &awaiting->_job);
}

static void on_all(struct job *job)
{
    end(CONTAINER(job, struct awaiting, _job), true);
}

static void on_timer(struct timer *timer)
{
    struct awaiting *awaiting = CONTAINER(timer, struct awaiting, _timer);
    struct clock *clock = clock_of(awaiting);
    const bool whole = joint_is_whole(awaiting->_ports->joint);
    if (!awaiting->_open && whole)
        end(awaiting, true);
    else if (clock->now_ms >= awaiting->_until_ms)
        end(awaiting, false);
    else
        clock_after(clock, timer, AWAITING_LOOK_MS);
}

static void await(struct awaiting *awaiting, struct topic *topic)
{
    struct awaited *awaited = &awaiting->_topics[awaiting->_count++];
    awaited->awaiting = awaiting;
    awaited->waiter.done = on_loaded;
    awaited->waits = true;
    awaiting->_open++;
    topic_await(topic, &awaited->waiter);
}

bool awaiting_start(struct awaiting *awaiting, const struct engine_ports *ports,
                    const struct bytes *names, size_t count, awaiting_open_f *open,
                    awaiting_done_f *done, void *owner)
{
    const struct joint *joint = ports->joint;
    if (!joint) return true;
    const uint64_t until_ms = awaiting->_until_ms; /* of the first of several waits of one owner */
    *awaiting = (struct awaiting){._ports = ports, ._done = done, ._owner = owner, ._until_ms = until_ms};
    awaiting->_topics = xcalloc(count ? count : 1, sizeof(*awaiting->_topics));
    timer_init(&awaiting->_timer, on_timer);
    job_create(&awaiting->_job, on_all);
    for (size_t i = 0; i < count; i++) {
        struct topic *topic = open(owner, names[i]);
        if (topic && !topic_is_loaded(topic)) await(awaiting, topic);
    }
    if (!awaiting->_open && joint_is_whole(joint)) {
        stop(awaiting);
        return true;
    }
    if (!until_ms) awaiting->_until_ms = clock_of(awaiting)->now_ms + AWAITING_MS;
    clock_after(clock_of(awaiting), &awaiting->_timer,
                joint_is_whole(joint) ? AWAITING_MS : AWAITING_LOOK_MS);
    return false;
}

void awaiting_cancel(struct awaiting *awaiting)
{
    if (awaiting->_ports) stop(awaiting);
}
