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
#include "engine/feeds.h"
#include "engine/guard.h"
#include "engine/node.h"
#include "engine/refusal.h"
#include "engine/seats.h"

struct arrival {
    struct seat *seat;
    struct exchange *exchange;
    struct running *running;
    struct buf *keys;   /* one per upstream; empty: no lease */
    size_t at_upstream;
    struct bytes *names; /* owned copies */
    size_t name_count;
    struct bytes asked;  /* what is left of the query to look through for topics */
    struct pattern_match match; /* of the topic that `subscribe` is asked about */
};

struct seat {
    struct app *app;
    const struct plan_stream *stream;
    struct arrival *arrival;       /* until it is live */
    struct subscriber *subscriber; /* from then on */
    struct identity who;
    struct atom *tag; /* asked for; the subscriber's own may differ */
    uint64_t number;
    bool counted; /* among the node's streams */
    struct lease *leases; /* stream->upstream_count of them, or NULL */
    struct ending *ending; /* lifetime or expiry, or NULL */
    struct running *connecting;
};

struct ending {
    struct timer timer;
    struct seat *seat;
    enum end_reason reason;
};

static void next_key(struct seat *seat);
static void ask_topics(struct seat *seat);
static void next_asked_topic(struct seat *seat);
static void go_live(struct seat *seat);

/* ---- ends: the only places that undo what was begun ---- */

static void arrival_free(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    if (!arrival) return;
    struct hooks *hooks = app_hooks(seat->app);
    if (arrival->running) hooks->cancel(hooks, arrival->running);
    for (size_t i = 0; i < seat->stream->upstream_count; i++) buf_destroy(&arrival->keys[i]);
    for (size_t i = 0; i < arrival->name_count; i++) xfree((char *)arrival->names[i].data);
    pattern_match_destroy(&arrival->match);
    xfree(arrival->keys);
    xfree(arrival->names);
    xfree(arrival);
    seat->arrival = NULL;
}

static void release_leases(struct seat *seat)
{
    for (size_t i = 0; seat->leases && i < seat->stream->upstream_count; i++)
        lease_release(&seat->leases[i]);
}

static void seat_free(struct seat *seat)
{
    arrival_free(seat);
    release_leases(seat);
    if (seat->ending) clock_cancel(app_ports(seat->app)->clock, &seat->ending->timer);
    xfree(seat->ending);
    seats_remove(app_seats(seat->app), seat->number);
    if (seat->counted) node_seat_left(app_node(seat->app));
    atom_unref(seat->who.user);
    atom_unref(seat->who.data);
    atom_unref(seat->tag);
    xfree(seat->leases);
    xfree(seat);
}

static void on_gone(void *owner)
{
    seat_free(owner);
}

static void refuse(struct seat *seat, enum refused why)
{
    struct exchange *exchange = seat->arrival->exchange;
    struct answer_headers headers = {.count = 0};
    guard_headers(&seat->stream->at, &exchange->request, &headers);
    node_refused(app_node(seat->app), why);
    refusal_answer(exchange, why, seat->stream->refusal, app_ports(seat->app)->random, &headers);
    seat_free(seat);
}

/* NO refuses as `no`, UNKNOWN as don't know; true if the step may go on. */
static bool let_pass(struct seat *seat, enum outcome outcome, enum refused no)
{
    if (outcome == OUTCOME_YES) return true;
    refuse(seat, outcome == OUTCOME_NO ? no : REFUSED_UNKNOWN);
    return false;
}

/* ---- the steps ---- */

/* A call that returns NULL has been through `done` already, and the seat may be gone. */
static void run_hook(struct seat *seat, struct hook_call *call, hook_done_f *done)
{
    struct hooks *hooks = app_hooks(seat->app);
    call->request = &seat->arrival->exchange->request;
    call->seat = seat;
    struct running *running = hooks->call(hooks, call, done, seat);
    if (running) seat->arrival->running = running;
}

static void on_authenticated(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    seat->arrival->running = NULL;
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
    arrival->running = NULL;
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
    if (seat->arrival->at_upstream == seat->stream->upstream_count) {
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
    seat->arrival->running = NULL;
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
    seat->arrival->running = NULL;
    if (let_pass(seat, result->outcome, REFUSED_FORBIDDEN)) next_asked_topic(seat);
}

/* The next `topic=` of the query, decoded, or data NULL. */
static struct bytes take_asked(struct arrival *arrival, struct buf *out)
{
    struct bytes *rest = &arrival->asked;
    while (rest->size) {
        const char *end = memchr(rest->data, '&', rest->size);
        struct bytes pair = bytes_run(rest->data, end ? (size_t)(end - rest->data) : rest->size);
        size_t used = pair.size + (end ? 1 : 0);
        *rest = bytes_run(rest->data + used, rest->size - used);
        if (pair.size > 6 && memcmp(pair.data, "topic=", 6) == 0 &&
            text_percent_decode(out, bytes_run(pair.data + 6, pair.size - 6), true))
            return buf_bytes(out);
        buf_clear(out);
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
    const struct plan_topic *topic = app_topic(seat->app, name, &arrival->match);
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

static void on_left(void *owner, const struct hook_result *result)
{
    (void)result;
    seat_free(owner);
}

/* The seat stays until the rule has heard of the end: its handle is still good in there. */
static void on_ended(void *owner, enum end_reason reason)
{
    struct seat *seat = owner;
    struct hooks *hooks = app_hooks(seat->app);
    node_ended(app_node(seat->app), reason);
    release_leases(seat);
    if (seat->connecting) hooks->cancel(hooks, seat->connecting);
    seat->connecting = NULL;
    seat->subscriber = NULL;
    if (!seat->stream->disconnect) {
        seat_free(seat);
        return;
    }
    const struct hook_call call = {.kind = HOOK_DISCONNECT,
                                   .hook = seat->stream->disconnect,
                                   .seat = seat,
                                   .reason = end_reason_name(reason)};
    hooks->call(hooks, &call, on_left, seat);
}

static const struct subscriber_events subscriber_events = {.ended = on_ended};

static void on_end_timer(struct timer *timer)
{
    struct ending *ending = CONTAINER(timer, struct ending, timer);
    struct subscriber *subscriber = ending->seat->subscriber;
    if (!subscriber) return;
    if (ending->reason == END_EXPIRED) subscriber_control(subscriber, "expired", BYTES("{}"));
    subscriber_end(subscriber, ending->reason);
}

/* Arms the end that comes first: what authenticate said, a little before it so that those who
 * signed in together do not end together, or a random point of the lifetime's last fifth. */
static void arm_end(struct seat *seat)
{
    const struct engine_ports *ports = app_ports(seat->app);
    const uint64_t expires = seat->who.expires_wall_ms, lifetime = seat->stream->lifetime_ms;
    uint64_t delay = UINT64_MAX;
    enum end_reason reason = END_LIFETIME;
    if (lifetime) delay = lifetime - random_below(ports->random, lifetime / 5 + 1);
    if (expires) {
        uint64_t left = expires > ports->clock->wall_ms ? expires - ports->clock->wall_ms : 0;
        left -= random_below(ports->random, (left < 50000 ? left : 50000) / 10 + 1);
        if (left <= delay) {
            delay = left;
            reason = END_EXPIRED;
        }
    }
    if (delay == UINT64_MAX) return;
    seat->ending = xcalloc(1, sizeof(*seat->ending));
    seat->ending->seat = seat;
    seat->ending->reason = reason;
    timer_init(&seat->ending->timer, on_end_timer);
    clock_after(ports->clock, &seat->ending->timer, delay);
}

static void on_connected(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    seat->connecting = NULL;
    if (result->outcome == OUTCOME_NO && seat->subscriber)
        subscriber_end(seat->subscriber, END_REFUSED);
}

static void tell_connected(struct seat *seat)
{
    if (!seat->stream->connect) return;
    struct hooks *hooks = app_hooks(seat->app);
    const struct hook_call call = {
        .kind = HOOK_CONNECT, .hook = seat->stream->connect, .seat = seat};
    struct running *running = hooks->call(hooks, &call, on_connected, seat);
    if (running) seat->connecting = running;
}

static bool take_leases(struct seat *seat)
{
    const size_t count = seat->stream->upstream_count;
    if (count) seat->leases = xcalloc(count, sizeof(*seat->leases));
    for (size_t i = 0; i < count; i++) {
        struct bytes key = buf_bytes(&seat->arrival->keys[i]);
        if (key.size && !feeds_lease(app_feeds(seat->app), seat->stream->upstreams[i], key, seat,
                                     &seat->leases[i]))
            return false;
    }
    return true;
}

/* Joins every topic by its declaration. False: a name that no declaration has, or too many. */
static bool join_topics(struct seat *seat)
{
    for (size_t i = 0; i < seat->arrival->name_count; i++) {
        struct bytes name = seat->arrival->names[i];
        const struct plan_topic *declared = app_topic(seat->app, name, NULL);
        struct topic *topic =
            declared ? hub_topic(app_hub(seat->app), name, &declared->options) : NULL;
        if (!topic) {
            LOG(app_ports(seat->app)->log, LOG_ERROR, "a stream's topic cannot be had",
                F_BYTES("stream", atom_bytes(seat->stream->at.name)), F_BYTES("topic", name),
                F_TEXT("why", declared ? "too many topics" : "no app:topic declares it"));
            return false;
        }
        subscriber_join(seat->subscriber, topic);
    }
    return true;
}

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

static void go_live(struct seat *seat)
{
    if (!take_leases(seat)) {
        refuse(seat, REFUSED_FULL);
        return;
    }
    struct app *app = seat->app;
    struct buf cursor = wanted_cursor(&seat->arrival->exchange->request);
    struct sink *sink = open_stream(seat);
    struct subscriber *subscriber =
        subscriber_new(app_hub(app), &seat->stream->options, sink, seat->who.user, seat->tag,
                       &subscriber_events, seat);
    seat->subscriber = subscriber;
    struct atom *tag = atom_ref(subscriber_tag(subscriber));
    atom_unref(seat->tag);
    seat->tag = tag;
    bool joined = join_topics(seat);
    arrival_free(seat);
    if (joined) {
        subscriber_start(subscriber, cursor.size ? buf_bytes(&cursor) : (struct bytes){NULL, 0});
        arm_end(seat);
        tell_connected(seat);
    } else {
        subscriber_end(subscriber, END_ERROR);
    }
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
    struct seat *seat = xcalloc(1, sizeof(*seat));
    seat->app = app;
    seat->stream = stream;
    seat->tag = tag;
    seat->number = seats_add(app_seats(app), seat);
    seat->arrival = xcalloc(1, sizeof(*seat->arrival));
    seat->arrival->seat = seat;
    seat->arrival->exchange = exchange;
    if (stream->upstream_count)
        seat->arrival->keys = xcalloc(stream->upstream_count, sizeof(struct buf));
    exchange->gone = on_gone;
    exchange->owner = seat;
    seat->counted = node_seat_taken(app_node(app));
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

/* ---- queries ---- */

const struct identity *seat_identity(const struct seat *seat)
{
    return &seat->who;
}

struct atom *seat_tag(const struct seat *seat)
{
    return seat->tag;
}

struct app *seat_app(const struct seat *seat)
{
    return seat->app;
}

struct subscriber *seat_subscriber(const struct seat *seat)
{
    return seat->subscriber;
}

struct seat *seat_of(struct subscriber *subscriber)
{
    return subscriber_owner(subscriber);
}

void seat_set_data(struct seat *seat, struct atom *data)
{
    atom_ref(data);
    atom_unref(seat->who.data);
    seat->who.data = data;
}

uint64_t seat_number(const struct seat *seat)
{
    return seat->number;
}

struct seat *seat_find(struct app *app, uint64_t number)
{
    return seats_find(app_seats(app), number);
}
