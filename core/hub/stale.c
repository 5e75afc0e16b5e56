/* Marks are few and rare (an access question failed), so they are a plain list of
 * their subscriber. The pace doubles from one second to half a minute, jittered:
 * when an access service comes back, its questions do not come back all at once.
 *
 *   marked ──timer──▶ asking ──unknown, verdict_ms──▶ marked (slower)
 *     │                 └─────yes, no──▶ settled
 *     └─yes to a later trigger────────▶ settled */
#include "hub/stale.h"

#include "base/alloc.h"
#include "base/check.h"
#include "hub/hub_state.h"
#include "hub/offer.h"
#include "hub/subscriber_state.h"

enum { PACE_MIN_MS = 1000, PACE_MAX_MS = 30000 };

struct stale {
    struct stale *next;
    struct subscriber *subscriber;
    struct topic *topic;
    struct frame *frame; /* the newest that was withheld; a reference */
    struct stretch *stretch;
    bool many;       /* were withheld */
    bool busy, dead; /* the rule runs that is asked; settled meanwhile */
    uint32_t pace_ms;
    struct timer timer;
    struct asking *asking; /* or NULL */
};

static struct stale **find(struct subscriber *subscriber, const struct topic *topic)
{
    struct stale **at = &subscriber->stale;
    while (*at && (*at)->topic != topic) at = &(*at)->next;
    return at;
}

static void stop_asking(struct stale *stale, bool late)
{
    struct verdicts *verdicts = stale->subscriber->hub->ports.verdicts;
    if (stale->asking) verdicts->cancel(verdicts, stale->asking, late);
    stale->asking = NULL;
}

static void discard(struct stale *stale)
{
    frame_unref(stale->frame);
    xfree(stale);
}

/* Ends a mark; `to` as for told_close. */
static void settle(struct stale *stale, uint64_t to)
{
    struct hub *hub = stale->subscriber->hub;
    *find(stale->subscriber, stale->topic) = stale->next;
    told_close(&hub->told, stale->stretch, to);
    stop_asking(stale, false);
    clock_cancel(hub->ports.clock, &stale->timer);
    stale->dead = true;
    if (!stale->busy) discard(stale);
}

static void wait_a_while(struct stale *stale)
{
    struct hub *hub = stale->subscriber->hub;
    uint32_t half = stale->pace_ms / 2;
    clock_after(hub->ports.clock, &stale->timer, half + random_below(hub->ports.random, half + 1));
    stale->pace_ms = stale->pace_ms * 2 < PACE_MAX_MS ? stale->pace_ms * 2 : PACE_MAX_MS;
}

/* The answer to the question that was asked again. */
static void answer(struct stale *stale, enum verdict verdict)
{
    CHECK(verdict != VERDICT_PENDING);
    stale->asking = NULL;
    clock_cancel(stale->subscriber->hub->ports.clock, &stale->timer);
    if (verdict == VERDICT_UNKNOWN)
        wait_a_while(stale);
    else if (verdict == VERDICT_NO && !stale->many)
        settle(stale, 0);
    else
        offer_told(stale->subscriber, stale->topic);
}

static void done(void *owner, enum verdict verdict)
{
    answer(owner, verdict);
}

static void ask_again(struct stale *stale)
{
    struct subscriber *subscriber = stale->subscriber;
    struct hub *hub = subscriber->hub;
    struct verdicts *verdicts = hub->ports.verdicts;
    struct asking *asking = NULL;
    stale->busy = true;
    enum verdict verdict = verdicts->ask(verdicts, stale->topic->options, subscriber, stale->frame,
                                         done, stale, &asking);
    stale->busy = false;
    if (stale->dead) {
        if (verdict == VERDICT_PENDING) verdicts->cancel(verdicts, asking, false);
        discard(stale);
    } else if (verdict == VERDICT_PENDING) {
        stale->asking = asking;
        clock_after(hub->ports.clock, &stale->timer, subscriber->options->verdict_ms);
    } else {
        answer(stale, verdict);
    }
}

static void fire(struct timer *timer)
{
    struct stale *stale = CONTAINER(timer, struct stale, timer);
    if (stale->asking) { /* no answer in time */
        stop_asking(stale, true);
        answer(stale, VERDICT_UNKNOWN);
    } else if (!stale->topic->options->filtered) { /* not any more */
        answer(stale, VERDICT_YES);
    } else {
        ask_again(stale);
    }
}

void stale_mark(struct subscriber *subscriber, struct topic *topic, struct frame *frame)
{
    struct stale **at = find(subscriber, topic), *stale = *at;
    if (stale) {
        stale->many = true;
        told_widen(&subscriber->hub->told, stale->stretch, frame->place);
        if (stale->asking || stale->busy) return; /* about the frame that it has */
        frame_unref(stale->frame);
        stale->frame = frame_ref(frame);
        return;
    }
    stale = *at = xmalloc(sizeof(*stale));
    *stale = (struct stale){.subscriber = subscriber,
                            .topic = topic,
                            .frame = frame_ref(frame),
                            .stretch = told_open(&subscriber->hub->told, subscriber->user,
                                                 topic->name, topic->server, frame->place),
                            .pace_ms = PACE_MIN_MS};
    timer_init(&stale->timer, fire);
    wait_a_while(stale);
}

bool stale_settle(struct subscriber *subscriber, struct topic *topic)
{
    if (!subscriber->stale) return false;
    struct stale *stale = *find(subscriber, topic);
    if (!stale) return false;
    settle(stale, subscriber_reaches(subscriber, topic->server));
    return true;
}

void stale_ask_anew(struct subscriber *subscriber)
{
    for (struct stale *stale = subscriber->stale; stale; stale = stale->next) {
        if (!stale->asking) continue;
        stop_asking(stale, false);
        wait_a_while(stale);
    }
}

void stale_drop(struct subscriber *subscriber, struct topic *topic)
{
    for (struct stale *stale = subscriber->stale, *next; stale; stale = next) {
        next = stale->next;
        if (topic && stale->topic != topic) continue;
        settle(stale, topic ? 0 : subscriber_reaches(subscriber, stale->topic->server));
    }
}
