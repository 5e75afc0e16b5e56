#include "server/rules.h"

#include <glob.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/node.h"
#include "engine/shadow.h"
#include "script/channels.h"
#include "script/loaded.h"
#include "script/vm_hook.h"
#include "server/config.h"
#include "server/places.h"

struct rule_file {
    char *path;
    struct loaded *loaded;
};

/* One app a file, in the order of the config. */
struct rule_files {
    struct rule_file *items;
    size_t count;
};

struct rules {
    const struct config *config;
    const struct engine_ports *ports;
    struct node *node;
    char *scripts; /* where the Lua library is */
    struct rule_files files;
    struct shadow_ports *shadow_ports;
    struct rule_files shadows; /* of running apps; none: nothing is shadowed */
    uint32_t generation;
    bool failed;
};

static void files_destroy(struct rule_files *files)
{
    for (size_t i = 0; i < files->count; i++) xfree(files->items[i].path);
    xfree(files->items);
    *files = (struct rule_files){NULL, 0};
}

/* ---- loading ---- */

static double seconds(uint64_t ms)
{
    return (double)ms / 1000;
}

static struct loaded *load_file(const struct engine_ports *ports, const struct config *config,
                                const char *scripts, const char *path, struct buf *errors)
{
    const struct vm_standard standards[] = {
        {"heartbeat", seconds(config->heartbeat_ms)},
        {"retry", seconds(config->retry_ms)},
        {"stall_timeout", seconds(config->stall_timeout_ms)},
        {"verdict_timeout", seconds(config->verdict_timeout_ms)},
        {"handler_deadline", seconds(config->handler_deadline_ms)},
        {"queue_frames", (double)config->queue_frames},
        {"queue_bytes", (double)config->queue_bytes},
        {"replay_max", (double)config->replay_max},
        {"http_timeout", seconds(config->http_timeout_ms)},
        {"http_answer_bytes", (double)config->http_answer_bytes},
        {NULL, 0},
    };
    const struct vm_options options = {.ports = ports,
                                       .scripts_dir = scripts,
                                       .memory_bytes = config->app_memory_bytes,
                                       .slice_ms = (uint32_t)config->handler_slice_ms,
                                       .deadline_ms = (uint32_t)config->handler_deadline_ms,
                                       .end_ms = (uint32_t)config->reload_deadline_ms,
                                       .standards = standards,
                                       .redis = config->redis.count ? config->redis.items[0] : NULL,
                                       .tasks_max = 100000,
                                       .background_max = 10000,
                                       .quarantine_after = (uint32_t)config->quarantine_after};
    return loaded_new(&options, path, errors);
}

static void add_file(struct rule_files *files, const char *path)
{
    files->items = xrealloc(files->items, (files->count + 1) * sizeof(struct rule_file));
    files->items[files->count++] = (struct rule_file){xstrdup(path), NULL};
}

/* The files that the config's paths and globs name now. */
static bool find_files(const struct config *config, struct rule_files *files, struct buf *errors)
{
    bool good = true;
    for (size_t i = 0; i < config->rules.count; i++) {
        const char *item = config->rules.items[i];
        char *pattern = config_resolve(config, item);
        glob_t matches;
        const bool found = glob(pattern, 0, NULL, &matches) == 0;
        if (!found)
            buf_printf(errors, "%s: rules: no file matches \"%s\"\n", config->path, item);
        for (size_t k = 0; found && k < matches.gl_pathc; k++) add_file(files, matches.gl_pathv[k]);
        globfree(&matches);
        xfree(pattern);
        good = good && found;
    }
    return good;
}

/* The one that declares this app, of the first `count`; NULL: none. */
static const struct rule_file *file_of(const struct rule_files *files, size_t count,
                                       const struct plan *plan)
{
    for (size_t i = 0; i < count; i++)
        if (files->items[i].loaded->plan->app == plan->app) return &files->items[i];
    return NULL;
}

/* The plan knows where each declaration stands; which file an app is in is only known here. */
static bool is_new_app(const struct rule_files *files, size_t index, struct buf *errors)
{
    const struct rule_file *file = &files->items[index];
    const struct rule_file *other = file_of(files, index, file->loaded->plan);
    if (other)
        buf_printf(errors, "%s: the app \"%s\" is declared already, in %s\n", file->path,
                   file->loaded->plan->app->text, other->path);
    return !other;
}

static void unload(struct rule_files *files)
{
    for (size_t i = 0; i < files->count; i++) loaded_free(files->items[i].loaded);
}

/* All of them, so that one look finds every fault; false: none stays loaded. */
static bool load_files(const struct engine_ports *ports, const struct config *config,
                       const char *scripts, struct rule_files *files, struct buf *errors)
{
    const size_t before = errors->size;
    for (size_t i = 0; i < files->count; i++)
        files->items[i].loaded =
            load_file(ports, config, scripts, files->items[i].path, errors);
    for (size_t i = 0; i < files->count && errors->size == before; i++)
        is_new_app(files, i, errors);
    if (errors->size == before) return true;
    unload(files);
    return false;
}

/* The apps are found again by their names, whatever file they are in. */
static bool let_take_over(const struct rules *rules, const struct rule_files *fresh,
                          uint64_t spread_ms, struct buf *errors)
{
    const struct rule_files *running = &rules->files;
    struct loaded_change *changes =
        xcalloc(running->count + fresh->count, sizeof(struct loaded_change));
    size_t count = 0;
    for (size_t i = 0; i < running->count; i++) {
        struct loaded *current = running->items[i].loaded;
        const struct rule_file *file = file_of(fresh, fresh->count, current->plan);
        changes[count++] = (struct loaded_change){current, file ? file->loaded : NULL};
    }
    for (size_t i = 0; i < fresh->count; i++)
        if (!file_of(running, running->count, fresh->items[i].loaded->plan))
            changes[count++] = (struct loaded_change){NULL, fresh->items[i].loaded};
    const bool good = loaded_apply(changes, count, rules->node, spread_ms, errors);
    xfree(changes);
    return good;
}

/* Are the fresh files what was shadowed? Those of apps that were not running are not asked. */
static bool are_shadowed(const struct rules *rules, const struct rule_files *fresh,
                         struct buf *errors)
{
    const size_t before = errors->size;
    for (size_t i = 0; i < fresh->count; i++) {
        const struct rule_file *file = &fresh->items[i];
        const struct rule_file *shadow =
            file_of(&rules->shadows, rules->shadows.count, file->loaded->plan);
        if (shadow && vm_digest(shadow->loaded->vm) != vm_digest(file->loaded->vm))
            buf_printf(errors, "%s: is not what was shadowed: it, or a file that it requires, has "
                               "changed since; shadow it again\n",
                       file->path);
    }
    return errors->size == before;
}

/* Reads the files of a config; false: a line a fault, and nothing is kept. */
static bool read_files(const struct config *config, const struct engine_ports *ports,
                       char **scripts, struct rule_files *files, struct buf *errors)
{
    *files = (struct rule_files){NULL, 0};
    *scripts = places_scripts(config, errors);
    if (*scripts && find_files(config, files, errors) &&
        load_files(ports, config, *scripts, files, errors))
        return true;
    files_destroy(files);
    xfree(*scripts);
    return false;
}

bool rules_reload(struct rules *rules, const struct config *config, bool promote,
                  struct buf *errors)
{
    struct rule_files fresh;
    char *scripts;
    if (!read_files(config, rules->ports, &scripts, &fresh, errors)) return false;
    if ((promote && !are_shadowed(rules, &fresh, errors)) ||
        !let_take_over(rules, &fresh, config->drain_spread_ms, errors)) {
        unload(&fresh);
        files_destroy(&fresh);
        xfree(scripts);
        return false;
    }
    rules_unshadow(rules);
    files_destroy(&rules->files);
    xfree(rules->scripts);
    rules->files = fresh;
    rules->scripts = scripts;
    rules->config = config;
    rules->generation++;
    return true;
}

/* ---- in the shadow ---- */

/* Is there anything to shadow? */
static bool is_one_running(const struct rules *rules, const struct rule_files *fresh,
                           struct buf *errors)
{
    for (size_t i = 0; i < fresh->count; i++)
        if (file_of(&rules->files, rules->files.count, fresh->items[i].loaded->plan)) return true;
    buf_add_text(errors, "no file declares an app that runs here (there is:");
    for (size_t i = 0; i < rules->files.count; i++)
        buf_printf(errors, "%s \"%s\"", i ? "," : "", rules->files.items[i].loaded->plan->app->text);
    buf_add_text(errors, "): nothing to shadow; a reload starts a new app\n");
    return false;
}

bool rules_shadow(struct rules *rules, const struct config *config, struct buf *errors)
{
    struct rule_files fresh;
    char *scripts;
    rules_unshadow(rules);
    if (!read_files(config, &rules->shadow_ports->ports, &scripts, &fresh, errors)) return false;
    xfree(scripts);
    const struct plan **plans = xcalloc(fresh.count, sizeof *plans);
    for (size_t i = 0; i < fresh.count; i++) plans[i] = fresh.items[i].loaded->plan;
    const bool good = node_admits(rules->node, plans, fresh.count, errors) &&
                      is_one_running(rules, &fresh, errors);
    xfree(plans);
    if (good) mirror_watch(&rules->shadow_ports->mirror, true);
    for (size_t i = 0; i < fresh.count; i++) {
        struct rule_file *file = &fresh.items[i];
        const struct rule_file *live =
            file_of(&rules->files, rules->files.count, file->loaded->plan);
        if (!good || !live) {
            loaded_free(file->loaded);
            continue;
        }
        loaded_shadow(file->loaded, vm_app(live->loaded->vm));
        add_file(&rules->shadows, file->path);
        rules->shadows.items[rules->shadows.count - 1].loaded = file->loaded;
    }
    files_destroy(&fresh);
    return good;
}

void rules_unshadow(struct rules *rules)
{
    if (!rules->shadows.count) return;
    for (size_t i = 0; i < rules->shadows.count; i++)
        loaded_unshadow(rules->shadows.items[i].loaded);
    files_destroy(&rules->shadows);
    mirror_watch(&rules->shadow_ports->mirror, false);
}

size_t rules_shadows(const struct rules *rules)
{
    return rules->shadows.count;
}

const struct shadow *rules_shadow_at(const struct rules *rules, size_t index, const char **app)
{
    const struct loaded *loaded = rules->shadows.items[index].loaded;
    *app = loaded->plan->app->text;
    return loaded->shadow;
}

struct rules *rules_load(const struct config *config, const struct engine_ports *ports,
                         struct shadow_ports *shadow_ports, struct node *node, struct buf *errors)
{
    struct rules *rules = xcalloc(1, sizeof(*rules));
    rules->config = config;
    rules->ports = ports;
    rules->shadow_ports = shadow_ports;
    rules->node = node;
    rules->failed = !rules_reload(rules, config, false, errors);
    return rules;
}

bool rules_good(const struct rules *rules)
{
    return !rules->failed;
}

uint32_t rules_generation(const struct rules *rules)
{
    return rules->generation;
}

uint32_t rules_owed(const struct rules *rules)
{
    uint32_t owed = 0;
    for (size_t i = 0; i < rules->files.count; i++) {
        struct vm_counters counters;
        vm_count(rules->files.items[i].loaded->vm, &counters);
        owed += counters.owed;
    }
    return owed;
}

void rules_stop(struct rules *rules)
{
    rules_unshadow(rules);
    for (size_t i = 0; i < rules->files.count; i++) vm_retire(rules->files.items[i].loaded->vm);
}

void rules_free(struct rules *rules)
{
    files_destroy(&rules->files);
    xfree(rules->scripts);
    xfree(rules);
}

static struct vm *vm_of_app(const struct rules *rules, const struct app *app)
{
    const struct rule_file *file =
        file_of(&rules->files, rules->files.count, app_plan(app));
    CHECK(file);
    return file->loaded->vm;
}

void rules_count(const struct rules *rules, const struct app *app, struct vm_counters *counters)
{
    vm_count(vm_of_app(rules, app), counters);
}

void rules_hooks_each(const struct rules *rules, const struct app *app,
                      void (*each)(void *ctx, const struct vm_hook *hook), void *ctx)
{
    vm_hooks_each(vm_of_app(rules, app), each, ctx);
}

const struct plan *rules_plan(const struct rules *rules, size_t index, const char **path)
{
    if (index >= rules->files.count) return NULL;
    if (path) *path = rules->files.items[index].path;
    return rules->files.items[index].loaded->plan;
}

bool rules_write_channels(const struct rules *rules, size_t index, struct buf *out,
                          struct buf *errors)
{
    return index < rules->files.count &&
           channels_write(rules->files.items[index].loaded, out, errors);
}
