#include "server/describe.h"

#include "base/check.h"
#include "peers/redis_url.h"
#include "server/config.h"
#include "server/rules.h"

static double seconds(uint64_t ms)
{
    return (double)ms / 1000;
}

/* A declaration's second line stands below its first. */
static void go_on(struct buf *out)
{
    buf_printf(out, "\n  %-10s ", "");
}

/* ---- the config ---- */

static void describe_list(struct buf *out, const char *name, const struct config_list *list)
{
    buf_printf(out, "%-10s", name);
    for (size_t i = 0; i < list->count; i++) buf_printf(out, "%s%s", i ? ", " : "", list->items[i]);
    buf_add_char(out, '\n');
}

/* "redis://user:password@host" is "redis://host" here. */
static void describe_redis(struct buf *out, const struct config *config)
{
    const struct config_list *list = &config->redis;
    if (!list->count) return;
    buf_printf(out, "%-10s", "redis");
    for (size_t i = 0; i < list->count; i++) {
        struct redis_url url;
        CHECK(redis_url_create(&url, bytes_of(list->items[i]), out)); /* it was read well */
        buf_printf(out, "%s%s", i ? ", " : "", url.shown);
        redis_url_destroy(&url);
    }
    buf_printf(out, "\n%-10snames begin with \"%s\"; whoever has the same is in one cluster%s\n", "",
               config->redis_prefix,
               list->count > 1 ? ", and names the same servers: topics are spread over them" : "");
}

static void describe_limits(struct buf *out, const struct config *config)
{
    buf_printf(out, "%-10s%llu streams", "limits", (unsigned long long)config->streams);
    if (config->streams_per_user)
        buf_printf(out, " (%llu of one user)", (unsigned long long)config->streams_per_user);
    buf_printf(out, ", %llu connections, %llu links\n", (unsigned long long)config->connections,
               (unsigned long long)config->links);
    buf_printf(out,
               "%-10sof an app: %llu topics, %llu MiB of memory; of a handler: %.15g s, %.15g s of "
               "it running\n",
               "", (unsigned long long)config->topics,
               (unsigned long long)(config->app_memory_bytes >> 20),
               seconds(config->handler_deadline_ms), seconds(config->handler_slice_ms));
}

/* ---- a plan ---- */

static void describe_place(struct buf *out, const char *kind, const struct plan_endpoint *at,
                           const char *who)
{
    buf_printf(out, "  %-10s %-6s %-32.*s %-16s %s", kind, at->method->text,
               (int)pattern_text(at->path).size, pattern_text(at->path).data, at->name->text,
               who);
    for (size_t i = 0; i < at->origin_count; i++)
        buf_printf(out, "%s%s", i ? ", " : ", from ", at->origins[i]->text);
}

static void describe_endpoint(struct buf *out, const char *kind, const struct plan_endpoint *at)
{
    describe_place(out, kind, at, at->identity ? "with identity" : "open to all");
}

static void describe_stream(struct buf *out, const struct plan_stream *stream)
{
    const struct subscriber_options *options = &stream->options;
    describe_endpoint(out, "stream", &stream->at);
    go_on(out);
    for (size_t i = 0; i < stream->upstream_count; i++)
        buf_printf(out, "%s%s", i ? ", " : "upstreams ", stream->upstreams[i]->name->text);
    buf_printf(out, "%srefuses by %s, queue %u frames and %zu bytes, ",
               stream->upstream_count ? "; " : "",
               stream->refusal == REFUSE_RETRY ? "retry" : "status", options->queue_frames,
               options->queue_bytes);
    if (options->heartbeat_ms)
        buf_printf(out, "heartbeat %.15g s\n", seconds(options->heartbeat_ms));
    else
        buf_add_text(out, "no heartbeat\n");
}

static void describe_topic(struct buf *out, const struct plan_topic *topic)
{
    const struct topic_options *options = &topic->options;
    buf_printf(out, "  %-10s %-39s ", "topic", topic->name->text);
    if (options->history_size)
        buf_printf(out, "history %u for %.15g s", options->history_size,
                   seconds(options->history_ttl_ms));
    else
        buf_add_text(out, "no history");
    buf_add_text(out, topic->subscribe ? ", subscribe" : ", not for the asking");
    if (topic->audience.ask)
        buf_printf(out, ", audience for %.15g s", seconds(topic->audience.ttl_ms));
    if (topic->filter) buf_add_text(out, ", filter");
    if (options->retain) buf_add_text(out, ", retain");
    if (options->retain_ttl_ms)
        buf_printf(out, " for %.15g s", seconds(options->retain_ttl_ms));
    if (topic->snapshot) buf_add_text(out, ", snapshot");
    if (options->limit.burst)
        buf_printf(out, ", limit %u a second", options->limit.rate);
    if (options->attended)
        buf_printf(out, ", presence with a grace of %.15g s", seconds(topic->presence.grace_ms));
    if (topic->presence.beat_ms)
        buf_printf(out, " and beats of %.15g s", seconds(topic->presence.beat_ms));
    buf_add_char(out, '\n');
}

static void describe_upstream(struct buf *out, const struct plan_upstream *upstream)
{
    const struct link_policy *policy = &upstream->policy;
    buf_printf(out, "  %-10s %-39s ", "upstream", upstream->name->text);
    if (upstream->topic) buf_printf(out, "for %s, ", upstream->topic->name->text);
    buf_printf(out, "grace %.15g s, backoff %.15g to %.15g s", seconds(policy->grace_ms),
               seconds(policy->backoff_min_ms), seconds(policy->backoff_max_ms));
    go_on(out);
    for (size_t i = 0; i < upstream->handler_count; i++)
        buf_printf(out, "%s%s", i ? ", " : "handles ", upstream->handlers[i].type->text);
    buf_add_char(out, '\n');
}

static void describe_source(struct buf *out, const struct plan_source *source)
{
    buf_printf(out, "  %-10s %-39s %s %s, for ", "redis", source->name->text,
               source->pattern ? "channels" : "channel", source->channel->text);
    for (size_t i = 0; i < source->topic_count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", source->topics[i]->name->text);
    buf_add_text(out, source->topic_count ? "\n" : "all topics\n");
}

static void describe_ingest(struct buf *out, const struct plan_ingest *ingest)
{
    describe_place(out, "ingest", &ingest->at,
                   ingest->at.identity  ? "with authorize"
                   : ingest->key_count ? "with a key"
                                        : "open to all");
    buf_printf(out, ", %u events a request", ingest->batch_max);
    go_on(out);
    for (size_t i = 0; i < ingest->handler_count; i++)
        buf_printf(out, "%s%s", i ? ", " : "handles ", ingest->handlers[i].type->text);
    buf_add_char(out, '\n');
}

static void describe_static(struct buf *out, const struct plan_static *files)
{
    describe_endpoint(out, "static", &files->at);
    buf_printf(out, ", %s\n", files->directory);
}

static void describe_plan(struct buf *out, const struct plan *plan, const char *path)
{
    buf_printf(out, "\napp %s  (%s)\n", plan->app->text, path);
    for (size_t i = 0; i < plan->stream_count; i++) describe_stream(out, plan->streams[i]);
    for (size_t i = 0; i < plan->route_count; i++) {
        describe_endpoint(out, "route", &plan->routes[i]->at);
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < plan->ingest_count; i++) describe_ingest(out, plan->ingests[i]);
    for (size_t i = 0; i < plan->static_count; i++) describe_static(out, plan->statics[i]);
    for (size_t i = 0; i < plan->topic_count; i++) describe_topic(out, plan->topics[i]);
    for (size_t i = 0; i < plan->upstream_count; i++) describe_upstream(out, plan->upstreams[i]);
    for (size_t i = 0; i < plan->source_count; i++) describe_source(out, plan->sources[i]);
    for (size_t i = 0; i < plan->every_count; i++)
        buf_printf(out, "  %-10s %-39s every %.15g s\n", "timer", plan->everys[i]->name->text,
                   seconds(plan->everys[i]->period_ms));
}

void describe(const struct config *config, const struct rules *rules, struct buf *out)
{
    const struct plan *plan;
    const char *path;
    buf_printf(out, "%s is good.\n\n", config->path);
    describe_list(out, "listen", &config->listen);
    if (config->listen_trusted.count)
        describe_list(out, "trusted", &config->listen_trusted);
    describe_list(out, "admin", &config->admin);
    describe_redis(out, config);
    if (config->workers > 1)
        buf_printf(out, "%-10s%llu; the admin listener and the limits are each worker's\n", "workers",
                   (unsigned long long)config->workers);
    describe_limits(out, config);
    for (size_t i = 0; (plan = rules_plan(rules, i, &path)); i++) describe_plan(out, plan, path);
}
