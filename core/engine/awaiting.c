#include "engine/awaiting.h"

#include "base/alloc.h"
#include "engine/joint.h"
#include "engine/ports.h"
#include "hub/carried.h"
#include "hub/order.h"

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
    buf_destroy(&awaiting->_cursor);
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
static void on_loaded(struct topic_waiter *waiter)
{
    struct awaited *awaited = CONTAINER(waiter, struct awaited, waiter);
    struct awaiting *awaiting = awaited->awaiting;
    awaited->waits = false;
    if (--awaiting->_open == 0)
        later_post(awaiting->_ports->later, LATER_SOON, &awaiting->_job);
}

/* Cursors can be read, and this one says nothing that is not known here yet. */
static bool has_come_far(const struct awaiting *awaiting)
{
    return joint_is_whole(awaiting->_ports->joint) &&
           !order_is_behind_cursor(awaiting->_ports->order, buf_bytes(&awaiting->_cursor));
}

static void on_all(struct job *job)
{
    struct awaiting *awaiting = CONTAINER(job, struct awaiting, _job);
    if (has_come_far(awaiting)) end(awaiting, true); /* else the timer looks again */
}

static void on_timer(struct timer *timer)
{
    struct awaiting *awaiting = CONTAINER(timer, struct awaiting, _timer);
    struct clock *clock = clock_of(awaiting);
    const bool far = has_come_far(awaiting);
    if (!awaiting->_open && far) {
        end(awaiting, true);
    } else if (clock->now_ms >= awaiting->_until_ms) {
        end(awaiting, false);
    } else {
        if (!far) joint_catch_up(awaiting->_ports->joint);
        clock_after(clock, timer, AWAITING_LOOK_MS);
    }
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

bool awaiting_start(struct awaiting *awaiting, const struct awaiting_wants *wants,
                    awaiting_open_f *open, awaiting_done_f *done, void *owner)
{
    const uint64_t until_ms = awaiting->_until_ms; /* of the first of several waits of one owner */
    if (!wants->ports->joint) return true;
    *awaiting = (struct awaiting){._ports = wants->ports,
                                  ._done = done,
                                  ._owner = owner,
                                  ._until_ms = until_ms};
    awaiting->_topics = xcalloc(wants->count ? wants->count : 1, sizeof(*awaiting->_topics));
    buf_add_bytes(&awaiting->_cursor, wants->cursor);
    timer_init(&awaiting->_timer, on_timer);
    job_create(&awaiting->_job, on_all);
    for (size_t i = 0; i < wants->count; i++) {
        struct topic *topic = open(owner, wants->names[i]);
        if (topic && !topic_is_loaded(topic)) await(awaiting, topic);
    }
    const bool far = has_come_far(awaiting);
    if (!awaiting->_open && far) {
        stop(awaiting);
        return true;
    }
    if (!until_ms) awaiting->_until_ms = clock_of(awaiting)->now_ms + AWAITING_MS;
    if (!far) joint_catch_up(wants->ports->joint);
    clock_after(clock_of(awaiting), &awaiting->_timer, AWAITING_LOOK_MS);
    return false;
}

void awaiting_cancel(struct awaiting *awaiting)
{
    if (awaiting->_ports) stop(awaiting);
}
