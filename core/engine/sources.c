/* A source lives as long as its declaration, or its queue: when it is closed, what it brought before is still
 * handled. The queue holds copies, as the server's bytes are gone when its callback returns. Nothing can
 * be held back on a channel, so what the queue has no room for is dropped, and the gap stands in the queue at
 * its place. */
#include "engine/sources.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/errand.h"
#include "engine/holding.h"
#include "engine/recall.h"
#include "engine/shadow.h" /* and the app */
#include "engine/terms.h"
#include "ports/redis.h"

enum { MESSAGES_PER_ROUND = 64, QUEUE_BYTES_MAX = 16 << 20 };

/* A message; without a channel it is a gap. */
struct item {
    struct list node;
    size_t channel_size, data_size;
    char bytes[]; /* channel, data */
};

struct source {
    struct list node;
    struct app *app;
    struct sources *sources;
    struct generation *generation; /* the one of its plan; held */
    const struct plan_source *plan;
    struct holding *holding; /* NULL: none is needed */
    struct recall recall;    /* where nodes share a Redis */
    struct redis *redis;     /* NULL: closed, or not held */
    struct terms terms;      /* of the call at hand: in the name of what it holds */
    bool wished;             /* its declaration stands */
    struct errand handling;
    struct item *current; /* what the handler has at hand, and its view of it */
    struct event event;
    struct list queue;
    uint32_t queued;
    size_t queued_bytes;
    bool gap_queued; /* the newest in the queue is one */
    struct job job;
};

static void source_work(struct job *job);

static void source_post(struct source *source)
{
    later_post(app_ports(source->app)->later, LATER_SOON, &source->job);
}

static struct log *log_of(const struct source *source)
{
    return app_ports(source->app)->log;
}

/* ---- gaps ---- */

struct telling {
    const struct source *source;
    struct atom **names;
    size_t count;
};

static bool concerns(const struct source *source, const struct topic_options *options)
{
    const struct plan_source *plan = source->plan;
    bool concerned = options->owner && plan->topic_count == 0;
    for (size_t i = 0; i < plan->topic_count; i++)
        concerned = concerned || plan->topics[i] == options->owner;
    return concerned;
}

static bool recall_concerns(struct recall *recall, const struct topic_options *options)
{
    return concerns(CONTAINER(recall, struct source, recall), options);
}

static void note_topic(void *ctx, struct topic *topic)
{
    struct telling *telling = ctx;
    if (!concerns(telling->source, topic_options(topic))) return;
    telling->names = xrealloc(telling->names, (telling->count + 1) * sizeof(struct atom *));
    telling->names[telling->count++] = atom_ref(topic_name(topic));
}

/* Those topics that somebody has, or has had not long ago, must be read again. */
static void tell(struct source *source, const char *reason, uint64_t cause)
{
    struct telling telling = {.source = source};
    if (app_carrier(source->app)) {
        recall_begin(&source->recall, reason);
        return;
    }
    hub_topics_each(app_hub(source->app), note_topic, &telling);
    for (size_t i = 0; i < telling.count; i++) {
        const struct app_emit emit = {
            .name = atom_bytes(telling.names[i]), .emit = {.cause = cause}, .resync = reason};
        app_emit(source->app, &emit, 1);
        atom_unref(telling.names[i]);
    }
    xfree(telling.names);
}

/* No rule is asked: the call that explains it is the source's own. */
static void tell_gap(struct source *source)
{
    struct explain *explain = app_explain(source->app);
    const struct explain_about about = {.source = source->plan->name,
                                        .key = atom_bytes(source->plan->channel),
                                        .type = BYTES("@gap")};
    const uint64_t cause = explain_begin(explain, &about);
    explain_end(explain, cause, EXPLAIN_RETURNED, BYTES(""));
    source->sources->counters.gaps++;
    tell(source, "upstream", cause);
}

/* ---- the queue ---- */

static void enqueue(struct source *source, struct bytes channel, struct bytes data)
{
    struct item *item = xmalloc(sizeof(*item) + channel.size + data.size);
    item->channel_size = channel.size;
    item->data_size = data.size;
    if (channel.size) memcpy(item->bytes, channel.data, channel.size);
    if (data.size) memcpy(item->bytes + channel.size, data.data, data.size);
    list_append(&source->queue, &item->node);
    source->queued++;
    source->queued_bytes += data.size;
    source->gap_queued = !channel.size;
    source_post(source);
}

/* One that follows another at once is the same. */
static void enqueue_gap(struct source *source)
{
    if (!source->gap_queued) enqueue(source, BYTES(""), BYTES(""));
}

static struct item *dequeue(struct source *source)
{
    struct item *item = CONTAINER(source->queue.next, struct item, node);
    list_remove(&item->node);
    source->queued_bytes -= item->data_size;
    if (--source->queued == 0) source->gap_queued = false;
    return item;
}

static void drop_queue(struct source *source)
{
    while (source->queued) xfree(dequeue(source));
}

/* ---- the server ---- */

static void on_up(void *owner)
{
    struct source *source = owner;
    const struct bytes channel = atom_bytes(source->plan->channel);
    if (source->plan->pattern)
        source->redis->ops->subscribe_pattern(source->redis, channel);
    else
        source->redis->ops->subscribe(source->redis, &channel, 1);
}

static void on_down(void *owner, const char *why)
{
    struct source *source = owner;
    source->sources->counters.lost++;
    LOG(log_of(source), LOG_WARN, "source lost", F_TEXT("source", source->plan->name->text), F_TEXT("why", why));
}

static void on_subscribed(void *owner, struct bytes channel)
{
    struct source *source = owner;
    LOG(log_of(source), LOG_INFO, "source listens", F_TEXT("source", source->plan->name->text),
        F_BYTES("channel", channel));
    enqueue_gap(source);
}

static void on_message(void *owner, struct bytes channel, struct bytes payload)
{
    struct source *source = owner;
    if (source->queued < source->plan->queue_max &&
        source->queued_bytes + payload.size <= QUEUE_BYTES_MAX && channel.size)
        enqueue(source, channel, payload);
    else
        enqueue_gap(source);
}

static const struct redis_events redis_events = {
    .up = on_up, .down = on_down, .subscribed = on_subscribed, .message = on_message};

static void source_open(struct source *source)
{
    struct redis_opener *opener = app_ports(source->app)->redis;
    struct buf error = BUF_EMPTY;
    if (source->redis || !opener) return;
    source->redis =
        opener->open(opener, atom_bytes(source->plan->url), &redis_events, source, &error);
    if (!source->redis)
        LOG(log_of(source), LOG_ERROR, "source cannot be opened",
            F_TEXT("source", source->plan->name->text), F_TEXT("why", buf_text(&error)));
    buf_destroy(&error);
}

static void source_shut(struct source *source)
{
    if (source->redis) source->redis->ops->close(source->redis);
    source->redis = NULL;
}

/* ---- who holds it ---- */

static void on_held(void *owner)
{
    struct source *source = owner;
    if (source->wished) source_open(source);
}

/* What waits is the next holder's to tell: it begins with a gap. */
static void on_lost(void *owner, const char *why)
{
    struct source *source = owner;
    LOG(log_of(source), LOG_WARN, "source not held", F_TEXT("source", source->plan->name->text),
        F_TEXT("why", why));
    source_shut(source);
    drop_queue(source);
}

static const struct holding_events holding_events = {.held = on_held, .lost = on_lost};

static void source_wish(struct source *source)
{
    struct holdings *holdings = app_ports(source->app)->holdings;
    struct buf name = BUF_EMPTY;
    source->wished = true;
    if (!holdings) {
        source_open(source);
        return;
    }
    buf_printf(&name, "redis:%s:%s", app_plan(source->app)->app->text, source->plan->name->text);
    source->holding = holdings->wish(holdings, buf_bytes(&name), &holding_events, source);
    buf_destroy(&name);
}

static bool source_held(const struct source *source)
{
    const struct holdings *holdings = app_ports(source->app)->holdings;
    return !source->holding || holdings->holds(source->holding);
}

/* ---- handling ---- */

static void on_handled(void *owner, const struct hook_result *result)
{
    struct source *source = owner;
    errand_over(&source->handling);
    xfree(source->current);
    source->current = NULL;
    struct shadow *shadow = app_shadow(source->app);
    if (shadow) shadow_live_ended(shadow, &source->event, result->outcome);
    if (result->outcome == OUTCOME_UNKNOWN) {
        source->sources->counters.failed++;
        if (!result->unpublished) tell(source, "rule", result->cause); /* else they are told already */
    }
    source_post(source);
}

static const struct terms *terms_of(struct source *source)
{
    const struct holdings *holdings = app_ports(source->app)->holdings;
    source->terms = (struct terms){0};
    if (!source->holding) return NULL;
    holdings->terms(source->holding, &source->terms);
    return source->terms.claim.size ? &source->terms : NULL;
}

/* Takes the item: the handler borrows its bytes until on_handled, which may come at once. */
static void handle(struct source *source, struct item *item)
{
    const struct hook_call call = {.kind = HOOK_EVENT,
                                   .hook = plan_message_handler_of(source->plan),
                                   .event = &source->event,
                                   .terms = terms_of(source)};
    struct shadow *shadow = app_shadow(source->app);
    source->event = (struct event){.source = source->plan->name,
                                   .type = BYTES("message"),
                                   .key = bytes_run(item->bytes, item->channel_size),
                                   .channel = true,
                                   .data = bytes_run(item->bytes + item->channel_size, item->data_size)};
    source->sources->counters.messages++;
    source->current = item;
    if (shadow) shadow_event(shadow, &source->event, false);
    errand_start(&source->handling, source->generation, &call, on_handled, source);
}

static void source_free(struct source *source)
{
    later_cancel(&source->job);
    if (source->holding) app_ports(source->app)->holdings->give_up(source->holding);
    list_remove(&source->node);
    if (app_carrier(source->app)) recall_destroy(&source->recall);
    generation_unref(source->generation);
    xfree(source);
}

/* Who was stopped for a while may not hold it any more, and be the last to hear of that. */
static void source_work(struct job *job)
{
    struct source *source = CONTAINER(job, struct source, job);
    if (source->queued && !source_held(source)) drop_queue(source);
    for (int i = 0; i < MESSAGES_PER_ROUND && !source->current && source->queued; i++) {
        struct item *item = dequeue(source);
        if (item->channel_size) {
            handle(source, item);
        } else {
            tell_gap(source);
            xfree(item);
        }
    }
    if (!source->current && source->queued) source_post(source);
    if (!source->current && !source->queued && !source->wished) source_free(source);
}

/* ---- life ---- */

/* It holds on until what it brought is handled, so that this goes out in its name. */
static void source_end(struct source *source)
{
    source->wished = false;
    source_shut(source);
    source_post(source);
}

static void source_new(struct sources *sources, const struct plan_source *plan)
{
    struct source *source = xcalloc(1, sizeof(*source));
    source->app = sources->_app;
    source->sources = sources;
    source->generation = generation_ref(app_generation(source->app));
    source->plan = plan;
    list_create(&source->queue);
    job_create(&source->job, source_work);
    if (app_carrier(source->app))
        recall_create(&source->recall, app_carrier(source->app), app_ports(source->app)->clock, recall_concerns);
    list_append(&sources->_all, &source->node);
    source_wish(source);
}

static bool same_place(const struct plan_source *a, const struct plan_source *b)
{
    return a->url == b->url && a->channel == b->channel && a->pattern == b->pattern;
}

static void source_swap(struct source *source, const struct plan_source *plan)
{
    source->wished = true; /* again, if it was about to go */
    if (!same_place(source->plan, plan)) source_shut(source);
    source->plan = plan;
    generation_set(&source->generation, app_generation(source->app));
    if (source_held(source)) source_open(source);
    source_post(source);
}

static struct source *source_of(const struct sources *sources, const struct atom *name)
{
    LIST_EACH(node, &sources->_all) {
        struct source *source = CONTAINER(node, struct source, node);
        if (source->plan->name == name) return source;
    }
    return NULL;
}

void sources_create(struct sources *sources, struct app *app)
{
    *sources = (struct sources){._app = app};
    list_create(&sources->_all);
}

void sources_swap(struct sources *sources)
{
    const struct plan *plan = app_plan(sources->_app);
    LIST_EACH(node, &sources->_all) {
        struct source *source = CONTAINER(node, struct source, node);
        const struct plan_source *next = plan_source_named(plan, source->plan->name);
        if (next)
            source_swap(source, next);
        else
            source_end(source);
    }
    for (size_t i = 0; i < plan->source_count; i++)
        if (!source_of(sources, plan->sources[i]->name)) source_new(sources, plan->sources[i]);
}

void sources_close(struct sources *sources)
{
    LIST_EACH(node, &sources->_all) {
        source_end(CONTAINER(node, struct source, node));
    }
}

void sources_counters_add(struct sources_counters *sum, const struct sources_counters *more)
{
    sum->messages += more->messages;
    sum->failed += more->failed;
    sum->gaps += more->gaps;
    sum->lost += more->lost;
}

bool sources_idle(const struct sources *sources)
{
    return list_empty(&sources->_all);
}

void sources_destroy(struct sources *sources)
{
    CHECK(sources_idle(sources));
}
