/* fault: see fault.h. */
#include "script/fault.h"

#include <lauxlib.h>
#include <lua.h>

#include "base/buf.h"
#include "engine/census.h"
#include "script/call.h"
#include "script/cause.h"
#include "script/quota.h"
#include "script/raise.h"
#include "script/values.h"
#include "script/vm.h"
#include "script/vm_hook.h"

enum { TRACE_LEVELS = 12 };

struct report {
    lua_State *co;
    enum task_end end;
    struct vm *vm;
    const struct running *running;
    struct buf error, trace;
};

static void add_frames(struct report *report)
{
    lua_Debug frame;
    unsigned shown = 0;
    for (int level = 0; shown < TRACE_LEVELS && lua_getstack(report->co, level, &frame); level++) {
        lua_getinfo(report->co, "Sl", &frame);
        if (frame.currentline < 0) frame.currentline = frame.linedefined; /* no memory: it is lost */
        if (!raise_is_rule(&frame)) continue;
        buf_printf(&report->trace, "%s%s:%d", shown++ ? " < " : "", frame.short_src,
                   frame.currentline);
    }
}

static void add_error(struct report *report)
{
    const struct vm_options *options = vm_options(report->vm);
    lua_State *co = report->co;
    int status;
    const char *code, *message;
    switch (report->end) {
    case TASK_STOPPED:
        if (*vm_tasks(report->vm)->stopped_at) /* else every frame is gone, in tail calls */
            buf_printf(&report->error, "%s: ", vm_tasks(report->vm)->stopped_at);
        buf_printf(&report->error, "stopped: ran for more than %u ms without a pause",
                   options->slice_ms);
        return;
    case TASK_LATE:
        buf_printf(&report->error, "killed: not done after its deadline of %llu ms",
                   (unsigned long long)report->running->deadline_ms);
        return;
    case TASK_REFUSED:
        buf_printf(&report->error,
                   "not begun: %u tasks are alive, %u at most, %zu bytes used of %zu",
                   vm_tasks(report->vm)->alive, options->tasks_max,
                   vm_quota(report->vm)->used_bytes, vm_quota(report->vm)->limit_bytes);
        return;
    default:
        break;
    }
    if (lua_type(co, -1) == LUA_TSTRING)
        buf_add_text(&report->error, lua_tostring(co, -1));
    else if (refusal_read(co, -1, &status, &code, &message))
        buf_add_text(&report->error, message);
    else
        buf_printf(&report->error, "an error that is a %s", luaL_typename(co, -1));
}

/* One line a failure, five in ten seconds a hook; how many were kept back stands in the next. */
static bool paced(struct fault_pace *pace, uint64_t now_ms, uint64_t *kept_back)
{
    enum { WINDOW_MS = 10000, LINES = 5 };
    if (now_ms - pace->since_ms >= WINDOW_MS)
        *pace = (struct fault_pace){now_ms, 0, pace->kept_back};
    if (pace->lines >= LINES) {
        pace->kept_back++;
        return false;
    }
    pace->lines++;
    *kept_back = pace->kept_back;
    pace->kept_back = 0;
    return true;
}

static void write_line(struct vm *vm, struct running *running, struct report *report)
{
    struct vm_hook *info = vm_hook_info(vm, running->call.hook);
    const struct engine_ports *ports = vm_options(vm)->ports;
    uint64_t kept_back;
    if (vm_is_shut(vm)) return; /* vm_shut says it for all of them */
    if (!paced(vm_pace(vm, running->call.hook), ports->clock->now_ms, &kept_back)) return;
    LOG(ports->log, LOG_ERROR, "rule failed", F_TEXT("app", vm_name(vm)),
        F_TEXT("in", info ? info->what->text : running->what),
        F_TEXT("declared", info ? info->place->text : "the library"),
        F_BYTES("error", buf_bytes(&report->error)), F_TEXT("traceback", buf_text(&report->trace)),
        F_NUMBER("kept_back", kept_back));
}

static void count(struct vm *vm, struct running *running, enum task_end end)
{
    struct vm_counters *counters = vm_counters(vm);
    struct vm_hook *info = vm_hook_info(vm, running->call.hook);
    if (info) info->errors++;
    switch (end) {
    case TASK_STOPPED:
        counters->stopped++;
        break;
    case TASK_LATE:
        counters->late++;
        break;
    case TASK_REFUSED:
        counters->refused++;
        break;
    default:
        counters->errors++;
    }
}

void fault_report(struct vm *vm, struct running *running, enum task_end end, lua_State *co)
{
    struct report report = {co, end, vm, running, BUF_EMPTY, BUF_EMPTY};
    count(vm, running, end);
    add_error(&report);
    cause_failed(running, buf_bytes(&report.error));
    if (co) add_frames(&report);
    write_line(vm, running, &report);
    buf_destroy(&report.error);
    buf_destroy(&report.trace);
}

void fault_note(struct vm *vm, struct running *running, const char *sentence)
{
    struct report report = {NULL, TASK_RETURNED, vm, running, BUF_EMPTY, BUF_EMPTY};
    count(vm, running, TASK_RAISED);
    buf_add_text(&report.error, sentence);
    write_line(vm, running, &report);
    buf_destroy(&report.error);
    buf_destroy(&report.trace);
}

void fault_dropped(struct vm *vm, struct running *running, struct bytes why)
{
    struct vm_hook *info = vm_hook_info(vm, running->call.hook);
    const struct engine_ports *ports = vm_options(vm)->ports;
    uint64_t kept_back;
    if (!vm_shadow(vm)) app_census(vm_app(vm))->events_dropped++;
    if (!paced(vm_pace(vm, running->call.hook), ports->clock->now_ms, &kept_back)) return;
    LOG(ports->log, LOG_WARN, "event dropped", F_TEXT("app", vm_name(vm)),
        F_TEXT("in", info ? info->what->text : running->what), F_BYTES("why", why),
        F_NUMBER("kept_back", kept_back));
}
