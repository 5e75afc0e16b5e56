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
#include "engine/answer.h"
#include "engine/asked.h"
#include "engine/awaiting.h"
#include "engine/census.h"
#include "engine/everywhere.h"
#include "engine/farewell.h"
#include "engine/finals.h"
#include "engine/guard.h"
#include "engine/leases.h"
#include "engine/naming.h"
#include "engine/refusal.h"
#include "engine/review.h"
#include "engine/seat.h"
#include "engine/stretches.h"

struct arrival {
    struct list node; /* in app_arrivals, once it is known who it is */
    struct seat *seat;
    bool kicked;             /* a rule ended it meanwhile, */
    enum refused kicked_how; /* and it is to be refused so */
    struct exchange *exchange;
    struct errand errand; /* of the first two steps */
    struct buf *keys; /* one per upstream of the stream; empty: no lease */
    size_t key_count;
    size_t at_upstream;
    struct naming naming;
    struct awaiting awaiting; /* of the named topics */
    struct stretches_question untold; /* what other nodes say of them, once it is asked */
    bool asked;
};

static void next_key(struct seat *seat);
static void name_topics(struct seat *seat);
static void await_topics(struct seat *seat);
static void go_live(struct seat *seat);

/* ---- ends ---- */

static void arrival_free(struct arrival *arrival)
{
    for (size_t i = 0; i < arrival->key_count; i++) buf_destroy(&arrival->keys[i]);
    naming_destroy(&arrival->naming);
    stretches_end(&arrival->untold);
    list_remove(&arrival->node);
    xfree(arrival->keys);
    xfree(arrival);
}

/* The one way out before it is live: what runs is cancelled, what was taken goes back. */
static void leave(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    errand_cancel(&arrival->errand);
    naming_cancel(&arrival->naming);
    awaiting_cancel(&arrival->awaiting);
    seat->arrival = NULL;
    seat_free(seat);
    arrival_free(arrival);
}

static void on_gone(void *owner)
{
    leave(owner);
}

/* What runs has the request on loan, which is gone once it is answered. */
static void refuse_for(struct seat *seat, enum refused why, uint64_t wait_ms)
{
    struct exchange *exchange = seat->arrival->exchange;
    struct answer_headers headers = {.count = 0};
    errand_cancel(&seat->arrival->errand);
    naming_cancel(&seat->arrival->naming);
    guard_headers(&seat->stream->at, &exchange->request, &headers);
    app_census(seat->app)->refused[why]++;
    refusal_answer(exchange, why, seat->stream->refusal, wait_ms, app_ports(seat->app)->random,
                   &headers);
    leave(seat);
}

static void refuse(struct seat *seat, enum refused why)
{
    refuse_for(seat, why, 0);
}

/* NO refuses as `no`, UNKNOWN as don't know; true if the step may go on. */
static bool let_pass(struct seat *seat, enum outcome outcome, enum refused no)
{
    if (outcome == OUTCOME_YES) return true;
    refuse(seat, outcome == OUTCOME_NO ? no : REFUSED_UNKNOWN);
    return false;
}

/* ---- kicked on the way ---- */

static uint64_t now_of(const struct seat *seat)
{
    return app_ports(seat->app)->clock->now_ms;
}

/* From here on a rule that ends this user's streams means this one, too. */
static void become_known(struct seat *seat)
{
    list_append(app_arrivals(seat->app), &seat->arrival->node);
}

/* Only marked, and refused when what runs has ended: the rule that kicks may be the very one that runs. */
static bool kick(struct seat *seat, const struct farewell *farewell)
{
    struct arrival *arrival = seat->arrival;
    if (!farewell) return !arrival->kicked;
    if (farewell->final)
        everywhere_final(app_everywhere(seat->app), seat->stream->at.name, seat->who.user, seat->tag);
    if (!arrival->kicked || farewell->final)
        arrival->kicked_how = farewell->final ? REFUSED_FINAL : REFUSED_KICKED;
    const bool first = !arrival->kicked;
    arrival->kicked = true;
    return first;
}

static uint32_t kick_arrivals(struct app *app, const struct atom *user, const struct atom *tag,
                              const struct farewell *farewell)
{
    uint32_t count = 0;
    LIST_EACH(node, app_arrivals(app)) {
        struct seat *seat = CONTAINER(node, struct arrival, node)->seat;
        if (user && seat->who.user != user) continue;
        if (tag && seat->tag != tag) continue;
        count += kick(seat, farewell);
    }
    return count;
}

struct ending_all {
    const struct farewell *farewell;
    uint32_t count;
};

static bool end_one(void *ctx, struct subscriber *subscriber)
{
    struct ending_all *all = ctx;
    if (all->farewell) seat_part(seat_of(subscriber), all->farewell);
    all->count++;
    return true;
}

uint32_t attach_kick(struct app *app, struct atom *user, struct atom *tag,
                     const struct farewell *farewell)
{
    struct ending_all all = {farewell, kick_arrivals(app, user, tag, farewell)};
    if (user)
        hub_subscribers_each(app_hub(app), user, tag, end_one, &all);
    else
        hub_all_each(app_hub(app), end_one, &all);
    return all.count;
}

/* True: it was kicked, and is gone now. */
static bool is_kicked(struct seat *seat)
{
    if (!seat->arrival->kicked) return false;
    refuse(seat, seat->arrival->kicked_how);
    return true;
}

/* ---- the steps ---- */

/* The seat may be gone afterwards: see errand_start. */
static void run_hook(struct seat *seat, struct hook_call *call, hook_done_f *done)
{
    call->request = &seat->arrival->exchange->request;
    call->seat = seat;
    errand_start(&seat->arrival->errand, seat->generation, call, done, seat);
}

struct counting {
    const struct atom *stream;
    uint32_t count;
};

static bool count_one(void *ctx, struct subscriber *subscriber)
{
    struct counting *counting = ctx;
    const struct seat *seat = seat_of(subscriber);
    counting->count += seat && seat->stream->at.name == counting->stream;
    return true;
}

/* How many streams of this declaration the user has; names of declarations are atoms. */
static uint32_t count_streams(const struct seat *seat)
{
    struct counting counting = {seat->stream->at.name, 0};
    hub_subscribers_each(app_hub(seat->app), seat->who.user, NULL, count_one, &counting);
    return counting.count;
}

/* Another one of this user's would be too many. */
static bool is_full(const struct seat *seat)
{
    const uint32_t most = app_limits(seat->app)->streams_per_user, own = seat->stream->per_user;
    if (!seat->who.user) return false;
    return (most && hub_user_subscribers(app_hub(seat->app), seat->who.user) >= most) ||
           (own && count_streams(seat) >= own);
}

static struct toll *toll_of(const struct seat *seat)
{
    return &app_census(seat->app)->toll;
}

/* Whatever costs more than to look it up comes after this. */
static bool pay(struct seat *seat)
{
    const struct plan_stream *stream = seat->stream;
    const struct atom *app = app_plan(seat->app)->app;
    const struct bytes address = seat->arrival->exchange->request.address;
    uint64_t wait_ms = 0;
    enum refused why = REFUSED_FULL;
    bool good = seat->counted;
    if (good) {
        why = REFUSED_RATE;
        wait_ms = toll_stream(toll_of(seat), app, &stream->at, address);
        good = !wait_ms;
    }
    if (good) {
        why = REFUSED_ADDRESS;
        good = toll_enter(toll_of(seat), app, &stream->at, stream->per_address, address, &seat->place);
    }
    if (good) {
        why = REFUSED_BUSY;
        wait_ms = toll_node(toll_of(seat));
        good = !wait_ms;
    }
    if (!good) refuse_for(seat, why, wait_ms);
    return good;
}

static void on_authenticated(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    errand_over(&seat->arrival->errand);
    static const enum refused why[] = {[NO_IDENTITY] = REFUSED_NO_IDENTITY,
                                       [NO_FORBIDDEN] = REFUSED_FORBIDDEN,
                                       [NO_BAD_REQUEST] = REFUSED_BAD_REQUEST};
    if (!let_pass(seat, result->outcome, why[result->no])) return;
    seat->who = result->who;
    atom_ref(seat->who.user);
    atom_ref(seat->who.data);
    const uint64_t wait_ms =
        toll_user(toll_of(seat), app_plan(seat->app)->app, &seat->stream->at, seat->who.user);
    if (finals_has(app_finals(seat->app), seat->stream->at.name, seat->who.user, seat->tag,
                   now_of(seat))) {
        refuse(seat, REFUSED_FINAL);
    } else if (wait_ms) {
        refuse_for(seat, REFUSED_RATE, wait_ms);
    } else if (is_full(seat)) {
        refuse(seat, REFUSED_USER);
    } else {
        become_known(seat);
        next_key(seat);
    }
}

static void on_key(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    struct arrival *arrival = seat->arrival;
    errand_over(&arrival->errand);
    if (is_kicked(seat)) return;
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
        name_topics(seat);
        return;
    }
    struct hook_call call = {.kind = HOOK_KEY,
                             .hook = seat->stream->upstreams[seat->arrival->at_upstream]->key};
    run_hook(seat, &call, on_key);
}

/* What a reload on the way has undeclared may still be there, with nothing to guard it. */
static struct topic *open_topic(const struct seat *seat, struct bytes name)
{
    const bool reloaded = seat->generation != app_generation(seat->app);
    if (reloaded && !app_topic(seat->app, name, NULL)) return NULL;
    return app_topic_open(seat->app, name);
}

static void on_loaded(void *owner, bool loaded)
{
    if (is_kicked(owner)) return;
    if (loaded)
        await_topics(owner); /* one may have gone while others were waited for */
    else
        refuse(owner, REFUSED_UNKNOWN);
}

static struct topic *open_awaited(void *owner, struct bytes name)
{
    return open_topic(owner, name); /* one that cannot be had is refused when it goes live */
}

static void on_untold(void *owner)
{
    if (!is_kicked(owner)) await_topics(owner);
}

/* Who comes back may have been denied something on another node, for want of an answer. True: that is being asked. */
static bool ask_untold(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    struct stretches *stretches = app_stretches(seat->app);
    struct buf cursor = BUF_EMPTY;
    if (!stretches || arrival->asked) return false;
    arrival->asked = true;
    asked_cursor(seat->stream, &arrival->exchange->request, &cursor);
    const bool nothing = stretches_ask(stretches, &arrival->untold, seat->who.user, arrival->naming.names,
                                       arrival->naming.count, buf_bytes(&cursor), on_untold, seat);
    buf_destroy(&cursor);
    return !nothing;
}

static void await_topics(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    struct buf cursor = BUF_EMPTY;
    if (app_ports(seat->app)->joint) asked_cursor(seat->stream, &arrival->exchange->request, &cursor);
    const struct awaiting_wants wants = {.ports = app_ports(seat->app),
                                         .names = arrival->naming.names,
                                         .count = arrival->naming.count,
                                         .cursor = buf_bytes(&cursor)};
    const bool there =
        awaiting_start(&arrival->awaiting, &wants, open_awaited, on_loaded, seat);
    buf_destroy(&cursor);
    if (there && !ask_untold(seat)) go_live(seat);
}

static void on_named(void *owner, enum naming_end how)
{
    static const enum refused why[] = {[NAMING_FORBIDDEN] = REFUSED_FORBIDDEN,
                                       [NAMING_UNKNOWN] = REFUSED_UNKNOWN};
    if (is_kicked(owner)) return;
    if (how == NAMING_DONE)
        await_topics(owner);
    else
        refuse(owner, why[how]);
}

static void name_topics(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    naming_start(&arrival->naming, seat, &arrival->exchange->request, true, on_named, seat);
}

/* ---- live ---- */

/* The place that a header says is what a page of another site's may read, too (Fetch, "CORS-safelisted
 * response-header name" has it not). */
static void add_place(struct answer_headers *headers, const struct http_request *request,
                      struct bytes place)
{
    if (!place.data) return;
    answer_header(headers, "last-event-id", place);
    if (http_header_get(request, "origin").data)
        answer_header(headers, "access-control-expose-headers", BYTES("last-event-id"));
}

static struct sink *open_stream(struct seat *seat, struct bytes cursor)
{
    struct exchange *exchange = seat->arrival->exchange;
    struct answer_headers headers = {.count = 0};
    answer_stream_headers(&headers);
    guard_headers(&seat->stream->at, &exchange->request, &headers);
    if (seat->stream->options.ready == READY_HEADER)
        add_place(&headers, &exchange->request, subscriber_place(seat->subscriber, cursor));
    return exchange->ops->stream(exchange, 200, headers.items, headers.count);
}

/* The topics of all its names, good until the end of the turn; NULL: it is refused. */
static struct topic **find_topics(struct seat *seat)
{
    const struct naming *naming = &seat->arrival->naming;
    struct topic **topics = xcalloc(naming->count, sizeof(*topics));
    for (size_t i = 0; i < naming->count; i++) {
        topics[i] = open_topic(seat, naming->names[i]);
        if (topics[i]) continue;
        const bool declared = app_topic(seat->app, naming->names[i], NULL);
        xfree(topics);
        refuse(seat, declared ? REFUSED_FULL : REFUSED_UNKNOWN);
        return NULL;
    }
    return topics;
}

/* The rules may have been reloaded on the way: the seat goes live as what its stream is now. */
static bool take_leases(struct seat *seat, enum refused *why)
{
    const struct plan_stream *asked = seat->stream;
    struct generation *held = generation_ref(seat->generation);
    bool good = seat_renew(seat);
    *why = good ? REFUSED_LINKS : REFUSED_UNKNOWN;
    good = good && leases_take(seat, asked, seat->arrival->keys);
    generation_unref(held);
    return good;
}

static void mark_untold(struct seat *seat, struct topic *const *topics)
{
    const struct arrival *arrival = seat->arrival;
    for (size_t i = 0; i < arrival->naming.count; i++)
        if (stretches_concern(&arrival->untold, topics[i])) subscriber_untold(seat->subscriber, topics[i]);
}

static void go_live(struct seat *seat)
{
    struct arrival *arrival = seat->arrival;
    const struct generation *asked = seat->generation; /* who was asked */
    enum refused why = REFUSED_USER;
    struct topic **topics = find_topics(seat);
    if (!topics) return;
    if (is_full(seat) || !take_leases(seat, &why)) {
        xfree(topics);
        refuse(seat, why);
        return;
    }
    const bool reloaded = asked != seat->generation;
    struct buf cursor = BUF_EMPTY;
    seat_keep(seat, &arrival->exchange->request);
    asked_cursor(seat->stream, &arrival->exchange->request, &cursor);
    seat_prepare(seat, topics, arrival->naming.count);
    mark_untold(seat, topics);
    struct sink *sink = open_stream(seat, buf_bytes(&cursor));
    seat->arrival = NULL;
    seat_begin(seat, sink, buf_bytes(&cursor));
    if (reloaded) review_due(seat);
    buf_destroy(&cursor);
    arrival_free(arrival);
    xfree(topics);
}

/* ---- the way in ---- */

void attach_request(struct app *app, struct plan_stream *stream, struct exchange *exchange)
{
    struct atom *tag;
    if (!asked_tag(&stream->at, exchange, &tag)) return;
    struct seat *seat = seat_new(app, stream, tag);
    seat->arrival = xcalloc(1, sizeof(*seat->arrival));
    list_create(&seat->arrival->node);
    seat->arrival->seat = seat;
    seat->arrival->exchange = exchange;
    seat->arrival->key_count = stream->upstream_count;
    seat->arrival->keys = xcalloc(stream->upstream_count, sizeof(struct buf));
    exchange->gone = on_gone;
    exchange->owner = seat;
    if (!pay(seat)) return;
    if (!stream->at.identity) {
        const struct hook_result nobody = {.outcome = OUTCOME_YES};
        on_authenticated(seat, &nobody);
        return;
    }
    struct hook_call call = {.kind = HOOK_AUTHENTICATE, .hook = stream->at.identity, .tag = tag};
    run_hook(seat, &call, on_authenticated);
}

void attach_abandon(struct seat *seat, enum end_reason reason, uint64_t retry_ms)
{
    if (seat->subscriber)
        subscriber_dismiss(seat->subscriber, reason, retry_ms);
    else if (seat->arrival)
        refuse(seat, REFUSED_UNKNOWN);
}
