#include "script/vm_hook.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/atom.h"
#include "script/fault.h"

struct vm_hook_slot {
    struct vm_hook info;
    struct fault_pace pace;
};

void vm_hook_list_create(struct vm_hook_list *list, lua_State *L)
{
    lua_newtable(L);
    list->_functions = luaL_ref(L, LUA_REGISTRYINDEX);
}

void vm_hook_list_destroy(struct vm_hook_list *list)
{
    for (uint32_t i = 0; i < list->_count; i++) {
        atom_unref(list->_slots[i].info.what);
        atom_unref(list->_slots[i].info.place);
    }
    xfree(list->_slots);
}

hook vm_hook_add(struct vm *vm, lua_State *L, int index, const char *what, int placed)
{
    struct vm_hook_list *list = vm_hook_list(vm);
    char place[120];
    lua_Debug frame;
    lua_pushvalue(L, placed);
    lua_getinfo(L, ">S", &frame);
    snprintf(place, sizeof place, "%s:%d", frame.short_src, frame.linedefined);
    lua_rawgeti(L, LUA_REGISTRYINDEX, list->_functions);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (int)list->_count + 1);
    lua_pop(L, 1);
    if (list->_count == list->_capacity) {
        list->_capacity = list->_capacity ? list->_capacity * 2 : 16;
        list->_slots = xrealloc(list->_slots, list->_capacity * sizeof *list->_slots);
    }
    struct vm_hook_slot *slot = &list->_slots[list->_count++];
    *slot = (struct vm_hook_slot){.info = {.what = atom_of(what), .place = atom_of(place)}};
    return list->_count;
}

void vm_hook_push(struct vm *vm, lua_State *L, hook number)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_hook_list(vm)->_functions);
    lua_rawgeti(L, -1, (int)number);
    lua_remove(L, -2);
}

static struct vm_hook_slot *slot_of(struct vm *vm, hook number)
{
    const struct vm_hook_list *list = vm_hook_list(vm);
    return number && number <= list->_count ? &list->_slots[number - 1] : NULL;
}

struct vm_hook *vm_hook_info(struct vm *vm, hook number)
{
    struct vm_hook_slot *slot = slot_of(vm, number);
    return slot ? &slot->info : NULL;
}

struct fault_pace *vm_hook_pace(struct vm *vm, hook number)
{
    struct vm_hook_slot *slot = slot_of(vm, number);
    return slot ? &slot->pace : NULL;
}

void vm_hooks_each(struct vm *vm, void (*each)(void *ctx, const struct vm_hook *hook), void *ctx)
{
    const struct vm_hook_list *list = vm_hook_list(vm);
    for (uint32_t i = 0; i < list->_count; i++) each(ctx, &list->_slots[i].info);
}
