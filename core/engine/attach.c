/* While a seat is on its way in, what only that needs stands in its arrival:
 * the exchange, the hook that runs, the names gathered so far. When it is live
 * the arrival is gone, so that an idle subscriber costs what it must.
 *
 * Every step is a function that either moves on or leaves a hook running; each
 * hook's `done` comes back here. The order of the steps matters: keys and names
 * are known before the first lease, and leases are taken in the same breath in
 * which the subscriber starts, so nothing can slip between them. */
#include "engine/attach.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "engine/answer.h"
#include "engine/guard.h"
#include "engine/leases.h"
#include "engine/node.h"
#include "engine/refusal.h"
#include "engine/seat.h"

struct arrival {
    struct exchange *exchange;
    struct errand errand; /* the step's hook */
    struct buf *keys; /* one per upstream of the stream; empty: no lease */
    size_t key_count;
    size_t at_upstream;
    struct bytes *names; /* owned copies */
    size_t name_count;
    struct bytes asked;  /* what is left of the query to look through for topics */
    struct pattern_match match; /* of the topic that `subscribe` is asked about */
};

static void next_key(struct seat *seat);
static void ask_topics(struct seat *seat);
static void next_asked_topic(struct seat *seat);
static void go_live(struct seat *seat);

/* ---- ends ---- */

static void arrival_free(struct arrival *arrival)
{
    for (size_t i = 0; i < arrival->key_count; i++) buf_destroy(&arrival->keys[i]);
    for (size_t i = 0; i < arrival->name_count; i++) xfree((char *)arrival->names[i].data);
    pattern_match_destroy(&arrival->match);
    xfree(arrival->keys);
    xfree(arrival->names);
    xfree(arrival);
}

/* The one way out before it is live: what runs is cancelled, what was taken goes back. */
static void leave(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    errand_cancel(&arrival->errand);
    seat->arrival = NULL;
    seat_free(seat);
    arrival_free(arrival);
}

static void on_gone(void *owner)
{
    leave(owner);
}

static void refuse(struct seat *seat, enum refused why)
{
    struct exchange *exchange = seat->arrival->exchange;
    struct answer_headers headers = {.count = 0};
    guard_headers(&seat->stream->at, &exchange->request, &headers);
    node_refused(app_node(seat->app), why);
    refusal_answer(exchange, why, seat->stream->refusal, app_ports(seat->app)->random, &headers);
    leave(seat);
}

/* NO refuses as `no`, UNKNOWN as don't know; true if the step may go on. */
static bool let_pass(struct seat *seat, enum outcome outcome, enum refused no)
{
    if (outcome == OUTCOME_YES) return true;
    refuse(seat, outcome == OUTCOME_NO ? no : REFUSED_UNKNOWN);
    return false;
}

/* ---- the steps ---- */

/* The seat may be gone afterwards: see errand_start. */
static void run_hook(struct seat *seat, struct hook_call *call, hook_done_f *done)
{
    call->request = &seat->arrival->exchange->request;
    call->seat = seat;
    errand_start(&seat->arrival->errand, seat->generation, call, done, seat);
}

static void on_authenticated(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    errand_over(&seat->arrival->errand);
    if (!let_pass(seat, result->outcome, REFUSED_NO_IDENTITY)) return;
    seat->who = result->who;
    atom_ref(seat->who.user);
    atom_ref(seat->who.data);
    const uint32_t bound = app_limits(seat->app)->streams_per_user;
    if (bound && seat->who.user &&
        hub_user_subscribers(app_hub(seat->app), seat->who.user) >= bound) {
        refuse(seat, REFUSED_FULL);
        return;
    }
    next_key(seat);
}

static void on_key(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    struct arrival *arrival = seat->arrival;
    errand_over(&arrival->errand);
    if (result->outcome == OUTCOME_UNKNOWN) {
        refuse(seat, REFUSED_UNKNOWN);
        return;
    }
    if (result->outcome == OUTCOME_YES)
        buf_add_bytes(&arrival->keys[arrival->at_upstream], result->text);
    arrival->at_upstream++;
    next_key(seat);
}

static void next_key(struct seat *seat)
{
    if (seat->arrival->at_upstream == seat->arrival->key_count) {
        ask_topics(seat);
        return;
    }
    struct hook_call call = {.kind = HOOK_KEY,
                             .hook = seat->stream->upstreams[seat->arrival->at_upstream]->key};
    run_hook(seat, &call, on_key);
}

static void add_name(struct arrival *arrival, struct bytes name)
{
    arrival->names =
        xrealloc(arrival->names, (arrival->name_count + 1) * sizeof(*arrival->names));
    arrival->names[arrival->name_count++] =
        bytes_run(xmemdup(name.data, name.size), name.size);
}

static void on_topics(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    errand_over(&seat->arrival->errand);
    if (result->outcome == OUTCOME_UNKNOWN) {
        refuse(seat, REFUSED_UNKNOWN);
        return;
    }
    if (result->outcome == OUTCOME_YES)
        for (size_t i = 0; i < result->name_count; i++) add_name(seat->arrival, result->names[i]);
    next_asked_topic(seat);
}

static void ask_topics(struct seat *seat)
{
    seat->arrival->asked = seat->arrival->exchange->request.query;
    if (!seat->stream->topics) {
        next_asked_topic(seat);
        return;
    }
    struct hook_call call = {.kind = HOOK_TOPICS, .hook = seat->stream->topics};
    run_hook(seat, &call, on_topics);
}

static void on_subscribe(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    errand_over(&seat->arrival->errand);
    if (let_pass(seat, result->outcome, REFUSED_FORBIDDEN)) next_asked_topic(seat);
}

/* The next `topic=` of the query, decoded; an empty name for a broken escape, which no topic has; data
 * NULL at the end. */
static struct bytes take_asked(struct arrival *arrival, struct buf *out)
{
    struct bytes *rest = &arrival->asked;
    while (rest->size) {
        const char *end = memchr(rest->data, '&', rest->size);
        struct bytes pair = bytes_run(rest->data, end ? (size_t)(end - rest->data) : rest->size);
        size_t used = pair.size + (end ? 1 : 0);
        *rest = bytes_run(rest->data + used, rest->size - used);
        if (pair.size < 6 || memcmp(pair.data, "topic=", 6) != 0) continue;
        bool good = text_percent_decode(out, bytes_run(pair.data + 6, pair.size - 6), true);
        return good && out->size ? buf_bytes(out) : BYTES("");
    }
    return (struct bytes){NULL, 0};
}

/* A topic that the client asks for goes through its `subscribe`; without one: no. */
static void next_asked_topic(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    if (arrival->name_count > seat->stream->topics_max) {
        refuse(seat, REFUSED_FORBIDDEN);
        return;
    }
    struct buf decoded = BUF_EMPTY;
    struct bytes name = take_asked(arrival, &decoded);
    if (!name.data) {
        buf_destroy(&decoded);
        go_live(seat);
        return;
    }
    pattern_match_destroy(&arrival->match);
    const struct plan *plan = generation_plan(seat->generation);
    const struct plan_topic *topic = plan_topic_of(plan, name, &arrival->match);
    if (topic) add_name(arrival, name);
    buf_destroy(&decoded);
    if (!topic || !topic->subscribe) {
        refuse(seat, REFUSED_FORBIDDEN);
        return;
    }
    struct hook_call call = {.kind = HOOK_SUBSCRIBE,
                             .hook = topic->subscribe,
                             .name = arrival->names[arrival->name_count - 1],
                             .pattern = topic->pattern,
                             .params = &arrival->match};
    run_hook(seat, &call, on_subscribe);
}

/* ---- live ---- */

static struct sink *open_stream(struct seat *seat)
{
    struct exchange *exchange = seat->arrival->exchange;
    struct answer_headers headers = {.count = 0};
    answer_stream_headers(&headers);
    guard_headers(&seat->stream->at, &exchange->request, &headers);
    return exchange->ops->stream(exchange, 200, headers.items, headers.count);
}

static struct buf wanted_cursor(const struct http_request *request)
{
    struct buf cursor = BUF_EMPTY;
    struct bytes header = http_header_get(request, "last-event-id");
    if (header.data)
        buf_add_bytes(&cursor, header);
    else if (!text_query_get(request->query, "last_event_id", &cursor))
        buf_clear(&cursor);
    return cursor;
}

/* The rules may have been reloaded on the way: the seat goes live as what its stream is now. */
static bool renew(struct seat *seat)
{
    const struct arrival *arrival = seat->arrival;
    if (seat->generation == app_generation(seat->app)) return true;
    for (size_t i = 0; i < arrival->name_count; i++)
        if (!app_topic(seat->app, arrival->names[i], NULL)) return false;
    return seat_renew(seat);
}

static bool take_leases(struct seat *seat, enum refused *why)
{
    const struct plan_stream *asked = seat->stream;
    struct generation *held = generation_ref(seat->generation);
    bool good = renew(seat);
    *why = good ? REFUSED_FULL : REFUSED_UNKNOWN;
    good = good && leases_take(seat, asked, seat->arrival->keys);
    generation_unref(held);
    return good;
}

static void go_live(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    enum refused why;
    if (!take_leases(seat, &why)) {
        refuse(seat, why);
        return;
    }
    struct buf cursor = wanted_cursor(&arrival->exchange->request);
    struct sink *sink = open_stream(seat);
    seat->arrival = NULL;
    seat_begin(seat, sink, arrival->names, arrival->name_count,
               cursor.size ? buf_bytes(&cursor) : (struct bytes){NULL, 0});
    arrival_free(arrival);
    buf_destroy(&cursor);
}

/* ---- the way in ---- */

/* The tab's own name: the header, then the query. False: one is there and is malformed. */
static bool read_tag(const struct http_request *request, struct atom **tag)
{
    *tag = NULL;
    struct bytes header = http_header_get(request, "x-session-tag");
    struct buf query = BUF_EMPTY;
    if (!header.data && text_query_get(request->query, "tag", &query)) header = buf_bytes(&query);
    bool good = !header.size || text_is_tag(header);
    if (good && header.size) *tag = atom_get(header);
    buf_destroy(&query);
    return good;
}

bool attach_read_tag(struct exchange *exchange, struct atom **tag)
{
    if (read_tag(&exchange->request, tag)) return true;
    answer_error(exchange, 400, "bad_tag",
                 "A session tag is 16 to 64 characters of [A-Za-z0-9_-].", 0, NULL);
    return false;
}

void attach_request(struct app *app, struct plan_stream *stream, struct exchange *exchange)
{
    struct atom *tag;
    if (!attach_read_tag(exchange, &tag)) return;
    struct seat *seat = seat_new(app, stream, tag);
    seat->arrival = xcalloc(1, sizeof(*seat->arrival));
    seat->arrival->exchange = exchange;
    seat->arrival->key_count = stream->upstream_count;
    seat->arrival->keys = xcalloc(stream->upstream_count, sizeof(struct buf));
    exchange->gone = on_gone;
    exchange->owner = seat;
    if (!seat->counted) {
        refuse(seat, REFUSED_FULL);
        return;
    }
    if (!stream->at.identity) {
        next_key(seat);
        return;
    }
    struct hook_call call = {.kind = HOOK_AUTHENTICATE, .hook = stream->at.identity, .tag = tag};
    run_hook(seat, &call, on_authenticated);
}

void attach_abandon(struct seat *seat, uint64_t retry_ms)
{
    if (seat->subscriber)
        subscriber_dismiss(seat->subscriber, END_DRAIN, retry_ms);
    else if (seat->arrival)
        refuse(seat, REFUSED_UNKNOWN);
}
