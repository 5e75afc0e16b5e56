#include "script/loaded.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/node.h"
#include "engine/reload.h"
#include "engine/shadow.h"

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
    clock_cancel(vm_options(loaded->vm)->ports->clock, &loaded->end);
    tell_current(loaded);
    list_remove(&loaded->generations);
    vm_free(loaded->vm);
    plan_free(loaded->plan);
    xfree(loaded);
    live--;
}

static void on_end(struct timer *timer)
{
    vm_shut(CONTAINER(timer, struct loaded, end)->vm);
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
    timer_init(&loaded->end, on_end);
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

static bool admits(const struct loaded_change *changes, size_t count, const struct node *node,
                   struct buf *errors)
{
    const struct plan **plans = xcalloc(count, sizeof *plans);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (changes[i].fresh) plans[kept++] = changes[i].fresh->plan;
    const bool good = node_admits(node, plans, kept, errors);
    xfree(plans);
    return good;
}

/* Its app is under other rules now, or goes. */
static void retire(struct loaded *loaded)
{
    const struct vm_options *options = vm_options(loaded->vm);
    loaded->current = false;
    vm_retire(loaded->vm);
    clock_after(options->ports->clock, &loaded->end, options->end_ms);
}

static void replace(struct loaded *current, struct loaded *fresh)
{
    struct app *app = vm_app(current->vm);
    list_append(&current->generations, &fresh->generations);
    fresh->current = true;
    retire(current);
    vm_bind(fresh->vm, app);
    reload_app(app, fresh->generation);
}

bool loaded_apply(const struct loaded_change *changes, size_t count, struct node *node,
                  uint64_t spread_ms, struct buf *errors)
{
    if (!admits(changes, count, node, errors)) return false;
    for (size_t i = 0; i < count; i++) {
        struct loaded *current = changes[i].current, *fresh = changes[i].fresh;
        if (current && !fresh) {
            retire(current);
            node_remove_app(node, vm_app(current->vm), spread_ms);
        } else if (current && fresh != current) {
            replace(current, fresh);
        }
    }
    for (size_t i = 0; i < count; i++)
        if (!changes[i].current) CHECK(loaded_add(changes[i].fresh, node, errors));
    return true;
}

void loaded_shadow(struct loaded *loaded, struct app *app)
{
    loaded->shadow = shadow_new(app, loaded->generation);
    vm_bind_shadow(loaded->vm, app, loaded->shadow);
}

void loaded_unshadow(struct loaded *loaded)
{
    vm_retire(loaded->vm);
    shadow_free(loaded->shadow);
}
