/* carrier: an app's triggers on their way through the cluster's bus: out, in calls that are answered, and in, to
 * the topics of its hub. Only where nodes share a Redis; a node by itself has none.
 *
 * What a call of a rule's emits is one *carriage*: all of it is published, on each server as one step, or the
 * call has failed. What nobody waits for - a window that ends, a resync - goes out at the end of the turn; if
 * that fails, its topics are told to re-read ("redis") as soon as the server is here again.
 *
 * A topic that says so (`away = "local"`) is delivered on this node while its server is away, and told to
 * re-read afterwards, so that all nodes agree again; of the others nothing is published then.
 *
 * A topic is listened to as long as it has subscribers, or one on its way in, and ten seconds more. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "engine/carriage.h"

struct atom;
struct bus;
struct carrier;
struct emission;
struct engine_ports;
struct hub;
struct terms;
struct topic_options;

struct carrier_ports {
    const struct engine_ports *ports; /* with a joint */
    struct hub *const *hub;           /* read whenever it is needed */
    struct atom *app;                 /* its name */
    /* What the running plan says of a topic of this name; NULL: nothing declares it. */
    const struct topic_options *(*options)(void *owner, struct bytes name);
    /* A trigger did not go out, or nobody knows whether it did. */
    void (*unpublished)(void *owner, struct atom *topic, const struct emission *emission);
    void *owner;
};

/* For app.c: made before the hub, which has its bus; closed before the hub goes, and freed after it. */
struct carrier *carrier_new(const struct carrier_ports *ports);
struct bus *carrier_bus(struct carrier *carrier);
void carrier_close(struct carrier *carrier);
void carrier_free(struct carrier *carrier);

/* Nothing that was published waits for its answer. */
bool carrier_idle(const struct carrier *carrier);

/* What the hub is given to emit between the two is one carriage. `done` comes later, once, unless it is given
 * up. `result` is what the call answered, for the terms, which may be NULL. */
void carrier_begin(struct carrier *carrier);
struct carriage *carrier_send(struct carrier *carrier, const struct terms *terms, struct bytes result,
                              carried_f *done, void *owner);
