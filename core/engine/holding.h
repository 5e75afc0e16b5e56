/* holding: what one node does for all nodes of a cluster, at a time, as the engine asks for it: a name is wished,
 * and one of those who wish it holds it. A node that is alone has none of this in its ports and holds
 * whatever it likes. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct holding;
struct terms;

/* Never from within `wish`. */
struct holding_events {
    void (*held)(void *owner);
    void (*lost)(void *owner, const char *why); /* nothing more may be done in its name; it is wished again by itself */
};

struct holdings {
    struct holding *(*wish)(struct holdings *holdings, struct bytes name,
                            const struct holding_events *events, void *owner);

    /* By the clock as it is now: who was stopped for a while asks before beginning anything. */
    bool (*holds)(const struct holding *holding);

    /* In whose name that is published which is begun for it now, while it is held (engine/terms.h). The claim's name is
     * borrowed from the holding; size 0: in nobody's. */
    void (*terms)(const struct holding *holding, struct terms *terms);

    /* Not wished any more; another may have it at once. No event comes any more. */
    void (*give_up)(struct holding *holding);
};
