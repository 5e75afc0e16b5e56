/* A round walks the table of seats and starts those that are due, as long as not
 * too many wait for a rule. A seat that becomes due behind the place where the walk
 * is makes it begin anew. */
#include "engine/review.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/changes.h"
#include "engine/naming.h"
#include "engine/seat.h"
#include "engine/seats.h"

enum { WAITING_MAX = 16, SEATS_A_ROUND = 64, RETRY_MIN_MS = 1000, RETRY_SPREAD_MS = 5000 };

/* One seat that is asked. */
struct review {
    struct seat *seat;
    struct http_request request; /* what is kept of it */
    struct naming naming;
};

static void run(struct job *job);

void reviews_create(struct reviews *reviews, struct app *app)
{
    *reviews = (struct reviews){._app = app};
    job_create(&reviews->_job, run);
}

void reviews_destroy(struct reviews *reviews)
{
    CHECK(reviews->_under_way == 0);
    later_cancel(&reviews->_job);
}

static void post(struct reviews *reviews)
{
    later_post(app_ports(reviews->_app)->later, LATER_LAST, &reviews->_job);
}

void review_due(struct seat *seat)
{
    struct reviews *reviews = app_reviews(seat->app);
    review_drop(seat);
    seat->unreviewed = true;
    reviews->_at = 0;
    post(reviews);
}

void review_drop(struct seat *seat)
{
    struct review *review = seat->review;
    seat->unreviewed = false;
    if (!review) return;
    struct reviews *reviews = app_reviews(seat->app);
    seat->review = NULL;
    reviews->_under_way--;
    naming_destroy(&review->naming);
    xfree(review);
    post(reviews);
}

/* ---- what comes of it ---- */

static void leave_topics(struct seat *seat, const struct naming *naming)
{
    struct subscriber *subscriber = seat->subscriber;
    for (uint32_t i = subscriber_topic_count(subscriber);
         i-- > 0 && !subscriber_ended(subscriber);) {
        struct topic *topic = subscriber_topic(subscriber, i);
        const struct bytes name = atom_bytes(topic_name(topic));
        if (!changes_keep(seat, name, naming_has(naming, name)))
            subscriber_lose(subscriber, topic, "reload");
    }
}

/* A topic that cannot be had is logged by who could not make it, and told like a lost one. */
static void join_topics(struct seat *seat, const struct naming *naming)
{
    struct subscriber *subscriber = seat->subscriber;
    for (size_t i = 0; i < naming->count && !subscriber_ended(subscriber); i++) {
        if (!changes_keep(seat, naming->names[i], true)) continue;
        struct topic *topic = app_topic_open(seat->app, naming->names[i]);
        if (!topic || !subscriber_join(subscriber, topic)) continue;
        subscriber_resync(subscriber, "reload", topic);
        subscriber_greet(subscriber, topic);
    }
}

static void send_away(struct seat *seat)
{
    const struct engine_ports *ports = app_ports(seat->app);
    app_reviews(seat->app)->_sent_away++;
    subscriber_dismiss(seat->subscriber, END_RELOAD,
                       RETRY_MIN_MS + random_below(ports->random, RETRY_SPREAD_MS + 1));
}

static void on_named(void *owner, enum naming_end how)
{
    struct review *review = owner;
    struct seat *seat = review->seat;
    if (how == NAMING_DONE) {
        leave_topics(seat, &review->naming);
        join_topics(seat, &review->naming);
        changes_settle(seat, &review->naming);
    } else {
        send_away(seat);
    }
    review_drop(seat);
}

/* ---- the walk ---- */

static void begin(struct reviews *reviews, struct seat *seat)
{
    struct review *review = xcalloc(1, sizeof(*review));
    review->seat = seat;
    review->request = (struct http_request){.method = BYTES("GET"), .kept = true};
    seat_request(seat, &review->request);
    seat->unreviewed = false;
    seat->review = review;
    reviews->_under_way++;
    naming_start(&review->naming, seat, &review->request, false, on_named, review);
}

static bool is_due(const struct seat *seat)
{
    return seat->unreviewed && seat->subscriber && !subscriber_ended(seat->subscriber);
}

static void end_round(struct reviews *reviews)
{
    if (reviews->_sent_away)
        LOG(app_ports(reviews->_app)->log, LOG_WARN,
            "streams were sent away after a reload: which topics they have is not known any more",
            F_BYTES("app", atom_bytes(app_plan(reviews->_app)->app)),
            F_NUMBER("streams", reviews->_sent_away));
    reviews->_sent_away = 0;
}

static void run(struct job *job)
{
    struct reviews *reviews = CONTAINER(job, struct reviews, _job);
    struct seats *seats = app_seats(reviews->_app);
    for (int i = 0; i < SEATS_A_ROUND && reviews->_under_way < WAITING_MAX; i++) {
        struct seat *seat = seats_next(seats, &reviews->_at);
        if (!seat) {
            if (!reviews->_under_way) end_round(reviews);
            return;
        }
        if (is_due(seat)) begin(reviews, seat);
    }
    if (reviews->_under_way < WAITING_MAX) post(reviews);
}
