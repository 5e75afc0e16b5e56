/* bus: what carries an app's triggers between nodes, where several share the topics. A hub without one places
 * what is emitted at once; with one it hands it over and places what comes back, its own like
 * others': hub/carried.h is the way back.
 *
 * None of these may call the hub before it returns, but for queries, topic_hold and topic_let_go. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct emission; /* ports/journal.h */
struct topic;

struct bus {
    /* The server that gives the triggers of this topic their places: asked once, for a topic that is made. */
    uint8_t (*server_of)(struct bus *bus, struct bytes name);

    /* A trigger, or a resync of the topic (its type is NULL). Borrowed. It comes back by
     * topic_receive, or never. */
    void (*publish)(struct bus *bus, struct topic *topic, const struct emission *emission);

    /* A trigger that gets no place, and is the newest state of a topic that retains all the same: newcomers on all nodes
     * get it. Borrowed. It comes back by topic_load_retained, or never. */
    void (*retain)(struct bus *bus, struct topic *topic, const struct emission *emission);

    /* A trigger was lost, because this hub had no room for its topic: whoever has the topic is to re-read it. */
    void (*lose)(struct bus *bus, struct bytes name);

    /* The topic has its first subscriber here, or somebody waits for it: it is to be loaded, unless it is. */
    void (*wanted)(struct bus *bus, struct topic *topic);

    /* The last is gone, and nobody waits. Unless the bus holds it, the topic goes at the end of the turn, and
     * what was loaded with it. */
    void (*unwanted)(struct bus *bus, struct topic *topic);
};
