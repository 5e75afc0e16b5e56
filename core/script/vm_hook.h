/* vm_hook: the functions that a VM's rule file declared, each by its number from 1, the engine's `hook`: what it is
 * and where it stands, how it ran, whether it is run any more. The functions themselves are kept in Lua's registry. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "engine/hooks.h"

struct fault_pace;
struct lua_State;
struct vm;
struct vm_hook_slot;

/* One function that a rule file declared. */
struct vm_hook {
    struct atom *what;  /* "filter of topic user:{user}"; a reference, as the next */
    struct atom *place; /* "rules/posta.lua:12" */
    uint64_t runs, errors;
    struct histogram took; /* from the call to its end, waiting included, */
    uint64_t busy_us;      /* and what of all that it ran */
    uint32_t kills; /* in a row, see quarantine.h */
    bool quarantined;
    hook spare; /* what is run in its place in quarantine; 0: nothing */
};

/* Those of one VM. */
struct vm_hook_list {
    struct vm_hook_slot *_slots;
    uint32_t _count, _capacity;
    int _functions; /* registry reference of the table of functions */
};

/* When the VM begins to load. May raise. */
void vm_hook_list_create(struct vm_hook_list *list, struct lua_State *L);
/* Once created, or all zero. The functions go with the Lua state. */
void vm_hook_list_destroy(struct vm_hook_list *list);
struct vm_hook_list *vm_hook_list(struct vm *vm); /* vm.c's */

/* Keeps the function at the index; its number. `what` is copied; where it stands is told by
 * the function at `placed`. May raise. */
hook vm_hook_add(struct vm *vm, struct lua_State *L, int index, const char *what, int placed);
void vm_hook_push(struct vm *vm, struct lua_State *L, hook number);

/* Both good until another is added; NULL for 0. */
struct vm_hook *vm_hook_info(struct vm *vm, hook number);
struct fault_pace *vm_hook_pace(struct vm *vm, hook number);

void vm_hooks_each(struct vm *vm, void (*each)(void *ctx, const struct vm_hook *hook), void *ctx);
