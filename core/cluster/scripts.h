/* scripts: what runs in a Redis server as one step, each in its own file core/cluster/NAME.lua. What
 * several begin with, epoch.lua, stands in front of each of them but `enter`. */
#pragma once

#include "cluster/cluster.h"

enum {
    SCRIPT_ENTER,
    SCRIPT_BEAT,
    SCRIPT_PUBLISH,
    SCRIPT_RESERVE,
    SCRIPT_LOAD,
    SCRIPT_CLAIM,
    SCRIPT_TOPICS,
    SCRIPT_ANNOUNCE,
    SCRIPT_ANNOUNCED,
    SCRIPTS
};

extern const struct cluster_script cluster_scripts[SCRIPTS];
