/* commands: the module's functions that speak for the Redis servers of a rig. */
#pragma once

#include <lua.h>

/* Adds them to the table on top. */
void rig_commands_register(lua_State *L);
