/* node: one running sluice process as the engine sees it: its apps, and the
 * handler that all public listeners share. A request goes to the stream, route
 * or static directory that it names; the rest is 404, 405, 403. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/app.h"
#include "engine/census.h"
#include "engine/feeds.h"
#include "ports/exchange.h"
#include "ports/files.h"

struct node;
struct sources_counters;

struct node *node_new(const struct engine_ports *ports, const struct engine_limits *limits,
                      struct files *files);

/* Needs node_idle. Frees the apps, which let go of their generations at the end of the turn. */
void node_free(struct node *node);

/* One more app; takes the reference of its generation. NULL: a name or path clashes with another
 * app's; a line each in errors, and the generation stays the caller's. */
struct app *node_add_app(struct node *node, struct generation *generation, struct buf *errors);

/* May these be the plans of all apps from now on? False: a line each in errors, also when the node
 * drains. The doing is node_add_app's, node_remove_app's and reload_app's. */
bool node_admits(const struct node *node, const struct plan *const *plans, size_t count,
                 struct buf *errors);

/* The app is none of the node's any more: its paths are free, its streams end (reload), spread out
 * over this time, its links close; what its rules have under way ends, then it goes. */
void node_remove_app(struct node *node, struct app *app, uint64_t spread_ms);

/* Other limits from now on; nobody who is in has to go. */
void node_set_limits(struct node *node, const struct engine_limits *limits);

struct http_handler *node_handler(struct node *node);

/* No new streams (503); ends what is there, see engine/drain.h. */
void node_drain(struct node *node, uint64_t spread_ms);
bool node_draining(const struct node *node);
bool node_idle(const struct node *node);

const struct census *node_counters(const struct node *node);
uint32_t node_links(const struct node *node);

/* What all apps counted, those that are gone too. */
void node_sum(const struct node *node, struct hub_counters *hub, struct feeds_counters *feeds);
void node_sum_sources(const struct node *node, struct sources_counters *sources);

size_t node_apps(const struct node *node);
struct app *node_app(const struct node *node, size_t index);
