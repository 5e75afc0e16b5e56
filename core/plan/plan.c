#include "plan/plan.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

struct plan *plan_new(struct bytes app)
{
    struct plan *plan = xcalloc(1, sizeof(*plan));
    plan->app = atom_get(app);
    plan->handler_deadline_ms = 10000;
    return plan;
}

/* Grows an array of pointers by one zeroed declaration of `size` bytes. */
static void *add(void *array, size_t *count, size_t size)
{
    void ***items = array;
    *items = xrealloc(*items, (*count + 1) * sizeof(void *));
    return (*items)[(*count)++] = xcalloc(1, size);
}

struct plan_topic *plan_add_topic(struct plan *plan)
{
    struct plan_topic *topic = add(&plan->topics, &plan->topic_count, sizeof(*topic));
    topic->options.owner = topic;
    return topic;
}

struct plan_upstream *plan_add_upstream(struct plan *plan)
{
    return add(&plan->upstreams, &plan->upstream_count, sizeof(struct plan_upstream));
}

struct plan_source *plan_add_source(struct plan *plan)
{
    return add(&plan->sources, &plan->source_count, sizeof(struct plan_source));
}

struct plan_stream *plan_add_stream(struct plan *plan)
{
    return add(&plan->streams, &plan->stream_count, sizeof(struct plan_stream));
}

struct plan_route *plan_add_route(struct plan *plan)
{
    return add(&plan->routes, &plan->route_count, sizeof(struct plan_route));
}

struct plan_ingest *plan_add_ingest(struct plan *plan)
{
    return add(&plan->ingests, &plan->ingest_count, sizeof(struct plan_ingest));
}

struct plan_static *plan_add_static(struct plan *plan)
{
    return add(&plan->statics, &plan->static_count, sizeof(struct plan_static));
}

struct plan_every *plan_add_every(struct plan *plan)
{
    return add(&plan->everys, &plan->every_count, sizeof(struct plan_every));
}

static void endpoint_destroy(struct plan_endpoint *at)
{
    atom_unref(at->name);
    atom_unref(at->method);
    pattern_free(at->path);
    for (size_t i = 0; i < at->origin_count; i++) atom_unref(at->origins[i]);
    xfree(at->origins);
}

static void topic_free(struct plan_topic *topic)
{
    atom_unref(topic->name);
    pattern_free(topic->pattern);
    for (size_t i = 0; i < topic->type_count; i++) atom_unref(topic->types[i]);
    xfree(topic->types);
    xfree(topic);
}

static void handlers_free(struct plan_handler *handlers, size_t count)
{
    for (size_t i = 0; i < count; i++) atom_unref(handlers[i].type);
    xfree(handlers);
}

static void upstream_free(struct plan_upstream *upstream)
{
    atom_unref(upstream->name);
    handlers_free(upstream->handlers, upstream->handler_count);
    xfree(upstream);
}

static void source_free(struct plan_source *source)
{
    atom_unref(source->name);
    atom_unref(source->url);
    atom_unref(source->channel);
    xfree(source->topics);
    handlers_free(source->handlers, source->handler_count);
    xfree(source);
}

static void ingest_free(struct plan_ingest *ingest)
{
    endpoint_destroy(&ingest->at);
    for (size_t i = 0; i < ingest->key_count; i++) atom_unref(ingest->keys[i]);
    xfree(ingest->keys);
    handlers_free(ingest->handlers, ingest->handler_count);
    xfree(ingest);
}

static void parameters_destroy(struct plan_parameters *parameters)
{
    for (size_t i = 0; i < parameters->count; i++) atom_unref(parameters->names[i]);
    xfree(parameters->names);
}

static void stream_free(struct plan_stream *stream)
{
    endpoint_destroy(&stream->at);
    parameters_destroy(&stream->asks_topic);
    parameters_destroy(&stream->asks_cursor);
    atom_unref(stream->options.beat_name);
    atom_unref(stream->options.beat_data);
    xfree(stream->upstreams);
    xfree(stream);
}

static void static_free(struct plan_static *files)
{
    endpoint_destroy(&files->at);
    xfree(files->directory);
    atom_unref(files->cache_control);
    xfree(files);
}

void plan_free(struct plan *plan)
{
    if (!plan) return;
    for (size_t i = 0; i < plan->topic_count; i++) topic_free(plan->topics[i]);
    for (size_t i = 0; i < plan->upstream_count; i++) upstream_free(plan->upstreams[i]);
    for (size_t i = 0; i < plan->source_count; i++) source_free(plan->sources[i]);
    for (size_t i = 0; i < plan->stream_count; i++) stream_free(plan->streams[i]);
    for (size_t i = 0; i < plan->ingest_count; i++) ingest_free(plan->ingests[i]);
    for (size_t i = 0; i < plan->static_count; i++) static_free(plan->statics[i]);
    for (size_t i = 0; i < plan->route_count; i++) {
        endpoint_destroy(&plan->routes[i]->at);
        xfree(plan->routes[i]);
    }
    for (size_t i = 0; i < plan->every_count; i++) {
        atom_unref(plan->everys[i]->name);
        xfree(plan->everys[i]);
    }
    xfree(plan->topics);
    xfree(plan->upstreams);
    xfree(plan->sources);
    xfree(plan->streams);
    xfree(plan->ingests);
    xfree(plan->statics);
    xfree(plan->routes);
    xfree(plan->everys);
    atom_unref(plan->app);
    xfree(plan);
}

size_t plan_endpoints(const struct plan *plan)
{
    return plan->stream_count + plan->route_count + plan->ingest_count;
}

const struct plan_endpoint *plan_endpoint(const struct plan *plan, size_t index)
{
    if (index < plan->stream_count) return &plan->streams[index]->at;
    index -= plan->stream_count;
    return index < plan->route_count ? &plan->routes[index]->at
                                     : &plan->ingests[index - plan->route_count]->at;
}

bool plan_endpoints_clash(const struct plan_endpoint *a, const struct plan_endpoint *b)
{
    return a->method == b->method && pattern_literals(a->path) == pattern_literals(b->path) &&
           pattern_overlaps(a->path, b->path);
}

struct bytes plan_static_prefix(const struct plan_static *files)
{
    struct bytes prefix = pattern_text(files->at.path);
    if (prefix.data[prefix.size - 1] == '/') prefix.size--;
    return prefix;
}

bool plan_statics_clash(const struct plan_static *a, const struct plan_static *b)
{
    return bytes_equal(plan_static_prefix(a), plan_static_prefix(b));
}

struct plan_topic *plan_topic_of(const struct plan *plan, struct bytes name,
                                 struct pattern_match *match)
{
    struct plan_topic *best = NULL;
    struct pattern_match best_match = {.count = 0}, found;
    for (size_t i = 0; i < plan->topic_count; i++) {
        struct plan_topic *topic = plan->topics[i];
        if (best && pattern_literals(topic->pattern) <= pattern_literals(best->pattern)) continue;
        if (!pattern_match(topic->pattern, name, &found)) continue;
        pattern_match_destroy(&best_match);
        best = topic;
        best_match = found;
    }
    if (match)
        *match = best_match;
    else
        pattern_match_destroy(&best_match);
    return best;
}

/* The handler under exactly this name, or 0. */
static hook handler_named(const struct plan_handler *handlers, size_t count, struct bytes type)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(atom_bytes(handlers[i].type), type)) return handlers[i].run;
    return 0;
}

hook plan_handler_of(const struct plan_upstream *upstream, struct bytes type)
{
    const bool foreign = type.size && type.data[0] == '@';
    const struct plan_handler *handlers = upstream->handlers;
    const hook own = foreign ? 0 : handler_named(handlers, upstream->handler_count, type);
    return own ? own : handler_named(handlers, upstream->handler_count, BYTES("*"));
}

hook plan_life_handler_of(const struct plan_upstream *upstream, struct bytes type)
{
    return handler_named(upstream->handlers, upstream->handler_count, type);
}

hook plan_message_handler_of(const struct plan_source *source)
{
    const hook own = handler_named(source->handlers, source->handler_count, BYTES("message"));
    return own ? own : handler_named(source->handlers, source->handler_count, BYTES("*"));
}

hook plan_published_handler_of(const struct plan_ingest *ingest, struct bytes type)
{
    const hook own = handler_named(ingest->handlers, ingest->handler_count, type);
    return own ? own : handler_named(ingest->handlers, ingest->handler_count, BYTES("*"));
}
