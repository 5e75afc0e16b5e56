/* A feed lives as long as its link or its queue: when the last lease is gone
 * and the grace is over, the link closes, what it brought before is still
 * handled, then the feed goes. A new lease for the same key meanwhile gets a
 * new feed. A reload moves it to the declaration of the same name, whose handler
 * gets the next event; without one its link closes, and the earlier rules handle
 * the rest.
 *
 * The queue holds copies: the parser's bytes are gone when its callback
 * returns. It is bounded: when it is full the link is paused, which the
 * upstream feels as a closed window, so nothing is dropped here. */
#include "engine/feeds.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/text.h"
#include "engine/carriage.h"
#include "engine/census.h"
#include "engine/feed.h"
#include "engine/renewal.h"
#include "engine/shadow.h"
#include "engine/tenure.h"

#define EVENTS_PER_ROUND 64

enum item_kind {
    ITEM_EVENT,   /* that the link brought */
    ITEM_LIFE,    /* of the link itself: @open, @lost, @unauthorized */
    ITEM_REOPENED /* tell those concerned */
};

struct item {
    struct list node;
    enum item_kind kind;
    uint32_t type_size, id_size;
    size_t data_size;
    char bytes[]; /* type, id, data */
};

static void feed_key_bytes(const struct plan_upstream *upstream, struct bytes key, struct buf *out)
{
    buf_add_bytes(out, atom_bytes(upstream->name));
    buf_add_char(out, '\0');
    buf_add_bytes(out, key);
}

void feeds_create(struct feeds *feeds, struct app *app)
{
    *feeds = (struct feeds){._app = app, ._by_key = DICT_EMPTY};
    list_create(&feeds->_all);
    renewals_create(&feeds->renewals, app);
    tenures_create(feeds);
}

void feed_post(struct feed *feed)
{
    later_post(app_ports(feed->app)->later, LATER_SOON, &feed->job);
}

static void feed_free(struct feed *feed)
{
    later_cancel(&feed->job);
    list_remove(&feed->node);
    tenure_free(feed->tenure);
    generation_unref(feed->generation);
    atom_unref(feed->data);
    atom_unref(feed->key);
    xfree(feed);
}

/* Forgets the feed under its key, unless a newer one stands there. */
static void feed_unlist(struct feed *feed)
{
    struct buf name = BUF_EMPTY;
    feed_key_bytes(feed->upstream, atom_bytes(feed->key), &name);
    if (dict_get(&feed->feeds->_by_key, buf_bytes(&name)) == feed)
        dict_remove(&feed->feeds->_by_key, buf_bytes(&name));
    buf_destroy(&name);
}

static void enqueue(struct feed *feed, enum item_kind kind, struct bytes type, struct bytes id,
                    struct bytes data)
{
    struct item *item = xmalloc(sizeof(*item) + type.size + id.size + data.size);
    item->kind = kind;
    item->type_size = (uint32_t)type.size;
    item->id_size = (uint32_t)id.size;
    item->data_size = data.size;
    char *at = item->bytes;
    if (type.size) memcpy(at, type.data, type.size);
    if (id.size) memcpy(at + type.size, id.data, id.size);
    if (data.size) memcpy(at + type.size + id.size, data.data, data.size);
    list_append(&feed->queue, &item->node);
    feed->queued++;
    if (!feed->paused && feed->link && feed->queued >= feed->upstream->queue_max) {
        feed->paused = true;
        link_pause(feed->link, true);
    }
    feed_post(feed);
}

static void finish(struct feed *feed)
{
    xfree(feed->current);
    feed->current = NULL;
    feed_post(feed);
}

static void on_saved(void *owner, const struct carried *carried)
{
    struct feed *feed = owner;
    tenure_handled(feed->tenure, carried->code);
    finish(feed);
}

/* What is at hand counts as handled, though no call has published that; `resync`: and those concerned must re-read. */
static void save(struct feed *feed, const char *resync, uint64_t cause)
{
    struct buf name = BUF_EMPTY;
    struct app_emit emit;
    const bool told = resync && feed_resync_emit(feed, resync, cause, &name, &emit);
    app_publish(feed->app, &emit, told, feed->terms, BYTES(""), on_saved, feed);
    buf_destroy(&name);
}

static void resync(struct feed *feed, const char *reason, uint64_t cause)
{
    if (feed->tenure) {
        save(feed, reason, cause);
    } else {
        feed_tell_resync(feed, reason, cause);
        finish(feed);
    }
}

/* Redis took it for wrong, and would again. */
static bool is_refused(const char *code)
{
    return code && (strcmp(code, "error") == 0 || strcmp(code, "full") == 0);
}

static void on_handled(void *owner, const struct hook_result *result)
{
    struct feed *feed = owner;
    struct shadow *shadow = app_shadow(feed->app);
    errand_over(&feed->handling);
    if (shadow) shadow_live_ended(shadow, &feed->event, result->outcome);
    if (is_refused(result->unpublished) ||
        (result->outcome == OUTCOME_UNKNOWN && !result->unpublished)) {
        feed->feeds->counters.failed++;
        resync(feed, "rule", result->cause);
        return;
    }
    if (feed->tenure) tenure_handled(feed->tenure, result->unpublished);
    finish(feed);
}

static void view(struct feed *feed, const struct item *item)
{
    const char *id = item->bytes + item->type_size;
    feed->event = (struct event){
        .source = feed->upstream->name,
        .type = bytes_run(item->bytes, item->type_size),
        .id = bytes_run(id, item->id_size),
        .data = bytes_run(id + item->id_size, item->data_size),
        .key = atom_bytes(feed->key),
    };
}

static void no_handler(struct feed *feed, enum item_kind kind)
{
    struct shadow *shadow = app_shadow(feed->app);
    if (kind == ITEM_EVENT) feed->feeds->counters.unhandled++;
    if (shadow) {
        shadow_event(shadow, &feed->event, kind == ITEM_LIFE);
        shadow_live_ended(shadow, &feed->event, OUTCOME_YES);
    }
    if (feed->tenure && feed->event.id.size)
        save(feed, NULL, 0);
    else
        finish(feed);
}

/* Takes the item: the handler borrows its bytes until on_handled, which may come at once. */
static void handle_event(struct feed *feed, struct item *item)
{
    const bool brought = item->kind == ITEM_EVENT;
    view(feed, item);
    const hook run = brought ? plan_handler_of(feed->upstream, feed->event.type)
                             : plan_life_handler_of(feed->upstream, feed->event.type);
    if (brought) feed->feeds->counters.events++;
    feed->current = item;
    feed->terms = tenure_terms(feed->tenure, feed->event.id);
    if (!run) {
        no_handler(feed, item->kind);
        return;
    }
    const struct hook_call call = {
        .kind = HOOK_EVENT, .hook = run, .event = &feed->event, .terms = feed->terms};
    struct shadow *shadow = app_shadow(feed->app);
    if (shadow) shadow_event(shadow, &feed->event, !brought);
    errand_start(&feed->handling, feed->generation, &call, on_handled, feed);
}

/* Nothing of what comes behind is handled before that has been published. No rule is asked: the call that explains it is the
 * link's own. */
static void tell_reopened(struct feed *feed, struct item *item)
{
    struct explain *explain = app_explain(feed->app);
    const struct explain_about about = {.source = feed->upstream->name,
                                        .key = atom_bytes(feed->key),
                                        .type = BYTES("@reopened")};
    const uint64_t cause = explain_begin(explain, &about);
    explain_end(explain, cause, EXPLAIN_RETURNED, BYTES(""));
    feed->current = item;
    feed->terms = tenure_terms(feed->tenure, BYTES(""));
    resync(feed, "upstream", cause);
}

static void unpause(struct feed *feed)
{
    if (!feed->paused || feed->queued > feed->upstream->queue_max / 2) return;
    feed->paused = false;
    if (feed->link) link_pause(feed->link, false);
}

static struct item *dequeue(struct feed *feed)
{
    struct item *item = CONTAINER(feed->queue.next, struct item, node);
    list_remove(&item->node);
    feed->queued--;
    return item;
}

void feed_drop_queue(struct feed *feed)
{
    while (feed->queued) xfree(dequeue(feed));
    unpause(feed);
}

/* Handles what waits until a handler has to wait itself. */
static void feed_work(struct job *job)
{
    struct feed *feed = CONTAINER(job, struct feed, job);
    for (int i = 0; i < EVENTS_PER_ROUND && !feed->current && feed->queued; i++) {
        if (!tenure_holds(feed->tenure)) {
            feed_drop_queue(feed);
            break;
        }
        struct item *item = dequeue(feed);
        if (item->kind == ITEM_REOPENED)
            tell_reopened(feed, item);
        else
            handle_event(feed, item);
    }
    unpause(feed);
    if (!feed->current && feed->queued) feed_post(feed);
    if (!feed->current && !feed->queued && !feed->link && list_empty(&feed->leases))
        feed_free(feed);
}

/* The request that opens the link: the data is the most recently authenticated leaseholder's. */
static void on_asked(void *owner, const struct hook_result *result)
{
    struct feed *feed = owner;
    errand_over(&feed->asking);
    if (!feed->link) return;
    if (result->outcome == OUTCOME_YES) {
        feed->request_hash = renewal_hash(result);
        link_request(feed->link, result->text, result->headers, result->header_count);
        if (feed->unrenewed) renewal_due(feed); /* that was by the rules of before */
    } else
        link_request_failed(feed->link, result->outcome == OUTCOME_NO ? "the rule gave no request"
                                                                      : "the rule failed");
}

struct hook_call feed_request(const struct feed *feed)
{
    return (struct hook_call){.kind = HOOK_REQUEST,
                              .hook = feed->upstream->request,
                              .key = atom_bytes(feed->key),
                              .data = feed->data};
}

static void on_ask(void *owner, bool second_opinion)
{
    struct feed *feed = owner;
    (void)second_opinion; /* the newest leaseholder's data is what is always used */
    if (tenure_lets_go(feed->tenure)) return;
    feed_take_data(feed);
    const struct hook_call call = feed_request(feed);
    renewal_drop(feed); /* it is asked of the rules of the day now */
    errand_start(&feed->asking, feed->generation, &call, on_asked, feed);
}

static void on_ask_cancel(void *owner)
{
    struct feed *feed = owner;
    errand_cancel(&feed->asking);
}

static void on_opened(void *owner, bool reopened)
{
    struct feed *feed = owner;
    feed->feeds->counters.opened++;
    const bool told = tenure_opened(feed->tenure, reopened) || (!reopened && feed->early_left);
    feed_tell_early(feed, told || (feed->tenure && reopened));
    if (told || (reopened && !link_resumed(feed->link))) feed_reopened(feed);
    enqueue(feed, ITEM_LIFE, BYTES("@open"), BYTES(""),
            reopened ? BYTES("{\"reopened\":true}") : BYTES("{\"reopened\":false}"));
}

static void on_event(void *owner, const struct sse_event *event)
{
    enqueue(owner, ITEM_EVENT, event->type, event->id, event->data);
}

static void on_lost(void *owner, enum link_loss loss, int status, const char *detail,
                    int64_t delay_ms)
{
    struct feed *feed = owner;
    feed->feeds->counters.lost++;
    struct buf data = BUF_EMPTY;
    buf_printf(&data, "{\"status\":%d,\"detail\":", status);
    text_json_string(&data, bytes_of(detail));
    if (delay_ms >= 0)
        buf_printf(&data, ",\"retry\":%lld.%03lld}", (long long)delay_ms / 1000,
                   (long long)delay_ms % 1000);
    else
        buf_add_text(&data, ",\"retry\":null}");
    enqueue(feed, ITEM_LIFE,
            loss == LINK_UNAUTHORIZED ? BYTES("@unauthorized") : BYTES("@lost"), BYTES(""),
            buf_bytes(&data));
    buf_destroy(&data);
    tenure_lost(feed->tenure);
}

static void on_closed(void *owner)
{
    struct feed *feed = owner;
    renewal_drop(feed);
    tenure_closed(feed->tenure, !feed->closing);
    feed_unlist(feed);
    link_unref(feed->link);
    feed->link = NULL;
    app_census(feed->app)->links--;
    feed_post(feed);
}

static const struct link_events link_events = {
    .ask = on_ask,
    .ask_cancel = on_ask_cancel,
    .opened = on_opened,
    .event = on_event,
    .lost = on_lost,
    .closed = on_closed,
};

static struct feed *feed_new(struct feeds *feeds, const struct plan_upstream *upstream,
                             struct bytes key)
{
    const struct engine_ports *ports = app_ports(feeds->_app);
    const struct link_ports link_ports = {.clock = ports->clock,
                                          .random = ports->random,
                                          .log = ports->log,
                                          .transport = ports->transport,
                                          .gate = ports->gate};
    struct feed *feed = xcalloc(1, sizeof(*feed));
    feed->app = feeds->_app;
    feed->feeds = feeds;
    feed->generation = generation_ref(app_generation(feed->app));
    feed->upstream = upstream;
    feed->key = atom_get(key);
    list_create(&feed->leases);
    list_create(&feed->queue);
    job_create(&feed->job, feed_work);
    list_append(&feeds->_all, &feed->node);
    feed->link = link_new(&link_ports, &upstream->policy, atom_bytes(upstream->name), key,
                          &link_events, feed);
    app_census(feed->app)->links++;
    feed->tenure = tenure_new(feed);
    return feed;
}

void feed_close(struct feed *feed)
{
    feed->closing = true;
    if (feed->link) link_close(feed->link);
}

void feed_reopened(struct feed *feed)
{
    enqueue(feed, ITEM_REOPENED, BYTES(""), BYTES(""), BYTES(""));
}

bool feeds_lease(struct feeds *feeds, const struct plan_upstream *upstream, struct bytes key,
                 struct seat *seat, struct lease *lease)
{
    struct buf name = BUF_EMPTY;
    feed_key_bytes(upstream, key, &name);
    struct feed *feed = dict_get(&feeds->_by_key, buf_bytes(&name));
    if (!feed && census_links_left(app_census(feeds->_app))) {
        feed = feed_new(feeds, upstream, key);
        dict_set(&feeds->_by_key, buf_bytes(&name), feed);
    }
    buf_destroy(&name);
    if (!feed) return false;
    *lease = (struct lease){.feed = feed, .seat = seat};
    list_append(&feed->leases, &lease->_node);
    lease->_early = !link_ever_opened(feed->link);
    tenure_wanted(feed->tenure);
    link_acquire(feed->link);
    return true;
}

void feeds_swap(struct feeds *feeds)
{
    struct generation *generation = app_generation(feeds->_app);
    LIST_EACH(node, &feeds->_all) {
        struct feed *feed = CONTAINER(node, struct feed, node);
        const struct plan_upstream *upstream =
            plan_upstream_named(generation_plan(generation), feed->upstream->name);
        if (upstream) {
            feed->upstream = upstream;
            generation_set(&feed->generation, generation);
            if (feed->link) {
                tenure_swap(feed->tenure);
                link_set_policy(feed->link, &upstream->policy);
                renewal_due(feed);
            }
            feed_post(feed); /* its queue may be longer now */
        } else {
            feed_close(feed);
        }
    }
}

void feeds_close(struct feeds *feeds)
{
    LIST_EACH(node, &feeds->_all) {
        feed_close(CONTAINER(node, struct feed, node));
    }
}

void feeds_counters_add(struct feeds_counters *sum, const struct feeds_counters *more)
{
    sum->events += more->events;
    sum->unhandled += more->unhandled;
    sum->failed += more->failed;
    sum->opened += more->opened;
    sum->lost += more->lost;
}

bool feeds_idle(const struct feeds *feeds)
{
    return list_empty(&feeds->_all);
}

void feeds_destroy(struct feeds *feeds)
{
    CHECK(feeds_idle(feeds) && feeds->_by_key.count == 0);
    tenures_destroy(feeds);
    renewals_destroy(&feeds->renewals);
    dict_destroy(&feeds->_by_key);
}

void feeds_each(struct feeds *feeds,
                void (*each)(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                             struct link *link),
                void *ctx)
{
    for (struct dict_entry *at = NULL; (at = dict_next(&feeds->_by_key, at));) {
        struct feed *feed = at->value;
        each(ctx, feed->upstream, atom_bytes(feed->key), feed->link);
    }
}
