#include "server/metrics.h"

#include "engine/feeds.h"
#include "engine/node.h"
#include "server/server.h"

/* A family has one value, or one per label value (`count` of them). */
struct family {
    const char *name, *type, *help;
    const char *label; /* NULL: one value */
    size_t count;
    const char *(*label_value)(size_t index);
    double (*read)(const struct server *server, size_t index);
};

/* Sums one hub counter over the apps. */
#define HUB_SUM(function, member)                                                                  \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        (void)index;                                                                               \
        double sum = 0;                                                                            \
        for (size_t i = 0; i < node_apps(server->node); i++)                                      \
            sum += (double)hub_counters(app_hub(node_app(server->node, i)))->member;               \
        return sum;                                                                                \
    }

#define FEEDS_SUM(function, member)                                                                \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        (void)index;                                                                               \
        double sum = 0;                                                                            \
        for (size_t i = 0; i < node_apps(server->node); i++)                                      \
            sum += (double)app_feeds(node_app(server->node, i))->counters.member;                  \
        return sum;                                                                                \
    }

#define NODE_READ(function, member)                                                                \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        (void)index;                                                                               \
        return (double)node_counters(server->node)->member;                                        \
    }

HUB_SUM(read_subscribers, subscribers)
HUB_SUM(read_topics, topics)
HUB_SUM(read_users, users)
HUB_SUM(read_emitted, emitted)
HUB_SUM(read_delivered, delivered)
HUB_SUM(read_denied, denied)
HUB_SUM(read_withheld, withheld)
HUB_SUM(read_replaced, replaced)
HUB_SUM(read_echoes, echoes)
HUB_SUM(read_lagged, lagged)
HUB_SUM(read_resyncs, resyncs)
FEEDS_SUM(read_links, links)
FEEDS_SUM(read_events, events)
FEEDS_SUM(read_unhandled, unhandled)
FEEDS_SUM(read_failed, failed)
FEEDS_SUM(read_opened, opened)
FEEDS_SUM(read_lost, lost)
NODE_READ(read_streams, streams)
NODE_READ(read_requests, requests)
NODE_READ(read_cross_site, cross_site)
NODE_READ(read_ends, ends[index])
NODE_READ(read_refused, refused[index])

static const char *end_label(size_t index)
{
    return end_reason_name((enum end_reason)index);
}

static const char *refused_label(size_t index)
{
    return refused_name((enum refused)index);
}

static const struct family families[] = {
    {"sluice_streams", "gauge", "Streams open or on their way in.", NULL, 1, NULL, read_streams},
    {"sluice_subscribers", "gauge", "Open streams.", NULL, 1, NULL, read_subscribers},
    {"sluice_users", "gauge", "Users with at least one stream.", NULL, 1, NULL, read_users},
    {"sluice_topics", "gauge", "Topics with subscribers or history.", NULL, 1, NULL, read_topics},
    {"sluice_links", "gauge", "Upstream links, open or not.", NULL, 1, NULL, read_links},
    {"sluice_requests_total", "counter", "Requests on public listeners.", NULL, 1, NULL,
     read_requests},
    {"sluice_cross_site_refused_total", "counter", "Requests refused as cross-site.", NULL, 1, NULL,
     read_cross_site},
    {"sluice_streams_refused_total", "counter", "Streams refused.", "reason", REFUSED_REASONS,
     refused_label, read_refused},
    {"sluice_streams_ended_total", "counter", "Streams ended.", "reason", END_REASONS, end_label,
     read_ends},
    {"sluice_upstream_events_total", "counter", "Events that links brought.", NULL, 1, NULL,
     read_events},
    {"sluice_upstream_events_unhandled_total", "counter", "Events that no rule handles.", NULL, 1,
     NULL, read_unhandled},
    {"sluice_upstream_events_failed_total", "counter", "Events whose handler failed.", NULL, 1,
     NULL, read_failed},
    {"sluice_links_opened_total", "counter", "Openings of links, first and later ones.", NULL, 1,
     NULL, read_opened},
    {"sluice_links_lost_total", "counter", "Losses and refusals of links.", NULL, 1, NULL,
     read_lost},
    {"sluice_triggers_total", "counter", "Triggers that took a place in the order.", NULL, 1, NULL,
     read_emitted},
    {"sluice_deliveries_total", "counter", "Frames written to streams whole.", NULL, 1, NULL,
     read_delivered},
    {"sluice_triggers_denied_total", "counter", "Triggers that a filter kept from a subscriber.",
     NULL, 1, NULL, read_denied},
    {"sluice_triggers_withheld_total", "counter", "Triggers withheld because a filter failed.",
     NULL, 1, NULL, read_withheld},
    {"sluice_triggers_replaced_total", "counter", "Triggers replaced by newer ones in a queue.",
     NULL, 1, NULL, read_replaced},
    {"sluice_echoes_total", "counter", "Triggers not sent back to the tab that caused them.", NULL,
     1, NULL, read_echoes},
    {"sluice_lagged_total", "counter", "Queues that overflowed.", NULL, 1, NULL, read_lagged},
    {"sluice_resyncs_total", "counter", "Resync events to subscribers.", NULL, 1, NULL,
     read_resyncs},
};

static const size_t family_count = sizeof(families) / sizeof(families[0]);

void metrics_write(const struct server *server, struct buf *out)
{
    for (size_t f = 0; f < family_count; f++) {
        const struct family *family = &families[f];
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                   family->type);
        for (size_t i = 0; i < family->count; i++) {
            if (family->label)
                buf_printf(out, "%s{%s=\"%s\"} %.15g\n", family->name, family->label,
                           family->label_value(i), family->read(server, i));
            else
                buf_printf(out, "%s %.15g\n", family->name, family->read(server, i));
        }
    }
}

void metrics_write_page(struct buf *out)
{
    buf_add_text(out, "# Metrics\n\nGenerated from the registry by `make docs`. Served as Prometheus "
                      "text at `/metrics` of the admin listener.\n\n| metric | type | meaning |\n"
                      "|---|---|---|\n");
    for (size_t f = 0; f < family_count; f++) {
        const struct family *family = &families[f];
        buf_printf(out, "| `%s%s%s%s` | %s | %s |\n", family->name, family->label ? "{" : "",
                   family->label ? family->label : "", family->label ? "}" : "", family->type,
                   family->help);
    }
}
