#include "server/rules.h"

#include <glob.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/node.h"
#include "script/loaded.h"
#include "server/config.h"
#include "server/places.h"

struct rule_file {
    char *path;
    struct loaded *loaded; /* its app's */
};

struct rules {
    const struct config *config;
    const struct engine_ports *ports;
    struct node *node;
    char *scripts;
    struct rule_file *files; /* in the order of the node's apps */
    size_t count;
    uint32_t generation;
    bool failed;
};

/* ---- loading ---- */

static double seconds(uint64_t ms)
{
    return (double)ms / 1000;
}

/* The plan knows where each declaration stands; which file an app is in is only known here. */
static bool is_new_app(const struct rules *rules, const struct plan *plan, const char *path,
                       struct buf *errors)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->files[i].loaded->plan->app != plan->app) continue;
        buf_printf(errors, "%s: the app \"%s\" is declared already, in %s\n", path,
                   plan->app->text, rules->files[i].path);
        return false;
    }
    return true;
}

static struct loaded *load_file(const struct rules *rules, const char *path, struct buf *errors)
{
    const struct config *config = rules->config;
    const struct vm_standard standards[] = {
        {"heartbeat", seconds(config->heartbeat_ms)},
        {"retry", seconds(config->retry_ms)},
        {"stall_timeout", seconds(config->stall_timeout_ms)},
        {"verdict_timeout", seconds(config->verdict_timeout_ms)},
        {"queue_frames", (double)config->queue_frames},
        {"queue_bytes", (double)config->queue_bytes},
        {"replay_max", (double)config->replay_max},
        {"http_timeout", seconds(config->http_timeout_ms)},
        {"http_answer_bytes", (double)config->http_answer_bytes},
        {NULL, 0},
    };
    const struct vm_options options = {.ports = rules->ports,
                                       .scripts_dir = rules->scripts,
                                       .memory_bytes = config->app_memory_bytes,
                                       .slice_ms = (uint32_t)config->handler_slice_ms,
                                       .deadline_ms = (uint32_t)config->handler_deadline_ms,
                                       .standards = standards,
                                       .tasks_max = 100000,
                                       .background_max = 10000};
    return loaded_new(&options, path, errors);
}

static bool load_one(struct rules *rules, const char *path, struct buf *errors)
{
    struct loaded *loaded = load_file(rules, path, errors);
    if (!loaded) return false;
    if (!is_new_app(rules, loaded->plan, path, errors) ||
        !loaded_add(loaded, rules->node, errors)) {
        loaded_free(loaded);
        return false;
    }
    rules->files = xrealloc(rules->files, (rules->count + 1) * sizeof(struct rule_file));
    rules->files[rules->count++] = (struct rule_file){xstrdup(path), loaded};
    return true;
}

static bool load_matches(struct rules *rules, const char *item, struct buf *errors)
{
    const struct config *config = rules->config;
    char *pattern = config_resolve(config, item);
    glob_t matches;
    bool good = glob(pattern, 0, NULL, &matches) == 0;
    if (!good)
        buf_printf(errors, "%s: rules: no file matches \"%s\"\n", config->path, item);
    for (size_t i = 0; good && i < matches.gl_pathc; i++)
        good = load_one(rules, matches.gl_pathv[i], errors);
    globfree(&matches);
    xfree(pattern);
    return good;
}

struct rules *rules_load(const struct config *config, const struct engine_ports *ports,
                         struct node *node, struct buf *errors)
{
    struct rules *rules = xcalloc(1, sizeof(*rules));
    rules->config = config;
    rules->ports = ports;
    rules->node = node;
    rules->generation = 1;
    rules->scripts = places_scripts(config, errors);
    bool good = rules->scripts;
    for (size_t i = 0; good && i < config->rules.count; i++)
        good = load_matches(rules, config->rules.items[i], errors);
    rules->failed = !good;
    return rules;
}

bool rules_good(const struct rules *rules)
{
    return !rules->failed;
}

bool rules_reload(struct rules *rules, struct buf *errors)
{
    struct loaded **current = xcalloc(rules->count, sizeof(struct loaded *));
    struct loaded **fresh = xcalloc(rules->count, sizeof(struct loaded *));
    bool good = true;
    for (size_t i = 0; i < rules->count; i++) {
        current[i] = rules->files[i].loaded;
        fresh[i] = load_file(rules, rules->files[i].path, errors);
        good = good && fresh[i];
    }
    good = good && loaded_swap(current, fresh, rules->node, errors);
    rules->generation += good;
    for (size_t i = 0; i < rules->count; i++) {
        if (good)
            rules->files[i].loaded = fresh[i];
        else
            loaded_free(fresh[i]);
    }
    xfree(current);
    xfree(fresh);
    return good;
}

uint32_t rules_generation(const struct rules *rules)
{
    return rules->generation;
}

void rules_stop(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) vm_retire(rules->files[i].loaded->vm);
}

void rules_free(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) xfree(rules->files[i].path);
    xfree(rules->files);
    xfree(rules->scripts);
    xfree(rules);
}

void rules_count(const struct rules *rules, size_t index, struct vm_counters *counters)
{
    vm_count(rules->files[index].loaded->vm, counters);
}

/* ---- for people ---- */

static void describe_list(struct buf *out, const char *name, const struct config_list *list)
{
    buf_printf(out, "%-10s", name);
    for (size_t i = 0; i < list->count; i++) buf_printf(out, "%s%s", i ? ", " : "", list->items[i]);
    buf_add_char(out, '\n');
}

static void describe_endpoint(struct buf *out, const char *kind, const struct plan_endpoint *at)
{
    buf_printf(out, "  %-10s %-6s %-32.*s %-16s %s\n", kind, at->method->text,
               (int)pattern_text(at->path).size, pattern_text(at->path).data, at->name->text,
               at->identity ? "with identity" : "open to all");
}

static void describe_plan(struct buf *out, const struct plan *plan, const char *path)
{
    buf_printf(out, "\napp %s  (%s)\n", plan->app->text, path);
    for (size_t i = 0; i < plan->stream_count; i++)
        describe_endpoint(out, "stream", &plan->streams[i]->at);
    for (size_t i = 0; i < plan->route_count; i++)
        describe_endpoint(out, "route", &plan->routes[i]->at);
    for (size_t i = 0; i < plan->static_count; i++)
        describe_endpoint(out, "static", &plan->statics[i]->at);
    for (size_t i = 0; i < plan->topic_count; i++) {
        const struct plan_topic *topic = plan->topics[i];
        buf_printf(out, "  %-10s %-39s history %u for %.15g s%s%s\n", "topic", topic->name->text,
                   topic->options.history_size, (double)topic->options.history_ttl_ms / 1000,
                   topic->subscribe ? ", subscribe" : "", topic->filter ? ", filter" : "");
    }
    for (size_t i = 0; i < plan->upstream_count; i++) {
        const struct plan_upstream *upstream = plan->upstreams[i];
        buf_printf(out, "  %-10s %-39s grace %.15g s, handles %zu event types\n", "upstream",
                   upstream->name->text, (double)upstream->policy.grace_ms / 1000,
                   upstream->handler_count);
    }
    for (size_t i = 0; i < plan->every_count; i++)
        buf_printf(out, "  %-10s %-39s every %.15g s\n", "timer", plan->everys[i]->name->text,
                   (double)plan->everys[i]->period_ms / 1000);
}

void rules_describe(const struct rules *rules, const struct config *config, struct buf *out)
{
    buf_printf(out, "%s is good.\n\n", config->path);
    describe_list(out, "listen", &config->listen);
    describe_list(out, "admin", &config->admin);
    buf_printf(out, "%-10s%llu streams, %llu links\n", "limits",
               (unsigned long long)config->streams, (unsigned long long)config->links);
    for (size_t i = 0; i < rules->count; i++)
        describe_plan(out, rules->files[i].loaded->plan, rules->files[i].path);
}
