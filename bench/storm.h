/* storm: a storm of connects: connect, ask for a stream, wait for its first event (or byte), or
 * for what it missed, close; a fixed number at once, as often as the server lets them. */
#pragma once

#include <stdint.h>

#include "latency.h"
#include "loop.h"
#include "net.h"
#include "request.h"

struct storm_visit;

struct storm {
    struct loop *loop;
    struct net_targets targets;
    struct request request;
    unsigned users;       /* %d in the path runs from 0 to users - 1 and starts again */
    unsigned at_once;     /* connections under way */
    unsigned await_ready; /* as in struct streams */
    unsigned await_events;   /* so many events must come instead; 0: none */
    unsigned limit;          /* visits in all; 0: as many as the time has room for */
    struct latency *latency; /* of the visits that were served, or NULL */

    struct storm_visit *_visits;
    unsigned _begun, _under_way, _ending;
    uint64_t served;  /* got what they waited for */
    uint64_t refused; /* answered with something else than 200, or closed before */
    int refused_with; /* the last such status; 0 for closed */
};

/* Storms for so many seconds, or until the limit, then waits for those under way. The fields above
 * `_visits` are the caller's to set, the rest zero. */
void storm_run(struct storm *storm, double seconds);
