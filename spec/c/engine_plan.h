/* engine_plan: declarations as rule files make them, in few words. A hook's
 * number is its kind's and one. */
#pragma once

#include "engine/hooks.h"
#include "plan/plan.h"
#include "unit.h"

static inline struct pattern *make_pattern(enum pattern_kind kind, const char *text)
{
    const char *error;
    struct pattern *made = pattern_new(kind, bytes_of(text), &error);
    assert_non_null(made);
    return made;
}

static inline struct plan_endpoint make_endpoint(const char *name, const char *method,
                                                 const char *path)
{
    return (struct plan_endpoint){.name = atom_of(name),
                                  .method = atom_of(method),
                                  .path = make_pattern(PATTERN_PATH, path)};
}

static inline struct plan_topic *make_topic(struct plan *plan, const char *text)
{
    struct plan_topic *topic = plan_add_topic(plan);
    topic->name = atom_of(text);
    topic->pattern = make_pattern(PATTERN_TOPIC, text);
    topic->options.history_size = 64;
    topic->options.history_ttl_ms = 300000;
    return topic;
}

static inline struct plan_route *make_route(struct plan *plan, const char *name, const char *method,
                                            const char *path)
{
    struct plan_route *route = plan_add_route(plan);
    route->at = make_endpoint(name, method, path);
    route->run = HOOK_ROUTE + 1;
    return route;
}

static inline struct plan_static *make_static(struct plan *plan, const char *name,
                                              const char *prefix, const char *directory)
{
    struct plan_static *files = plan_add_static(plan);
    files->at = make_endpoint(name, "GET", prefix);
    files->directory = xstrdup(directory);
    return files;
}

static inline void make_handler(struct plan_upstream *upstream, const char *type)
{
    upstream->handlers = xrealloc(upstream->handlers,
                                  (upstream->handler_count + 1) * sizeof(*upstream->handlers));
    upstream->handlers[upstream->handler_count++] =
        (struct plan_handler){atom_of(type), HOOK_EVENT + 1};
}

static inline struct plan_upstream *make_upstream(struct plan *plan, const char *name,
                                                  struct plan_topic *topic)
{
    struct plan_upstream *upstream = plan_add_upstream(plan);
    upstream->name = atom_of(name);
    upstream->key = HOOK_KEY + 1;
    upstream->request = HOOK_REQUEST + 1;
    upstream->topic = topic;
    upstream->queue_max = 4;
    upstream->policy = (struct link_policy){.grace_ms = 10000,
                                            .backoff_min_ms = 1000,
                                            .backoff_max_ms = 30000,
                                            .idle_ms = 90000,
                                            .connect_timeout_ms = 10000,
                                            .event_limit_bytes = 1 << 16};
    make_handler(upstream, "note");
    return upstream;
}

static inline void make_upstreams(struct plan_stream *stream, struct plan_upstream *upstream)
{
    stream->upstreams = xrealloc(stream->upstreams,
                                 (stream->upstream_count + 1) * sizeof(*stream->upstreams));
    stream->upstreams[stream->upstream_count++] = upstream;
}

static inline struct plan_parameters make_parameter(const char *name)
{
    struct plan_parameters made = {xcalloc(1, sizeof(struct atom *)), 1};
    made.names[0] = atom_get(bytes_of(name));
    return made;
}

static inline struct plan_stream *make_stream(struct plan *plan, const char *name, const char *path)
{
    struct plan_stream *stream = plan_add_stream(plan);
    stream->at = make_endpoint(name, "GET", path);
    stream->options = (struct subscriber_options){.queue_frames = 256,
                                                  .queue_bytes = 1 << 20,
                                                  .stall_ms = 30000,
                                                  .heartbeat_ms = 20000,
                                                  .retry_ms = 2000,
                                                  .verdict_ms = 2000,
                                                  .replay_max = 300};
    stream->topics_max = 4;
    stream->asks_topic = make_parameter("topic");
    stream->asks_cursor = make_parameter("last_event_id");
    return stream;
}
