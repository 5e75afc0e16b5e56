/* scripts: what runs in a Redis server as one step, each in its own file core/cluster/NAME.lua. What
 * several begin with, epoch.lua, stands in front of each of them but `enter`; watermark.lua behind it, in front of what
 * the library (scripts/sluice/) does with watermarks. */
#pragma once

#include "cluster/cluster.h"

enum {
    SCRIPT_ENTER,
    SCRIPT_BEAT,
    SCRIPT_PUBLISH,
    SCRIPT_RESERVE,
    SCRIPT_LOAD,
    SCRIPT_CLAIM,
    SCRIPT_TELL,
    SCRIPT_TOPICS,
    SCRIPT_ANNOUNCE,
    SCRIPT_ANNOUNCED,
    SCRIPT_WATERMARK_TAB,
    SCRIPT_WATERMARK_RAISE,
    SCRIPT_WATERMARK_POSTED,
    SCRIPT_WATERMARK_DUE,
    SCRIPT_WATERMARK_ROW,
    SCRIPT_WATERMARK_TELL,
    SCRIPT_STRETCH,
    SCRIPT_STRETCHES,
    SCRIPT_CROWD_BEGIN,
    SCRIPT_CROWD_SAY,
    SCRIPT_CROWD_TEND,
    SCRIPT_CROWD_ASK,
    SCRIPTS
};

/* By its name; NULL: there is none of this name. */
const struct cluster_script *cluster_script_named(struct bytes name);

extern const struct cluster_script cluster_scripts[SCRIPTS];

/* A number that a script answered as digits; 0: it is none. */
uint64_t script_number(const struct redis_value *value);
