/* app: one application at run time: its rules, the current generation (which a
 * reload replaces), and its state (which stays): hub, links, store, timers. The
 * face that the script border's bindings call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "engine/emit.h"
#include "engine/explain.h"
#include "engine/hooks.h"
#include "engine/ports.h"
#include "engine/toll.h"
#include "hub/hub.h"
#include "hub/store.h"
#include "hub/subscriber.h"
#include "plan/plan.h"

struct engine_limits {
    uint32_t streams;          /* per node; above: refused */
    uint32_t streams_per_user; /* 0: no bound of its own */
    uint32_t links;
    uint64_t drain_patience_ms; /* that a drain gives who is slow to take what waits for him */
    struct toll_limits toll;
    struct hub_limits hub;
    uint32_t audience_permits; /* answers of audiences that an app keeps */
    uint32_t store_entries;
    size_t store_bytes;
    uint32_t presence_entries; /* a user on a topic is one */
    struct explain_limits explain;
};

struct app;
struct audience;
struct carrier;
struct beats;
struct census;
struct drain;
struct everywhere;
struct farewell;
struct feeds;
struct finals;
struct generation;
struct ingests;
struct presence;
struct reviews;
struct shadow;
struct seats;
struct stretches;
struct sources;

/* For engine/reload.h alone; takes the reference of the generation. */
void app_set_generation(struct app *app, struct generation *generation);

/* Counts the requests for routes and ingests that are under way, which a drain waits for. */
void app_visit_began(struct app *app);
void app_visit_ended(struct app *app);

/* Takes the reference of the generation. */
struct app *app_new(const struct engine_ports *ports, const struct engine_limits *limits,
                    struct census *census, struct generation *generation);

/* No seat, link, visit or trigger is under way, and no handler of what a link brought. */
bool app_idle(const struct app *app);

/* Needs app_idle. Lets go of its generation. */
void app_free(struct app *app);

struct audience *app_audience(struct app *app);
struct carrier *app_carrier(struct app *app); /* NULL: a node by itself */
struct hub *app_hub(struct app *app);
struct generation *app_generation(const struct app *app);
struct beats *app_beats(struct app *app);
struct drain *app_drain(struct app *app);
struct everywhere *app_everywhere(struct app *app);
struct feeds *app_feeds(struct app *app);
struct finals *app_finals(struct app *app);
struct list *app_arrivals(struct app *app); /* engine/attach.h's: seats on their way in */
struct presence *app_presence(struct app *app);
struct ingests *app_ingests(struct app *app);
struct reviews *app_reviews(struct app *app);
struct seats *app_seats(struct app *app);
struct sources *app_sources(struct app *app);
struct stretches *app_stretches(struct app *app); /* NULL: a node by itself */
struct census *app_census(struct app *app);
struct explain *app_explain(struct app *app);

/* engine/shadow.h sets it; NULL: there is none. */
struct shadow *app_shadow(const struct app *app);
void app_set_shadow(struct app *app, struct shadow *shadow);

const struct engine_limits *app_limits(const struct app *app);

struct store *app_store(struct app *app);
const struct plan *app_plan(const struct app *app);
const struct engine_ports *app_ports(const struct app *app);

/* The declaration of this name in the running plan, or NULL. */
struct plan_topic *app_topic(struct app *app, struct bytes name, struct pattern_match *match);

/* The hub's topic of this name, made by its declaration if it is not there. NULL: it cannot be had,
 * which is logged. */
struct topic *app_topic_open(struct app *app, struct bytes name);

/* Ends a user's streams (tag's data NULL: all of them; user's: everybody's), after what was published
 * so far; those too that are on their way in and whose identity is known. Returns how many; in a cluster those of other
 * nodes are ended, too, and not counted: engine/everywhere.h. */
uint32_t app_disconnect(struct app *app, struct bytes user, struct bytes tag,
                        const struct farewell *farewell);

/* Does this user have a stream with this tag now? */
bool app_tab_open(struct app *app, struct atom *user, struct atom *tag);

/* Links of one upstream: calls back with each key and its state. */
void app_links_each(struct app *app, void (*each)(void *ctx, const struct plan_upstream *upstream,
                                                  struct bytes key, struct link *link),
                    void *ctx);
