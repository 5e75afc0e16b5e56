/* ports: the ports of a node, as one struct. */
#pragma once

#include "ports/clock.h"
#include "ports/fetch.h"
#include "ports/journal.h"
#include "ports/later.h"
#include "ports/log.h"
#include "ports/random.h"
#include "ports/transport.h"
#include "upstream/gate.h"

struct databases; /* engine/databases.h */
struct holdings;  /* engine/holding.h */
struct joint;     /* engine/joint.h */
struct order;     /* hub/order.h */

/* What the outside gives; shared by all apps of a node. */
struct engine_ports {
    struct clock *clock;
    struct later *later;
    struct random *random;
    struct log *log;
    struct transport *transport;
    struct fetch *fetch;
    struct gate *gate;
    struct order *order;
    struct journal *journal; /* or NULL */
    struct redis_opener *redis;  /* for sources; NULL: there are no Redis servers here */
    struct databases *databases; /* for rules' commands; NULL: they are not sent (a shadow's) */
    struct holdings *holdings;   /* NULL: this node is alone */
    struct joint *joint;         /* with other nodes; NULL: a node by itself */
};
