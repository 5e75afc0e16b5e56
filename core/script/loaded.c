#include "script/loaded.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/node.h"
#include "engine/reload.h"

static uint32_t live;

uint32_t loaded_live(void)
{
    return live;
}

/* What the background tasks of an earlier generation would have done is now the current one's. */
static void tell_current(const struct loaded *loaded)
{
    LIST_EACH(node, &loaded->generations) {
        const struct loaded *other = CONTAINER(node, struct loaded, generations);
        if (other->current) vm_take_up(other->vm);
    }
}

static void on_over(void *owner)
{
    struct loaded *loaded = owner;
    tell_current(loaded);
    list_remove(&loaded->generations);
    vm_free(loaded->vm);
    plan_free(loaded->plan);
    xfree(loaded);
    live--;
}

struct loaded *loaded_new(const struct vm_options *options, const char *path, struct buf *errors)
{
    struct vm *vm = vm_new(options);
    struct plan *plan = vm_load(vm, path, errors);
    if (!plan) {
        vm_free(vm);
        return NULL;
    }
    struct loaded *loaded = xcalloc(1, sizeof *loaded);
    loaded->vm = vm;
    loaded->plan = plan;
    list_create(&loaded->generations);
    loaded->generation =
        generation_new(plan, vm_hooks(vm), options->ports->later, on_over, loaded);
    live++;
    return loaded;
}

void loaded_free(struct loaded *loaded)
{
    if (loaded) generation_unref(loaded->generation);
}

struct app *loaded_add(struct loaded *loaded, struct node *node, struct buf *errors)
{
    struct app *app = node_add_app(node, loaded->generation, errors);
    if (!app) return NULL;
    loaded->current = true;
    vm_bind(loaded->vm, app);
    return app;
}

static bool admits(struct loaded *const *fresh, const struct node *node, struct buf *errors)
{
    const size_t count = node_apps(node);
    const struct plan **plans = xcalloc(count, sizeof *plans);
    for (size_t i = 0; i < count; i++) plans[i] = fresh[i] ? fresh[i]->plan : NULL;
    const bool good = node_admits(node, plans, errors);
    xfree(plans);
    return good;
}

bool loaded_swap(struct loaded **current, struct loaded *const *fresh, struct node *node,
                 struct buf *errors)
{
    if (!admits(fresh, node, errors)) return false;
    for (size_t i = 0; i < node_apps(node); i++) {
        if (!fresh[i]) continue;
        struct app *app = node_app(node, i);
        list_append(&current[i]->generations, &fresh[i]->generations);
        current[i]->current = false;
        fresh[i]->current = true;
        vm_retire(current[i]->vm);
        vm_bind(fresh[i]->vm, app);
        reload_app(app, fresh[i]->generation);
        current[i] = fresh[i];
    }
    return true;
}
