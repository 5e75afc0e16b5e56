#include "server/families.h"

#include "base/alloc.h"
#include "engine/audience.h"
#include "engine/feeds.h"
#include "engine/joint.h"
#include "engine/sources.h"
#include "engine/node.h"
#include "engine/presence.h"
#include "http/http.h"
#include "loop/loop.h"
#include "script/loaded.h"
#include "server/process.h"
#include "server/rules.h"
#include "server/server.h"

/* One hub counter of all apps, those that are gone too: a counter never falls. */
#define HUB_SUM(function, member)                                                                  \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        (void)index;                                                                               \
        struct hub_counters hub;                                                                   \
        struct feeds_counters feeds;                                                               \
        node_sum(server->node, &hub, &feeds);                                                      \
        return (double)hub.member;                                                                 \
    }

#define FEEDS_SUM(function, member)                                                                \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        (void)index;                                                                               \
        struct hub_counters hub;                                                                   \
        struct feeds_counters feeds;                                                               \
        node_sum(server->node, &hub, &feeds);                                                      \
        return (double)feeds.member;                                                               \
    }

#define SOURCES_SUM(function, member)                                                              \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        (void)index;                                                                               \
        struct sources_counters sources;                                                           \
        node_sum_sources(server->node, &sources);                                                  \
        return (double)sources.member;                                                             \
    }

#define HTTP_READ(function, member)                                                                \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        (void)index;                                                                               \
        return (double)http_counters(server->http)->member;                                        \
    }

#define VM_READ(function, member)                                                                  \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        struct vm_counters counters;                                                               \
        rules_count(server->rules, node_app(server->node, index), &counters);                                              \
        return (double)counters.member;                                                            \
    }

#define PRESENCE_READ(function, member)                                                            \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        return (double)app_presence(node_app(server->node, index))->counters.member;               \
    }

/* Of the app at this index. */
#define HUB_READ(function, member)                                                                 \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        return (double)hub_counters(app_hub(node_app(server->node, index)))->member;               \
    }

#define AUDIENCE_READ(function, value)                                                             \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        const struct audience *audience = app_audience(node_app(server->node, index));             \
        return (double)(value);                                                                    \
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
HUB_READ(read_limited, limited)
HUB_READ(read_snapshots, snapshots)
HUB_READ(read_snapshots_failed, snapshots_failed)
HUB_SUM(read_replaced, replaced)
HUB_SUM(read_echoes, echoes)
HUB_SUM(read_lagged, lagged)
HUB_SUM(read_resyncs, resyncs)
HUB_SUM(read_missed, missed)
HUB_SUM(read_unplaced, lost)
HUB_SUM(read_heartbeats, heartbeats)
HUB_SUM(read_stream_bytes, bytes)
HUB_SUM(read_channels, channels)
HUB_SUM(read_queued, queued.slots)
HUB_SUM(read_queued_max, queued.slots_max)
HUB_SUM(read_queued_bytes, queued.bytes)
HUB_SUM(read_queued_bytes_max, queued.bytes_max)
FEEDS_SUM(read_events, events)
FEEDS_SUM(read_unhandled, unhandled)
FEEDS_SUM(read_failed, failed)
FEEDS_SUM(read_opened, opened)
FEEDS_SUM(read_lost, lost)
NODE_READ(read_streams, streams)
NODE_READ(read_links, links)
NODE_READ(read_requests, requests)
NODE_READ(read_cross_site, cross_site)
NODE_READ(read_publishes, publishes)
NODE_READ(read_published_events, published_events)
NODE_READ(read_publish_duplicates, publish_duplicates)
NODE_READ(read_publishes_refused, publishes_refused)
NODE_READ(read_events_dropped, events_dropped)
NODE_READ(read_publishes_limited, publishes_limited)
NODE_READ(read_ends, ends[index])
NODE_READ(read_refused, refused[index])
NODE_READ(read_routes_limited, routes_limited)

SOURCES_SUM(read_messages, messages)
SOURCES_SUM(read_messages_failed, failed)
SOURCES_SUM(read_gaps, gaps)
SOURCES_SUM(read_sources_lost, lost)

enum { FROM_UPSTREAM, FROM_INGEST, FROM_REDIS, SOURCES };

static double read_events_in(const struct server *server, size_t index)
{
    return index == FROM_INGEST  ? (double)node_counters(server->node)->ingest_events
           : index == FROM_REDIS ? read_messages(server, 0)
                                 : read_events(server, 0);
}

static double read_rate_keys(const struct server *server, size_t index)
{
    (void)index;
    return rates_count(&node_counters(server->node)->toll.rates);
}

AUDIENCE_READ(read_questions, audience->counters.questions)
AUDIENCE_READ(read_asked, audience->counters.users)
AUDIENCE_READ(read_kept, audience->counters.kept)
AUDIENCE_READ(read_unknown, audience->counters.unknown)
AUDIENCE_READ(read_waited, (double)audience->counters.waited_ms / 1e3)
AUDIENCE_READ(read_permits, audience_permits(audience))

HTTP_READ(read_connections, open)
HTTP_READ(read_accepted, accepted)
HTTP_READ(read_bytes_in, bytes_in)
HTTP_READ(read_bytes_out, bytes_out)
HTTP_READ(read_responses, responses[index + 1])
HTTP_READ(read_http_refused, refused[index])
PRESENCE_READ(read_present, online)
PRESENCE_READ(read_changes, changes)
PRESENCE_READ(read_changes_failed, failed)
PRESENCE_READ(read_uncounted, refused)
VM_READ(read_runs, runs)
VM_READ(read_errors, errors)
VM_READ(read_stopped, stopped)
VM_READ(read_late, late)
VM_READ(read_tasks, tasks)
VM_READ(read_memory, memory_bytes)
VM_READ(read_quarantined, quarantined)
VM_READ(read_held, held)

static double read_unpublished(const struct server *server, size_t index)
{
    const struct joint *joint = server->joint;
    return read_unplaced(server, index) + (joint ? (double)trunk_counters(joint->trunk)->refused : 0);
}

static double read_generation(const struct server *server, size_t index)
{
    (void)index;
    return rules_generation(server->rules);
}

static double read_lag(const struct server *server, size_t index)
{
    (void)index;
    return (double)loop_counters(server->loop)->lag_max_us / 1e6;
}

static double read_busy(const struct server *server, size_t index)
{
    (void)index;
    return (double)loop_counters(server->loop)->busy_us / 1e6;
}

static double read_reloads(const struct server *server, size_t index)
{
    return (double)(index ? server->reload.refused : server->reload.good);
}

/* Of the process, whatever the server. */
#define PROCESS_CALL(function, call)                                                               \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        (void)server;                                                                              \
        (void)index;                                                                               \
        return (double)call();                                                                     \
    }

PROCESS_CALL(read_vms, loaded_live)
PROCESS_CALL(read_blocks, alloc_live)
PROCESS_CALL(read_allocated, process_allocated_bytes)
PROCESS_CALL(read_files, process_open_files)

#define PROCESS_READ(function, member)                                                             \
    static double function(const struct server *server, size_t index)                             \
    {                                                                                              \
        struct process process;                                                                    \
        (void)server;                                                                              \
        (void)index;                                                                               \
        process_read(&process);                                                                    \
        return (double)process.member;                                                             \
    }

PROCESS_READ(read_resident, resident_bytes)
PROCESS_READ(read_virtual, virtual_bytes)
PROCESS_READ(read_files_max, max_files)
PROCESS_READ(read_cpu, cpu_seconds)
PROCESS_READ(read_start, start_seconds)

static double read_subscriber_bytes(const struct server *server, size_t index)
{
    const double subscribers = read_subscribers(server, index);
    return subscribers > 0 ? read_resident(server, index) / subscribers : 0;
}

static const char *outcome_label(const struct server *server, size_t index)
{
    (void)server;
    return index ? "refused" : "good";
}

static const char *source_label(const struct server *server, size_t index)
{
    static const char *const sources[SOURCES] = {"upstream", "ingest", "redis"};
    (void)server;
    return sources[index];
}

static const char *app_label(const struct server *server, size_t index)
{
    return app_plan(node_app(server->node, index))->app->text;
}

static const char *class_label(const struct server *server, size_t index)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    (void)server;
    return classes[index];
}

static const char *http_refused_label(const struct server *server, size_t index)
{
    (void)server;
    return http_refusal_name((enum http_refusal)index);
}

static const char *end_label(const struct server *server, size_t index)
{
    (void)server;
    return end_reason_name((enum end_reason)index);
}

static const char *refused_label(const struct server *server, size_t index)
{
    (void)server;
    return refused_name((enum refused)index);
}

const struct family families[] = {
    {"sluice_streams", "gauge", "Streams open or on their way in.", NULL, 1, NULL, read_streams},
    {"sluice_subscribers", "gauge", "Open streams.", NULL, 1, NULL, read_subscribers},
    {"sluice_users", "gauge", "Users with at least one stream.", NULL, 1, NULL, read_users},
    {"sluice_topics", "gauge", "Topics with subscribers, history or a retained trigger.", NULL, 1, NULL, read_topics},
    {"sluice_presence_online", "gauge", "Users that are there, on each topic with presence; of several nodes, on this one.", "app",
     0, app_label, read_present},
    {"sluice_presence_changes_total", "counter", "Changes of presence that rules were told.", "app", 0,
     app_label, read_changes},
    {"sluice_presence_changes_failed_total", "counter", "Changes of presence whose rule failed.", "app",
     0, app_label, read_changes_failed},
    {"sluice_presence_refused_total", "counter", "Users not counted as there for want of room.", "app",
     0, app_label, read_uncounted},
    {"sluice_links", "gauge", "Upstream links, open or not; in a cluster, those that other nodes hold, too.", NULL, 1, NULL, read_links},
    {"sluice_requests_total", "counter", "Requests on public listeners.", NULL, 1, NULL,
     read_requests},
    {"sluice_cross_site_refused_total", "counter", "Requests refused as cross-site.", NULL, 1, NULL,
     read_cross_site},
    {"sluice_publishes_total", "counter", "Publishes whose handlers ran to their end.", NULL, 1, NULL,
     read_publishes},
    {"sluice_published_events_total", "counter", "Events of these.", NULL, 1, NULL,
     read_published_events},
    {"sluice_publish_duplicates_total", "counter", "Publishes answered as an earlier one was.", NULL,
     1, NULL, read_publish_duplicates},
    {"sluice_publishes_refused_total", "counter",
     "Publishes refused: not authorized, not well-formed, too many, a handler that failed.", NULL, 1,
     NULL, read_publishes_refused},
    {"sluice_publishes_limited_total", "counter",
     "Of these, those answered with 429 as their publisher had sent more events than its rate.", NULL, 1,
     NULL, read_publishes_limited},
    {"sluice_route_requests_limited_total", "counter",
     "Requests of routes, and for heads of streams, answered with 429: more than their rate.", NULL, 1, NULL,
     read_routes_limited},
    {"sluice_rate_keys", "gauge", "Addresses, users and keys whose rates are remembered.", NULL, 1, NULL,
     read_rate_keys},
    {"sluice_streams_refused_total", "counter", "Streams refused.", "reason", REFUSED_REASONS,
     refused_label, read_refused},
    {"sluice_streams_ended_total", "counter", "Streams ended.", "reason", END_REASONS, end_label,
     read_ends},
    {"sluice_events_total", "counter",
     "Events that came in and had their turn, by where from, however their handlers ended.", "source",
     SOURCES, source_label, read_events_in},
    {"sluice_upstream_events_total", "counter", "Events that links brought.", NULL, 1, NULL,
     read_events},
    {"sluice_upstream_events_unhandled_total", "counter", "Events that no rule handles.", NULL, 1,
     NULL, read_unhandled},
    {"sluice_upstream_events_failed_total", "counter", "Events whose handler failed.", NULL, 1,
     NULL, read_failed},
    {"sluice_redis_messages_failed_total", "counter", "Messages of app:redis whose handler failed.",
     NULL, 1, NULL, read_messages_failed},
    {"sluice_redis_gaps_total", "counter",
     "Times that messages of app:redis may have been missed; their topics were told to re-read.", NULL,
     1, NULL, read_gaps},
    {"sluice_redis_sources_lost_total", "counter", "Connections of app:redis that were lost.", NULL, 1,
     NULL, read_sources_lost},
    {"sluice_events_dropped_total", "counter",
     "Events that their handler dropped (ev:drop): published, or of links or app:redis, and not what they should be.", NULL, 1,
     NULL, read_events_dropped},
    {"sluice_links_opened_total", "counter", "Openings of links, first and later ones.", NULL, 1,
     NULL, read_opened},
    {"sluice_links_lost_total", "counter", "Losses and refusals of links.", NULL, 1, NULL,
     read_lost},
    {"sluice_triggers_total", "counter", "Triggers that took a place in the order.", NULL, 1, NULL,
     read_emitted},
    {"sluice_triggers_lost_total", "counter",
     "Triggers whose topic there was no room for; who comes back to it is told to re-read.", NULL, 1,
     NULL, read_unplaced},
    {"sluice_deliveries_total", "counter", "Frames written to streams whole.", NULL, 1, NULL,
     read_delivered},
    {"sluice_triggers_denied_total", "counter",
     "Triggers that a filter or an audience kept from a subscriber.",
     NULL, 1, NULL, read_denied},
    {"sluice_triggers_withheld_total", "counter", "Triggers withheld because a filter or an audience failed.",
     NULL, 1, NULL, read_withheld},
    {"sluice_triggers_limited_total", "counter",
     "Triggers not sent because their topic had more than its limit.", "app", 0, app_label,
     read_limited},
    {"sluice_snapshots_total", "counter", "Snapshots of topics that were asked for.", "app", 0,
     app_label, read_snapshots},
    {"sluice_snapshots_failed_total", "counter",
     "Those that were not had, or not in time: who waited was told to re-read.", "app", 0, app_label,
     read_snapshots_failed},
    {"sluice_triggers_replaced_total", "counter", "Triggers replaced by newer ones in a queue.",
     NULL, 1, NULL, read_replaced},
    {"sluice_audience_questions_total", "counter", "Questions to topics' audiences.", "app", 0,
     app_label, read_questions},
    {"sluice_audience_asked_users_total", "counter", "Users that those asked about.", "app", 0,
     app_label, read_asked},
    {"sluice_audience_seconds_total", "counter",
     "Time that their answers took; by the number of questions: how long one takes.", "app", 0,
     app_label, read_waited},
    {"sluice_audience_kept_total", "counter",
     "Verdicts on a trigger and a subscriber by an answer that was there already.", "app", 0,
     app_label, read_kept},
    {"sluice_audience_unknown_total", "counter", "Verdicts that no audience could give.", "app", 0,
     app_label, read_unknown},
    {"sluice_audience_permits", "gauge", "Answers of audiences that are kept.", "app", 0, app_label,
     read_permits},
    {"sluice_echoes_total", "counter", "Triggers not sent back to the tab that caused them.", NULL,
     1, NULL, read_echoes},
    {"sluice_lagged_total", "counter", "Queues that overflowed.", NULL, 1, NULL, read_lagged},
    {"sluice_triggers_missed_total", "counter",
     "Permitted triggers that a queue which overflowed dropped; its resync says so.", NULL, 1, NULL,
     read_missed},
    {"sluice_resyncs_total", "counter", "Resync events to subscribers.", NULL, 1, NULL,
     read_resyncs},
    {"sluice_heartbeats_total", "counter", "Heartbeats to streams.", NULL, 1, NULL, read_heartbeats},
    {"sluice_stream_bytes_total", "counter", "Bytes that streams' sockets took.", NULL, 1, NULL,
     read_stream_bytes},
    {"sluice_queued_triggers", "gauge", "Slots that wait in streams' queues.", NULL, 1, NULL,
     read_queued},
    {"sluice_queued_triggers_max", "gauge", "The most slots that ever waited.", NULL, 1, NULL,
     read_queued_max},
    {"sluice_queued_bytes", "gauge",
     "Bytes that wait in streams' queues; a frame that waits for several counts in each.", NULL, 1,
     NULL, read_queued_bytes},
    {"sluice_queued_bytes_max", "gauge", "The most bytes that ever waited.", NULL, 1, NULL,
     read_queued_bytes_max},
    {"sluice_reloads_total", "counter", "Reloads that took over, and those that were refused.",
     "outcome", 2, outcome_label, read_reloads},
    {"sluice_generation", "gauge", "Which loading of the rules runs, counted from 1.", NULL, 1, NULL,
     read_generation},
    {"sluice_rule_vms", "gauge",
     "Lua VMs alive: one an app, and those of earlier rules that still end.", NULL, 1, NULL, read_vms},
    {"sluice_rule_runs_total", "counter", "Hooks and handlers started.", "app", 0, app_label,
     read_runs},
    {"sluice_rule_errors_total", "counter", "Errors that rules raised.", "app", 0, app_label,
     read_errors},
    {"sluice_rule_stopped_total", "counter", "Rules stopped because they ran too long.", "app", 0,
     app_label, read_stopped},
    {"sluice_rule_late_total", "counter", "Rules ended because they waited too long.", "app", 0,
     app_label, read_late},
    {"sluice_rule_quarantined", "gauge",
     "Hooks in quarantine: killed too often, not run until the next reload.", "app", 0, app_label,
     read_quarantined},
    {"sluice_rule_quarantined_calls_total", "counter",
     "Calls of hooks in quarantine, answered as failed.", "app", 0, app_label, read_held},
    {"sluice_rule_tasks", "gauge", "Rules that run or wait now.", "app", 0, app_label, read_tasks},
    {"sluice_rule_memory_bytes", "gauge", "Memory of the app's Lua.", "app", 0, app_label,
     read_memory},
    {"sluice_connections", "gauge", "Open connections on public listeners.", NULL, 1, NULL,
     read_connections},
    {"sluice_connections_total", "counter", "Connections accepted.", NULL, 1, NULL, read_accepted},
    {"sluice_http_responses_total", "counter", "Answers by class of status.", "class", 5,
     class_label, read_responses},
    {"sluice_http_refused_total", "counter", "Connections and requests not served.", "reason",
     HTTP_REFUSALS, http_refused_label, read_http_refused},
    {"sluice_http_received_bytes_total", "counter", "Bytes read from clients.", NULL, 1, NULL,
     read_bytes_in},
    {"sluice_http_sent_bytes_total", "counter", "Bytes written to clients.", NULL, 1, NULL,
     read_bytes_out},
    {"sluice_loop_lag_seconds", "gauge", "The longest turn of the loop so far.", NULL, 1, NULL,
     read_lag},
    {"sluice_loop_busy_seconds_total", "counter", "Time that the loop did not wait.", NULL, 1, NULL,
     read_busy},
    {"sluice_subscriber_bytes", "gauge",
     "Resident memory of the process divided by the open streams; 0 without one.", NULL, 1, NULL,
     read_subscriber_bytes},
    {"sluice_memory_allocated_bytes", "gauge", "Memory that the C library's allocator has handed out.",
     NULL, 1, NULL, read_allocated},
    {"sluice_memory_blocks", "gauge", "Blocks of memory in use, without libraries' and Lua's own.",
     NULL, 1, NULL, read_blocks},
    {"process_resident_memory_bytes", "gauge", "Resident memory of the process.", NULL, 1, NULL,
     read_resident},
    {"process_virtual_memory_bytes", "gauge", "Virtual memory of the process.", NULL, 1, NULL,
     read_virtual},
    {"process_open_fds", "gauge", "Open descriptors.", NULL, 1, NULL, read_files},
    {"process_max_fds", "gauge", "The limit of open descriptors.", NULL, 1, NULL, read_files_max},
    {"process_cpu_seconds_total", "counter", "Processor time of the process.", NULL, 1, NULL,
     read_cpu},
    {"process_start_time_seconds", "gauge", "When the process began, in seconds since 1970.", NULL, 1,
     NULL, read_start},
    {"sse_connections_total", "gauge", "Open streams: sluice_subscribers, by a name that others use.",
     NULL, 1, NULL, read_subscribers},
    {"sse_channels_total", "gauge", "Topics with subscribers, by a name that others use.", NULL, 1,
     NULL, read_channels},
    {"sse_events_sent", "counter",
     "Frames written to streams whole: sluice_deliveries_total, by a name that others use.", NULL, 1,
     NULL, read_delivered},
    {"redis_publish_errors", "counter",
     "Triggers that could not be given their place on the bus: sluice_triggers_lost_total and, in a "
     "cluster, sluice_bus_refused_total, by a name that others use.", NULL, 1, NULL, read_unpublished},
};

const size_t family_count = sizeof(families) / sizeof(families[0]);

size_t family_values(const struct family *family, const struct server *server)
{
    return family->count ? family->count : node_apps(server->node);
}
