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

enum { PACE_MIN_MS = 1000, PACE_MAX_MS = 30000, TOLD_MAX = 4096 };

struct stale {
    struct stale *next;
    struct subscriber *subscriber;
    struct topic *topic;
    struct frame *frame; /* the newest that was withheld; a reference */
    uint64_t from;       /* the position of the oldest */
    bool many;           /* were withheld */
    bool busy, dead;     /* the rule runs that is asked; settled meanwhile */
    uint32_t pace_ms;
    struct timer timer;
    struct asking *asking; /* or NULL */
};

/* A stretch of the order of which clients of a user may not have been told. */
struct stretch {
    struct list node;
    struct atom *user, *topic; /* references; user may be NULL */
    uint64_t from, to;         /* of cursors that do not know */
};

/* ---- told ---- */

static uint64_t stretch_key(const struct atom *user, const struct atom *topic)
{
    return lookup_mix(user ? user->hash : 0, topic->hash);
}

static uint64_t stretch_hash(const void *thing)
{
    const struct stretch *stretch = thing;
    return stretch_key(stretch->user, stretch->topic);
}

static bool stretch_is(const void *thing, const void *key)
{
    const struct stretch *stretch = thing, *other = key;
    return stretch->topic == other->topic && stretch->user == other->user;
}

static struct stretch *stretch_find(const struct told *told, struct atom *user, struct atom *topic)
{
    struct stretch key = {.user = user, .topic = topic};
    return lookup_find(&told->_by_key, stretch_key(user, topic), stretch_is, &key);
}

static void stretch_free(struct told *told, struct stretch *stretch)
{
    lookup_remove(&told->_by_key, stretch);
    list_remove(&stretch->node);
    atom_unref(stretch->user);
    atom_unref(stretch->topic);
    xfree(stretch);
}

void told_create(struct told *told)
{
    *told = (struct told){._floor = 0};
    lookup_create(&told->_by_key, stretch_hash);
    list_create(&told->_oldest_first);
}

void told_destroy(struct told *told)
{
    LIST_EACH(node, &told->_oldest_first)
    {
        stretch_free(told, CONTAINER(node, struct stretch, node));
    }
    lookup_destroy(&told->_by_key);
}

bool told_concerns(const struct told *told, struct atom *user, struct atom *topic,
                   uint64_t position)
{
    if (position <= told->_floor) return true;
    const struct stretch *stretch = stretch_find(told, user, topic);
    return stretch && stretch->from <= position && position <= stretch->to;
}

static void remember(struct told *told, const struct stale *stale)
{
    struct subscriber *subscriber = stale->subscriber;
    struct stretch *stretch = stretch_find(told, subscriber->user, stale->topic->name);
    if (!stretch) {
        stretch = xmalloc(sizeof(*stretch));
        *stretch = (struct stretch){.user = atom_ref(subscriber->user),
                                    .topic = atom_ref(stale->topic->name),
                                    .from = stale->from};
        list_create(&stretch->node);
        list_append(&told->_oldest_first, &stretch->node);
        lookup_add(&told->_by_key, stretch);
    }
    uint64_t to = subscriber_position(subscriber);
    if (stale->from < stretch->from) stretch->from = stale->from;
    if (to > stretch->to) stretch->to = to;

    if (told->_by_key.count <= TOLD_MAX) return;
    struct stretch *oldest = CONTAINER(told->_oldest_first.next, struct stretch, node);
    if (oldest->to > told->_floor) told->_floor = oldest->to;
    stretch_free(told, oldest);
}

/* ---- marks ---- */

static struct stale **find(struct subscriber *subscriber, const struct topic *topic)
{
    struct stale **at = &subscriber->stale;
    while (*at && (*at)->topic != topic) at = &(*at)->next;
    return at;
}

static void stop_asking(struct stale *stale)
{
    struct verdicts *verdicts = stale->subscriber->hub->ports.verdicts;
    if (stale->asking) verdicts->cancel(verdicts, stale->asking);
    stale->asking = NULL;
}

static void discard(struct stale *stale)
{
    frame_unref(stale->frame);
    xfree(stale);
}

static void unlink_and_free(struct stale *stale)
{
    *find(stale->subscriber, stale->topic) = stale->next;
    stop_asking(stale);
    clock_cancel(stale->subscriber->hub->ports.clock, &stale->timer);
    stale->dead = true;
    if (!stale->busy) discard(stale);
}

static void wait_a_while(struct stale *stale)
{
    struct hub *hub = stale->subscriber->hub;
    uint32_t half = stale->pace_ms / 2;
    clock_after(hub->ports.clock, &stale->timer,
                half + random_below(hub->ports.random, half + 1));
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
        unlink_and_free(stale);
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
    enum verdict verdict = verdicts->ask(verdicts, stale->topic->options, subscriber,
                                         stale->frame, done, stale, &asking);
    stale->busy = false;
    if (stale->dead) {
        if (verdict == VERDICT_PENDING) verdicts->cancel(verdicts, asking);
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
        stop_asking(stale);
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
        if (frame->position < stale->from) stale->from = frame->position;
        if (stale->asking || stale->busy) return; /* about the frame that it has */
        frame_unref(stale->frame);
        stale->frame = frame_ref(frame);
        return;
    }
    stale = *at = xmalloc(sizeof(*stale));
    *stale = (struct stale){.subscriber = subscriber,
                            .topic = topic,
                            .frame = frame_ref(frame),
                            .from = frame->position,
                            .pace_ms = PACE_MIN_MS};
    timer_init(&stale->timer, fire);
    wait_a_while(stale);
}

bool stale_settle(struct subscriber *subscriber, struct topic *topic)
{
    if (!subscriber->stale) return false;
    struct stale *stale = *find(subscriber, topic);
    if (!stale) return false;
    remember(&subscriber->hub->told, stale);
    unlink_and_free(stale);
    return true;
}

void stale_drop(struct subscriber *subscriber, struct topic *topic)
{
    for (struct stale *stale = subscriber->stale, *next; stale; stale = next) {
        next = stale->next;
        if (topic && stale->topic != topic) continue;
        if (!topic) remember(&subscriber->hub->told, stale);
        unlink_and_free(stale);
    }
}
