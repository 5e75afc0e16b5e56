/* The order matters: what was emitted before is fanned out before, by the filters
 * of its time and to those who will have to go; then topics, so that nobody has
 * options of a plan that may be gone, and who is there by them; then seats, which
 * may let go of links; then links. */
#include "engine/reload.h"

#include "engine/audience.h"
#include "engine/beats.h"
#include "engine/feeds.h"
#include "engine/ingest.h"
#include "engine/presence.h"
#include "engine/seat.h"
#include "engine/seats.h"
#include "engine/sources.h"
#include "hub/recheck.h"

/* What a topic that nobody declares has until it is gone: it keeps nothing, and there is no owner who
 * could say that somebody may have what is still on its way. */
static const struct topic_options undeclared = {.history_size = 0, .filtered = true};

static void move_topic(void *ctx, struct topic *topic)
{
    const struct plan_topic *declared =
        plan_topic_of(ctx, atom_bytes(topic_name(topic)), NULL);
    topic_set_options(topic, declared ? &declared->options : &undeclared);
}

static void leave_undeclared(struct subscriber *subscriber)
{
    for (uint32_t i = subscriber_topic_count(subscriber);
         i-- > 0 && !subscriber_ended(subscriber);) {
        struct topic *topic = subscriber_topic(subscriber, i);
        if (topic_options(topic) == &undeclared) subscriber_lose(subscriber, topic, "reload");
    }
}

static void move_seats(struct app *app)
{
    uint32_t index = 0;
    for (struct seat *seat; (seat = seats_next(app_seats(app), &index));) {
        seat_swap(seat);
        if (seat->subscriber) leave_undeclared(seat->subscriber);
    }
}

void reload_app(struct app *app, struct generation *generation)
{
    hub_fan_out(app_hub(app));
    app_set_generation(app, generation);
    audience_swap(app_audience(app));
    hub_topics_each(app_hub(app), move_topic, (void *)app_plan(app));
    presence_swap(app_presence(app));
    hub_recheck(app_hub(app));
    move_seats(app);
    feeds_swap(app_feeds(app));
    sources_swap(app_sources(app));
    ingests_swap(app_ingests(app));
    beats_swap(app_beats(app));
}
