/* Hooks of one name are one series: an app may declare two handlers for the same
 * thing. They count from the loading of the rules on; a reload begins anew, as a
 * counter may. */
#include "server/measures.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/histogram.h"
#include "engine/feeds.h"
#include "engine/node.h"
#include "http/http.h"
#include "loop/loop.h"
#include "script/vm_hook.h"
#include "server/rules.h"
#include "server/server.h"

/* ---- lines ---- */

static double seconds(uint64_t us)
{
    return (double)us / 1e6;
}

/* A label's value: backslash, quote and line end are escaped, as the format has it. */
static void write_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            buf_add_text(out, "\\n");
        else if (*value == '\\' || *value == '"')
            buf_printf(out, "\\%c", *value);
        else
            buf_add_char(out, *value);
    }
    buf_add_char(out, '"');
}

/* `labels`: "" or `a="b",c="d"`. Buckets are cumulative. */
static void write_histogram(struct buf *out, const char *name, const char *labels,
                            const struct histogram *histogram)
{
    const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    uint64_t below = 0;
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        below += histogram->counts[i];
        buf_printf(out, "%s_bucket{%s%sle=\"%.15g\"} %llu\n", name, labels, comma,
                   seconds(histogram_bound_us(i)), (unsigned long long)below);
    }
    buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
               (unsigned long long)histogram->count);
    buf_printf(out, "%s_sum%s%s%s %.15g\n", name, open, labels, close, seconds(histogram->sum_us));
    buf_printf(out, "%s_count%s%s%s %llu\n", name, open, labels, close,
               (unsigned long long)histogram->count);
}

/* ---- listeners, links ---- */

struct listeners {
    const char *name;
    struct buf *out;
    bool accepted;
};

static void write_listener(void *ctx, const char *address, uint32_t open, uint64_t accepted)
{
    const struct listeners *write = ctx;
    buf_printf(write->out, "%s{", write->name);
    write_label(write->out, "listener", address);
    buf_printf(write->out, "} %llu\n", write->accepted ? (unsigned long long)accepted : open);
}

static void measure_listener_open(const struct server *server, const char *name, struct buf *out)
{
    http_listeners_each(server->http, write_listener, &(struct listeners){name, out, false});
}

static void measure_listener_accepted(const struct server *server, const char *name, struct buf *out)
{
    http_listeners_each(server->http, write_listener, &(struct listeners){name, out, true});
}

static void count_state(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                        struct link *link)
{
    uint64_t *states = ctx;
    (void)upstream, (void)key;
    if (link) states[link_state(link)]++;
}

static void measure_link_states(const struct server *server, const char *name, struct buf *out)
{
    uint64_t states[LINK_STATES] = {0};
    for (size_t i = 0; i < node_apps(server->node); i++)
        app_links_each(node_app(server->node, i), count_state, states);
    for (int i = 0; i < LINK_CLOSED; i++)
        buf_printf(out, "%s{state=\"%s\"} %llu\n", name, link_state_name((enum link_state)i),
                   (unsigned long long)states[i]);
}

/* ---- how long ---- */

static void measure_delivery(const struct server *server, const char *name, struct buf *out)
{
    struct hub_counters hub;
    struct feeds_counters feeds;
    node_sum(server->node, &hub, &feeds);
    write_histogram(out, name, "", &hub.latency);
}

static void measure_turn(const struct server *server, const char *name, struct buf *out)
{
    write_histogram(out, name, "", &loop_counters(server->loop)->turn);
}

static void measure_late(const struct server *server, const char *name, struct buf *out)
{
    write_histogram(out, name, "", &loop_counters(server->loop)->late);
}

/* ---- hooks ---- */

struct hook_sum {
    const struct atom *what;
    struct histogram took;
    uint64_t busy_us;
};

struct hook_sums {
    struct hook_sum *items;
    size_t count;
};

static void sum_hook(void *ctx, const struct vm_hook *info)
{
    struct hook_sums *sums = ctx;
    size_t at = 0;
    while (at < sums->count && sums->items[at].what != info->what) at++;
    if (at == sums->count) {
        sums->items = xrealloc(sums->items, (sums->count + 1) * sizeof(struct hook_sum));
        sums->items[sums->count++] = (struct hook_sum){.what = info->what};
    }
    histogram_add(&sums->items[at].took, &info->took);
    sums->items[at].busy_us += info->busy_us;
}

/* Calls `write` for every hook of every app, with its labels. */
static void each_hook(const struct server *server, const char *name, struct buf *out,
                      void (*write)(struct buf *out, const char *name, const char *labels,
                                    const struct hook_sum *sum))
{
    struct buf labels = BUF_EMPTY;
    for (size_t i = 0; i < node_apps(server->node); i++) {
        const struct app *app = node_app(server->node, i);
        struct hook_sums sums = {.count = 0};
        rules_hooks_each(server->rules, app, sum_hook, &sums);
        for (size_t at = 0; at < sums.count; at++) {
            buf_clear(&labels);
            write_label(&labels, "app", app_plan(app)->app->text);
            buf_add_char(&labels, ',');
            write_label(&labels, "hook", sums.items[at].what->text);
            write(out, name, buf_text(&labels), &sums.items[at]);
        }
        xfree(sums.items);
    }
    buf_destroy(&labels);
}

static void write_took(struct buf *out, const char *name, const char *labels,
                       const struct hook_sum *sum)
{
    write_histogram(out, name, labels, &sum->took);
}

static void write_busy(struct buf *out, const char *name, const char *labels,
                       const struct hook_sum *sum)
{
    buf_printf(out, "%s{%s} %.15g\n", name, labels, seconds(sum->busy_us));
}

static void write_max(struct buf *out, const char *name, const char *labels,
                      const struct hook_sum *sum)
{
    buf_printf(out, "%s{%s} %.15g\n", name, labels, seconds(sum->took.max_us));
}

static void measure_hook_seconds(const struct server *server, const char *name, struct buf *out)
{
    each_hook(server, name, out, write_took);
}

static void measure_hook_busy(const struct server *server, const char *name, struct buf *out)
{
    each_hook(server, name, out, write_busy);
}

static void measure_hook_max(const struct server *server, const char *name, struct buf *out)
{
    each_hook(server, name, out, write_max);
}

const struct measure measures[] = {
    {"sluice_links_in_state", "gauge", "Upstream links by state.", "state", measure_link_states},
    {"sluice_delivery_seconds", "histogram",
     "By write to a stream: from the moment its oldest trigger took its place in the order until the "
     "kernel had the bytes. Replays do not count.", NULL, measure_delivery},
    {"sluice_rule_seconds", "histogram",
     "Calls of a rule's function, waiting included; from the loading of the rules on.", "app,hook",
     measure_hook_seconds},
    {"sluice_rule_busy_seconds_total", "counter",
     "Time in which a rule's function ran and did not wait; everybody else waited for it.", "app,hook",
     measure_hook_busy},
    {"sluice_rule_seconds_max", "gauge", "The longest call of a rule's function.", "app,hook",
     measure_hook_max},
    {"sluice_listener_connections", "gauge", "Open connections by public listener.", "listener",
     measure_listener_open},
    {"sluice_listener_connections_total", "counter", "Connections accepted by public listener.",
     "listener", measure_listener_accepted},
    {"sluice_loop_turn_seconds", "histogram",
     "How long turns of the loop ran: what came meanwhile waited.", NULL, measure_turn},
    {"sluice_loop_late_seconds", "histogram", "How late due timers were looked at.", NULL,
     measure_late},
};

const size_t measure_count = sizeof(measures) / sizeof(measures[0]);
