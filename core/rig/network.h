/* network: the module's functions that answer the core's requests and speak for
 * its upstreams. */
#pragma once

#include <lua.h>

/* Adds them to the table on top. */
void rig_network_register(lua_State *L);
