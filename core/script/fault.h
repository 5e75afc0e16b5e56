/* fault: how calls of rule code failed: counted, and one log line a failure with
 * its traceback, paced, so that a filter that fails ten thousand times a second
 * does not write ten thousand lines. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "script/task.h"

struct lua_State;
struct running;
struct vm;

/* The pace of one hook's lines. */
struct fault_pace {
    uint64_t since_ms;
    uint32_t lines;
    uint64_t kept_back;
};

/* Counts and logs how a call failed. */
void fault_report(struct vm *vm, struct running *running, enum task_end end,
                  struct lua_State *co);

/* The same for an answer that is no answer (a filter's nil); the call goes on as a no. */
void fault_note(struct vm *vm, struct running *running, const char *sentence);

/* A handler dropped its event, and says why: counted, and a warning in the same pace, but no failure. Rules in
 * the shadow of others count nothing. */
void fault_dropped(struct vm *vm, struct running *running, struct bytes why);
