/* The end of a seat is the end of its subscriber: leases go back at once, the
 * `disconnect` hook still has a good handle, then the memory goes. `disconnect` is
 * called for those, and only those, whom `connect` was called for. */
#include "engine/seat.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/census.h"
#include "engine/changes.h"
#include "engine/everywhere.h"
#include "engine/farewell.h"
#include "engine/leases.h"
#include "engine/review.h"
#include "engine/seats.h"

struct ending {
    struct timer timer;
    struct seat *seat;
    enum end_reason reason;
};

struct seat *seat_new(struct app *app, const struct plan_stream *stream, struct atom *tag)
{
    struct seat *seat = xcalloc(1, sizeof(*seat));
    seat->app = app;
    seat->generation = generation_ref(app_generation(app));
    seat->stream = stream;
    seat->tag = tag;
    seat->number = seats_add(app_seats(app), seat);
    seat->counted = census_enter(app_census(app));
    return seat;
}

static void disarm_end(struct seat *seat)
{
    if (seat->ending) clock_cancel(app_ports(seat->app)->clock, &seat->ending->timer);
    xfree(seat->ending);
    seat->ending = NULL;
}

void seat_free(struct seat *seat)
{
    CHECK(!seat->arrival);
    review_drop(seat);
    changes_end(seat);
    leases_release(seat);
    disarm_end(seat);
    seats_remove(app_seats(seat->app), seat->number);
    if (seat->counted) census_leave(app_census(seat->app));
    toll_leave(&app_census(seat->app)->toll, seat->place);
    atom_unref(seat->who.user);
    atom_unref(seat->who.data);
    atom_unref(seat->tag);
    atom_unref(seat->target);
    generation_unref(seat->generation);
    xfree(seat);
}

static void on_left(void *owner, const struct hook_result *result)
{
    struct seat *seat = owner;
    (void)result;
    errand_over(&seat->telling);
    seat_free(seat);
}

/* The seat stays until the rule has heard of the end: its handle is still good in there. */
static void on_ended(void *owner, enum end_reason reason)
{
    struct seat *seat = owner;
    app_census(seat->app)->ends[reason]++;
    leases_release(seat);
    review_drop(seat);
    errand_cancel(&seat->telling);
    seat->subscriber = NULL;
    changes_end(seat);
    if (!seat->stream->disconnect || !seat->told) {
        seat_free(seat);
        return;
    }
    const struct hook_call call = {.kind = HOOK_DISCONNECT,
                                   .hook = seat->stream->disconnect,
                                   .seat = seat,
                                   .reason = end_reason_name(reason)};
    errand_start(&seat->telling, seat->generation, &call, on_left, seat);
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
    errand_over(&seat->telling);
    if (result->outcome == OUTCOME_NO && seat->subscriber)
        subscriber_end(seat->subscriber, END_REFUSED);
}

static void tell_connected(struct seat *seat)
{
    seat->told = true;
    if (!seat->stream->connect) return;
    const struct hook_call call = {
        .kind = HOOK_CONNECT, .hook = seat->stream->connect, .seat = seat};
    errand_start(&seat->telling, seat->generation, &call, on_connected, seat);
}

void seat_prepare(struct seat *seat, struct topic *const *topics, size_t count)
{
    struct subscriber *subscriber =
        subscriber_new(app_hub(seat->app), &seat->stream->options, NULL, seat->who.user, seat->tag,
                       &subscriber_events, seat);
    struct atom *tag = atom_ref(subscriber_tag(subscriber));
    atom_unref(seat->tag);
    seat->tag = tag;
    seat->subscriber = subscriber;
    seat->since_s = (uint32_t)(app_ports(seat->app)->clock->wall_ms / 1000);
    for (size_t i = 0; i < count; i++) subscriber_join(subscriber, topics[i]);
}

void seat_begin(struct seat *seat, struct sink *sink, struct bytes cursor)
{
    struct subscriber *subscriber = seat->subscriber;
    subscriber_open(subscriber, sink);
    subscriber_start(subscriber, cursor);
    if (subscriber_ended(subscriber)) return; /* by a filter that was asked about what it missed */
    leases_begin(seat, cursor.size > 0);
    arm_end(seat);
    tell_connected(seat);
}

void seat_part(struct seat *seat, const struct farewell *farewell)
{
    struct subscriber *subscriber = seat->subscriber;
    if (!subscriber || subscriber_ended(subscriber)) return;
    if (farewell->final)
        everywhere_final(app_everywhere(seat->app), seat->stream->at.name, seat->who.user,
                         subscriber_asked_tag(subscriber));
    if (farewell->event.size)
        subscriber_part(subscriber, END_KICKED, farewell->event, farewell->data);
    else
        subscriber_end(subscriber, END_KICKED);
}

/* ---- another generation ---- */

bool seat_renew(struct seat *seat)
{
    struct generation *current = app_generation(seat->app);
    if (seat->generation == current) return true;
    const struct plan_stream *stream =
        plan_stream_named(generation_plan(current), seat->stream->at.name);
    if (!stream) return false;
    seat->stream = stream;
    generation_set(&seat->generation, current);
    return true;
}

void seat_swap(struct seat *seat)
{
    if (!seat->subscriber) return;
    const struct plan_stream *last = seat->stream;
    struct generation *held = generation_ref(seat->generation);
    if (seat_renew(seat)) {
        subscriber_set_options(seat->subscriber, &seat->stream->options);
        leases_swap(seat, last);
        if (seat->stream->lifetime_ms != last->lifetime_ms) { /* the new one counts from now */
            disarm_end(seat);
            arm_end(seat);
        }
        review_due(seat);
    } else {
        subscriber_end(seat->subscriber, END_RELOAD);
    }
    generation_unref(held);
}

/* ---- what is kept of the request ---- */

static bool is_of_the_client(struct bytes pair)
{
    static const char *const names[] = {"tag=", "last_event_id="};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const size_t size = strlen(names[i]);
        if (pair.size >= size && memcmp(pair.data, names[i], size) == 0) return true;
    }
    return false;
}

/* The same for all tabs of a page, as far as it can be: equal targets are stored once. */
void seat_keep(struct seat *seat, const struct http_request *request)
{
    struct buf target = BUF_EMPTY;
    struct bytes rest = request->query;
    char before = '?';
    buf_add_bytes(&target, request->path);
    while (rest.size) {
        const char *end = memchr(rest.data, '&', rest.size);
        const struct bytes pair = bytes_run(rest.data, end ? (size_t)(end - rest.data) : rest.size);
        const size_t used = pair.size + (end != NULL);
        rest = bytes_run(rest.data + used, rest.size - used);
        if (is_of_the_client(pair)) continue;
        buf_add_char(&target, before);
        buf_add_bytes(&target, pair);
        before = '&';
    }
    seat->target = atom_get(buf_bytes(&target));
    buf_destroy(&target);
}

void seat_request(const struct seat *seat, struct http_request *request)
{
    const struct bytes target = atom_bytes(seat->target);
    const char *mark = memchr(target.data, '?', target.size);
    const size_t size = mark ? (size_t)(mark - target.data) : target.size;
    request->path = bytes_run(target.data, size);
    request->query = mark ? bytes_run(mark + 1, target.size - size - 1) : BYTES("");
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

struct atom *seats_stream(struct subscriber *subscriber, uint32_t *since_s)
{
    const struct seat *seat = seat_of(subscriber);
    *since_s = seat->since_s;
    return seat->stream->at.name;
}
