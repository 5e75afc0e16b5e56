/* carrier_state: what a carrier is made of, for its rooms: carrier.c (what goes out), in carriages (carriage.c), and
 * carrier_in.c (what comes, what is listened to, and what is owed). */
#pragma once

#include "base/dict.h"
#include "base/list.h"
#include "engine/carrier.h"
#include "engine/joint.h"
#include "hub/carried.h"
#include "hub/hub.h"
#include "ports/bus.h"

/* What the log is told once a minute, however often it is so. */
enum carrier_said { SAID_REFUSED, SAID_UNREAD, SAID_OWED, SAID_FORGOTTEN, SAID };

struct carrier {
    struct bus port;
    struct carrier_ports ports;
    struct joint *joint; /* of these */
    struct joint_member member;
    struct list carriages;    /* not answered yet */
    struct carriage *loading; /* of the call whose emits are being handed over */
    struct carriage *loose;   /* of nobody's; leaves at the end of the turn */
    struct job job;
    struct dict owed; /* topics that must be told to re-read, by name: struct owed */
    struct timer owing;
    uint64_t failed;  /* triggers that were not published */
    uint64_t said_ms[SAID]; /* to the log, of each kind: not before this again */
};

/* ---- carrier.c ---- */

void carrier_out_create(struct carrier *carrier);
void carrier_out_destroy(struct carrier *carrier);

/* As ports/bus.h's publish, and its retain. */
void carrier_out(struct bus *port, struct topic *topic, const struct emission *emission);
void carrier_retain(struct bus *port, struct topic *topic, const struct emission *emission);

/* A resync of the topic, which need not be here. */
void carrier_resync(struct carrier *carrier, struct bytes name, const char *reason);

/* ---- carrier_in.c ---- */

/* What the topic is called on the trunk: "APP:NAME". */
void carrier_name(const struct carrier *carrier, struct bytes topic, struct buf *out);
uint8_t carrier_server_of(struct bus *port, struct bytes name);

/* What a parcel is made of, with references of its own, which carrier_drop lets go of; its bytes are the parcel's.
 * False: it is none. */
bool carrier_unpack(const struct carrier *carrier, struct bytes parcel, struct emission *emission);
void carrier_drop(const struct emission *emission);

/* May it be said to the log now? Then it is, and not again for a while. */
bool carrier_says(struct carrier *carrier, enum carrier_said what);

/* The topic is told to re-read as soon as its server is here. */
void carrier_owe(struct carrier *carrier, struct atom *topic, uint32_t server);
