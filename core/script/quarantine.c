/* quarantine: see quarantine.h. */
#include "script/quarantine.h"

#include <lua.h>

#include "script/call.h"
#include "script/quota.h"
#include "script/vm.h"
#include "script/vm_hook.h"

bool quarantine_holds(struct vm *vm, const struct vm_hook *info)
{
    if (!info || !info->quarantined) return false;
    vm_counters(vm)->held++;
    return true;
}

/* Lua's own words at the end of the error, and the quota did refuse meanwhile: an app's server that
 * answers with the same words is no reason. */
static bool is_out_of_memory(const struct vm *vm, const struct running *running, lua_State *co)
{
    static const struct bytes words = {"not enough memory", 17};
    struct bytes error = {0};
    if (vm_quota(vm)->refusals == running->refusals_before) return false;
    if (lua_type(co, -1) == LUA_TSTRING) error.data = lua_tolstring(co, -1, &error.size);
    if (error.size < words.size) return false;
    return bytes_equal(bytes_run(error.data + error.size - words.size, words.size), words);
}

static void begin(struct vm *vm, struct vm_hook *info)
{
    info->quarantined = true;
    vm_counters(vm)->quarantined++;
    LOG(vm_options(vm)->ports->log, LOG_ERROR, "rule quarantined", F_TEXT("app", vm_name(vm)),
        F_TEXT("in", info->what->text), F_TEXT("declared", info->place->text),
        F_NUMBER("kills", info->kills),
        F_TEXT("what_to_do", "it is not run any more: mend the rule, then reload"));
}

void quarantine_judge(struct vm *vm, const struct running *running, enum task_end end,
                      bool answered, lua_State *co)
{
    const uint32_t most = vm_options(vm)->quarantine_after;
    struct vm_hook *info = vm_hook_info(vm, running->call.hook);
    if (!info) return;
    if (answered) info->kills = 0;
    if (answered || info->quarantined) return;
    if (end != TASK_STOPPED && !(end == TASK_RAISED && is_out_of_memory(vm, running, co))) return;
    if (++info->kills == most) begin(vm, info);
}
