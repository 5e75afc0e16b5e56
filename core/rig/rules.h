/* rules: the module's functions that load rule files into a world, reload them, and
 * let some run in the shadow of others. */
#pragma once

#include <lua.h>

/* Adds them to the table on top. */
void rig_rules_register(struct lua_State *L);
