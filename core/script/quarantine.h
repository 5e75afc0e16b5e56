/* quarantine: a hook that keeps costing everybody - its calls use up their time
 * slice, or the app's memory - is not run any more until the rules are loaded
 * again: its calls are answered UNKNOWN at once. A hook that merely raises, or
 * waits for too long, costs nobody anything and must work again as soon as the
 * app's server does, so that counts neither for nor against it. */
#pragma once

#include <stdbool.h>

#include "script/task.h"

struct lua_State;
struct running;
struct vm;
struct vm_hook;

/* Is it not to be run? Then this call of it is counted. Without a hook (NULL): no. */
bool quarantine_holds(struct vm *vm, const struct vm_hook *info);

/* A call has ended, and its error, if any, is logged. `answered`: it returned, or refused in words of
 * its own. The last of too many kills in a row puts its hook into quarantine, and says so in the log. */
void quarantine_judge(struct vm *vm, const struct running *running, enum task_end end,
                      bool answered, struct lua_State *co);
