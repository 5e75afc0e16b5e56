#include "engine/drain.h"

#include "base/check.h"
#include "engine/attach.h"
#include "engine/beats.h"
#include "engine/feeds.h"
#include "engine/presence.h"
#include "engine/seat.h"
#include "engine/seats.h"
#include "engine/sources.h"

enum { RETRY_MIN_MS = 1000, AGAIN_MS = 20 };

static bool is_behind(const struct seat *seat)
{
    const struct subscriber *subscriber = seat_subscriber(seat);
    return subscriber && subscriber_queued(subscriber);
}

/* A node by itself closes links last: what they bring meanwhile still reaches those who are there. */
static void walked(struct drain *drain)
{
    struct clock *clock = app_ports(drain->_app)->clock;
    if (drain->_waits) {
        drain->_waits = false;
        drain->_index = 0;
        clock_after(clock, &drain->_again, AGAIN_MS);
        return;
    }
    drain->_over = true;
    hub_windows_flush(app_hub(drain->_app));
    feeds_close(app_feeds(drain->_app));
    sources_close(app_sources(drain->_app));
}

static void send_away(struct drain *drain, struct seat *seat)
{
    const struct engine_ports *ports = app_ports(drain->_app);
    if (is_behind(seat) && ports->clock->now_ms < drain->_until_ms)
        drain->_waits = true;
    else
        attach_abandon(seat, drain->_reason,
                       RETRY_MIN_MS + random_below(ports->random, drain->_spread_ms + 1));
}

static void go_on(struct job *job)
{
    struct drain *drain = CONTAINER(job, struct drain, _job);
    struct app *app = drain->_app;
    const bool fanned = hub_fanned(app_hub(app)) >= drain->_position;
    for (int sent = 0; fanned && sent < DRAIN_ROUND; sent++) {
        struct seat *seat = seats_next(app_seats(app), &drain->_index);
        if (!seat) {
            walked(drain);
            return;
        }
        send_away(drain, seat);
    }
    later_post(app_ports(app)->later, LATER_LAST, job);
}

static void again(struct timer *timer)
{
    go_on(&CONTAINER(timer, struct drain, _again)->_job);
}

void drain_create(struct drain *drain, struct app *app)
{
    *drain = (struct drain){._app = app};
    job_create(&drain->_job, go_on);
    timer_init(&drain->_again, again);
}

bool drain_busy(const struct drain *drain)
{
    return drain->_begun && !drain->_over;
}

void drain_app(struct app *app, enum end_reason reason, uint64_t spread_ms)
{
    struct drain *drain = app_drain(app);
    const struct engine_ports *ports = app_ports(app);
    CHECK(!drain->_begun);
    drain->_begun = true;
    drain->_reason = reason;
    drain->_spread_ms = spread_ms;
    drain->_until_ms = ports->clock->now_ms + app_limits(app)->drain_patience_ms;
    beats_stop(app_beats(app));
    presence_stop(app_presence(app));
    hub_windows_flush(app_hub(app));
    if (ports->joint) feeds_close(app_feeds(app)); /* another node goes on with them at once */
    drain->_position = ports->order->position;
    go_on(&drain->_job);
}
