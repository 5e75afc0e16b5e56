#include "engine/app.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/attach.h"
#include "engine/audience.h"
#include "engine/beats.h"
#include "engine/carrier.h"
#include "engine/drain.h"
#include "engine/everywhere.h"
#include "engine/feeds.h"
#include "engine/finals.h"
#include "engine/generation.h"
#include "engine/ingest.h"
#include "engine/presence.h"
#include "engine/review.h"
#include "engine/rows.h"
#include "engine/seats.h"
#include "engine/shadow.h"
#include "engine/snapshots.h"
#include "engine/sources.h"
#include "engine/stretches.h"
#include "engine/verdicts.h"

struct app {
    const struct engine_ports *ports;
    const struct engine_limits *limits;
    struct census *census;
    struct generation *generation;
    struct hub *hub;
    struct store *store;
    struct explain explain;
    struct rule_verdicts verdicts;
    struct rule_snapshots snapshots;
    struct audience audience;
    struct feeds feeds;
    struct sources sources;
    struct ingests ingests;
    struct seats seats;
    struct list arrivals;
    struct finals finals;
    struct everywhere everywhere;
    struct beats beats;
    struct presence presence;
    struct drain drain;
    struct reviews reviews;
    struct carrier *carrier; /* NULL: a node by itself */
    struct stretches *stretches; /* likewise */
    struct rows *rows;           /* likewise */
    struct shadow *shadow; /* or NULL */
    uint32_t visits;
};

static const struct topic_options *options_of(void *owner, struct bytes name)
{
    const struct plan_topic *declared = app_topic(owner, name, NULL);
    return declared ? &declared->options : NULL;
}

static void note_unpublished(void *owner, struct atom *topic, const struct emission *emission)
{
    struct app *app = owner;
    explain_unpublished(&app->explain, topic, emission);
}

struct app *app_new(const struct engine_ports *ports, const struct engine_limits *limits,
                    struct census *census, struct generation *generation)
{
    struct app *app = xcalloc(1, sizeof(*app));
    app->ports = ports;
    app->limits = limits;
    app->census = census;
    app->generation = generation;
    explain_create(&app->explain, &limits->explain, ports->clock, ports->journal);
    rule_verdicts_create(&app->verdicts, app, &app->audience);
    rule_snapshots_create(&app->snapshots, ports->later, &app->generation);
    const struct carrier_ports carrier_ports = {ports, &app->hub, generation_plan(generation)->app,
                                                options_of, note_unpublished, app};
    if (ports->joint) {
        app->carrier = carrier_new(&carrier_ports);
        app->stretches = stretches_new(ports, &app->hub, carrier_ports.app);
    }
    const struct hub_ports hub_ports = {.clock = ports->clock,
                                        .later = ports->later,
                                        .random = ports->random,
                                        .log = ports->log,
                                        .order = ports->order,
                                        .verdicts = &app->verdicts.port,
                                        .snapshots = &app->snapshots.port,
                                        .journal = explain_journal(&app->explain),
                                        .attendance = &app->presence.port,
                                        .stretches = app->stretches ? stretches_watcher(app->stretches) : NULL,
                                        .bus = app->carrier ? carrier_bus(app->carrier) : NULL};
    app->hub = hub_new(&hub_ports, &limits->hub);
    const struct audience_ports audience_ports = {.clock = ports->clock,
                                                  .later = ports->later,
                                                  .log = ports->log,
                                                  .hub = app->hub,
                                                  .explain = &app->explain,
                                                  .generation = &app->generation,
                                                  .permits_max = &limits->audience_permits};
    audience_create(&app->audience, &audience_ports);
    app->store = store_new(ports->clock, limits->store_entries, limits->store_bytes);
    if (ports->joint) app->rows = rows_new(ports, app->store, carrier_ports.app);
    feeds_create(&app->feeds, app);
    ingests_create(&app->ingests, app);
    app->seats = SEATS_EMPTY;
    list_create(&app->arrivals);
    finals_create(&app->finals);
    everywhere_create(&app->everywhere, app);
    beats_start(&app->beats, app);
    presence_create(&app->presence, ports, app->hub, &app->generation, &limits->presence_entries);
    drain_create(&app->drain, app);
    reviews_create(&app->reviews, app);
    sources_create(&app->sources, app);
    sources_swap(&app->sources);
    return app;
}

bool app_idle(const struct app *app)
{
    return app->seats.count == 0 && !drain_busy(&app->drain) && feeds_idle(&app->feeds) &&
           sources_idle(&app->sources) && app->visits == 0 && presence_idle(&app->presence) &&
           hub_idle(app->hub) && (!app->carrier || carrier_idle(app->carrier));
}

void app_free(struct app *app)
{
    CHECK(app_idle(app) && !app->shadow);
    everywhere_destroy(&app->everywhere);
    beats_stop(&app->beats);
    presence_destroy(&app->presence);
    reviews_destroy(&app->reviews);
    feeds_destroy(&app->feeds);
    sources_destroy(&app->sources);
    ingests_destroy(&app->ingests);
    audience_destroy(&app->audience);
    if (app->carrier) carrier_close(app->carrier);
    hub_free(app->hub);
    if (app->carrier) carrier_free(app->carrier);
    if (app->stretches) stretches_free(app->stretches);
    seats_destroy(&app->seats);
    finals_destroy(&app->finals);
    if (app->rows) rows_free(app->rows);
    store_free(app->store);
    rule_snapshots_destroy(&app->snapshots);
    rule_verdicts_destroy(&app->verdicts);
    explain_destroy(&app->explain);
    generation_unref(app->generation);
    xfree(app);
}

struct topic *app_topic_open(struct app *app, struct bytes name)
{
    struct topic *topic = hub_topic_find(app->hub, name);
    if (topic && topic_options(topic)->owner) return topic; /* without: a reload has undeclared it */
    const struct plan_topic *declared = app_topic(app, name, NULL);
    topic = declared ? hub_topic(app->hub, name, &declared->options) : NULL;
    if (!topic)
        LOG(app->ports->log, LOG_ERROR, "a topic cannot be had", F_BYTES("topic", name),
            F_TEXT("why", declared ? "too many topics" : "no app:topic declares it"));
    return topic;
}

/* A trigger whose topic cannot be had. */
static void lose(struct app *app, const struct app_emit *lost)
{
    const struct emit *emit = &lost->emit;
    struct atom *type = lost->resync ? NULL : atom_get(emit->type);
    explain_lost(&app->explain, lost->name,
                 &(struct emission){.type = type, .data = emit->data, .cause = emit->cause});
    atom_unref(type);
    hub_lose(app->hub, lost->name);
}

void app_emit(struct app *app, const struct app_emit *emits, size_t count)
{
    if (app->shadow && count) shadow_emitted(app->shadow, emits[0].event, emits, count);
    for (size_t i = 0; i < count; i++) {
        struct topic *topic = app_topic_open(app, emits[i].name);
        explain_emitted(&app->explain, emits[i].emit.cause, 1);
        if (!topic)
            lose(app, &emits[i]);
        else if (emits[i].resync)
            topic_resync(topic, emits[i].resync, emits[i].emit.cause);
        else
            topic_emit(topic, &emits[i].emit);
    }
}

bool app_publishes(const struct app *app)
{
    return app->carrier != NULL;
}

struct carriage *app_publish(struct app *app, const struct app_emit *emits, size_t count,
                             const struct terms *terms, struct bytes result, carried_f *done,
                             void *owner)
{
    carrier_begin(app->carrier);
    app_emit(app, emits, count);
    return carrier_send(app->carrier, terms, result, done, owner);
}

struct plan_topic *app_topic(struct app *app, struct bytes name, struct pattern_match *match)
{
    return plan_topic_of(app_plan(app), name, match);
}

uint32_t app_disconnect(struct app *app, struct bytes user, struct bytes tag,
                        const struct farewell *farewell)
{
    return everywhere_disconnect(&app->everywhere, user, tag, farewell);
}

static bool see_one(void *ctx, struct subscriber *subscriber)
{
    (void)subscriber;
    *(bool *)ctx = true;
    return false;
}

bool app_tab_open(struct app *app, struct atom *user, struct atom *tag)
{
    bool open = false;
    hub_subscribers_each(app->hub, user, tag, see_one, &open);
    return open;
}

void app_links_each(struct app *app,
                    void (*each)(void *ctx, const struct plan_upstream *upstream,
                                 struct bytes key, struct link *link),
                    void *ctx)
{
    feeds_each(&app->feeds, each, ctx);
}

void app_visit_began(struct app *app)
{
    app->visits++;
}

void app_visit_ended(struct app *app)
{
    app->visits--;
}

struct carrier *app_carrier(struct app *app)
{
    return app->carrier;
}

struct audience *app_audience(struct app *app)
{
    return &app->audience;
}

struct hub *app_hub(struct app *app)
{
    return app->hub;
}

struct store *app_store(struct app *app)
{
    return app->store;
}

const struct plan *app_plan(const struct app *app)
{
    return generation_plan(app->generation);
}

const struct engine_ports *app_ports(const struct app *app)
{
    return app->ports;
}

const struct engine_limits *app_limits(const struct app *app)
{
    return app->limits;
}

struct drain *app_drain(struct app *app)
{
    return &app->drain;
}

struct beats *app_beats(struct app *app)
{
    return &app->beats;
}

void app_set_generation(struct app *app, struct generation *generation)
{
    generation_unref(app->generation);
    app->generation = generation;
}

struct generation *app_generation(const struct app *app)
{
    return app->generation;
}

struct feeds *app_feeds(struct app *app)
{
    return &app->feeds;
}

struct presence *app_presence(struct app *app)
{
    return &app->presence;
}

struct ingests *app_ingests(struct app *app)
{
    return &app->ingests;
}

struct reviews *app_reviews(struct app *app)
{
    return &app->reviews;
}

struct everywhere *app_everywhere(struct app *app)
{
    return &app->everywhere;
}

struct finals *app_finals(struct app *app)
{
    return &app->finals;
}

struct list *app_arrivals(struct app *app)
{
    return &app->arrivals;
}

struct seats *app_seats(struct app *app)
{
    return &app->seats;
}

struct sources *app_sources(struct app *app)
{
    return &app->sources;
}

struct stretches *app_stretches(struct app *app)
{
    return app->stretches;
}

struct shadow *app_shadow(const struct app *app)
{
    return app->shadow;
}

void app_set_shadow(struct app *app, struct shadow *shadow)
{
    app->shadow = shadow;
}

struct explain *app_explain(struct app *app)
{
    return &app->explain;
}

struct census *app_census(struct app *app)
{
    return app->census;
}
