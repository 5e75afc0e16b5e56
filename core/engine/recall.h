/* recall: tells topics of an app to re-read, wherever in the cluster they are: those that a node has subscribers of,
 * and those that somebody may come back to. The servers know which there are, so each is asked first; one that is
 * away is asked again. What comes in quick succession is one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cluster.h"
#include "ports/clock.h"

struct carrier;
struct recall;
struct topic_options;

struct recall_ask {
    struct recall *_recall;
    struct cluster_call *_call; /* NULL: none is under way */
};

struct recall {
    struct carrier *_carrier;
    struct clock *_clock;
    bool (*_concerns)(struct recall *recall, const struct topic_options *options);
    const char *_reason;
    uint32_t _due; /* servers that are to be asked, a bit each */
    uint64_t _last_ms;
    struct timer _timer;
    struct recall_ask _asks[CLUSTER_SERVERS];
};

/* `concerns`: is the topic with these options one of those? */
void recall_create(struct recall *recall, struct carrier *carrier, struct clock *clock,
                   bool (*concerns)(struct recall *recall, const struct topic_options *options));
void recall_destroy(struct recall *recall); /* what was not told is not told any more */

/* The reason is a static word. */
void recall_begin(struct recall *recall, const char *reason);
