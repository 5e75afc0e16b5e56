/* What happens to a trigger at one subscriber:
 *
 *   echo ────────▶ skipped
 *   verdict no ──▶ denied
 *   unknown ─────▶ withheld, and the subscription is stale
 *   pending ─────▶ a slot that is held
 *   yes ─────────▶ a slot; an older one that it replaces is dropped
 *
 * Where there is no room and the sink does not take what is there, the
 * subscriber lags: what waits is dropped and counted, and so is what comes, until
 * the sink is drained (flush). Slots whose question is open stay, only to be
 * counted if the answer is yes. So the number that the client is told is exact.
 *
 * A newer trigger replaces an older one only when it is permitted itself: else
 * the client would get neither. */
#include "hub/offer.h"

#include "base/check.h"
#include "event/frame.h"
#include "hub/control.h"
#include "hub/flush.h"
#include "hub/hub_state.h"
#include "hub/question.h"
#include "hub/recheck.h"
#include "hub/stale.h"
#include "hub/subscriber_state.h"

static void spare(const struct subscriber *subscriber, const struct frame *frame,
                  enum spared reason)
{
    if (frame->position) hub_note_spared(subscriber->hub, frame->position, subscriber, reason);
}

static uint32_t key_of(const struct frame *frame)
{
    if (!frame->replaces) return 0;
    uint64_t hash =
        lookup_mix(lookup_mix(frame->topic->hash, frame->type->hash), frame->replaces->hash);
    return (uint32_t)(hash >> 38) | 1;
}

static bool same_key(const struct frame *a, const struct frame *b)
{
    return a->replaces == b->replaces && a->type == b->type && a->topic == b->topic;
}

/* Drops what waits in front of `index` and is replaced by the slot there (or to be). True: there was
 * something. */
static bool replace_older(struct subscriber *subscriber, const struct frame *frame, uint32_t key,
                          uint32_t index)
{
    struct queue *queue = subscriber->queue;
    const uint32_t before = queue->waiting;
    bool many = queue->held; /* else an older one replaced what was older still */
    while (index-- && queue->replaceable) {
        struct slot *slot = queue_at(queue, index);
        if (slot->key != key || !same_key(slot->frame, frame)) continue;
        if (index == 0 && queue->sent) continue; /* a part of it is out already */
        if (slot->question && question_only_counts(slot->question)) continue;
        question_cancel(subscriber, slot);
        spare(subscriber, slot->frame, SPARED_REPLACED);
        queue_drop(queue, slot);
        subscriber->hub->counters.replaced++;
        if (!many) break;
    }
    return queue->waiting != before;
}

/* The next lagged resync names it; NULL: all. */
static void miss_topic(struct subscriber *subscriber, const struct atom *topic)
{
    struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++)
        if (!topic || list[i].topic->name == topic) list[i].missed = true;
}

/* A trigger that was permitted, or a resync, will not be sent: the next lagged resync says it. */
static void miss(struct subscriber *subscriber, const struct frame *frame)
{
    if (frame->type && frame->position) { /* a retained one is missed, but did not happen now */
        subscriber->missed++;
        subscriber->hub->counters.missed++;
    }
    spare(subscriber, frame, SPARED_LAGGED);
    miss_topic(subscriber, frame->topic);
}

static void drop_lagging(struct subscriber *subscriber, struct slot *slot)
{
    switch (slot->kind) {
    case SLOT_GONE:
    case SLOT_CONTROL:
        return;
    case SLOT_TRIGGER:
        if (slot->question) {
            question_only_count(slot->question);
            return;
        }
        /* fallthrough */
    case SLOT_RESYNC:
        miss(subscriber, slot->frame);
        break;
    case SLOT_SNAPSHOT: /* who re-reads the topic needs it no more */
        miss_topic(subscriber, slot->question ? question_topic(slot->question)->name
                                              : slot->frame->topic);
        question_cancel(subscriber, slot);
        break;
    case SLOT_MARK: /* it would say that what is dropped here had come */
    default: /* SLOT_LAGGED: the number goes into the next one */
        break;
    }
    queue_drop(subscriber->queue, slot);
}

static void lag(struct subscriber *subscriber)
{
    if (subscriber->state == STATE_LAGGED) return;
    struct queue *queue = subscriber->queue;
    subscriber->state = STATE_LAGGED;
    subscriber->hub->counters.lagged++;
    for (uint32_t i = queue->sent ? 1 : 0; i < queue->count; i++)
        drop_lagging(subscriber, queue_at(queue, i));
    queue->extra = 0;
    queue_tidy(&subscriber->queue);
    flush_post(subscriber);
}

static bool fits(const struct subscriber *subscriber, size_t size)
{
    const struct queue *queue = subscriber->queue;
    if (!queue || !queue->waiting || queue->extra == UINT32_MAX) return true;
    return queue->waiting < (uint64_t)subscriber->options->queue_frames + queue->extra &&
           queue->bytes + size <= subscriber->options->queue_bytes;
}

/* A burst may be larger than the queue; only who does not take it lags. */
static bool make_room(struct subscriber *subscriber, size_t size)
{
    if (fits(subscriber, size)) return true;
    if (subscriber->state == STATE_LIVE) flush_now(subscriber);
    return fits(subscriber, size);
}

static struct slot *push(struct subscriber *subscriber, enum slot_kind kind, struct frame *frame,
                         uint32_t room)
{
    /* What a newcomer gets (it has no place) is no echo: its page begins anew and has no state. */
    bool tagged = subscriber->options->suppress == SUPPRESS_CLIENT && frame && frame->position &&
                  frame->tag && frame->user == subscriber->user;
    if (!subscriber->queue) subscriber->queue = queue_new(room, &subscriber->hub->counters.queued);
    struct slot *slot = queue_push(&subscriber->queue, kind, frame, tagged);
    if (subscriber->state != STATE_NEW) flush_post(subscriber);
    return slot;
}

static void deliver(struct subscriber *subscriber, struct frame *frame, uint32_t room)
{
    uint32_t key = key_of(frame);
    if (subscriber->state != STATE_LAGGED) {
        struct queue *queue = subscriber->queue;
        const bool heir = key && queue && replace_older(subscriber, frame, key, queue->count);
        if (make_room(subscriber, frame->size)) {
            struct slot *slot =
                push(subscriber, frame->type ? SLOT_TRIGGER : SLOT_RESYNC, frame, room);
            queue_set_key(subscriber->queue, slot, key);
            slot->heir = heir;
            return;
        }
        lag(subscriber);
    }
    miss(subscriber, frame);
}

static void deny(struct subscriber *subscriber, const struct frame *frame)
{
    subscriber->hub->counters.denied++;
    spare(subscriber, frame, SPARED_DENIED);
}

static void withhold(struct subscriber *subscriber, struct topic *topic, struct frame *frame)
{
    subscriber->hub->counters.withheld++;
    spare(subscriber, frame, SPARED_WITHHELD);
    if (topic) stale_mark(subscriber, topic, frame);
}

/* The frame gets a slot that waits for its verdict; in a lagging subscriber, only to be counted. */
static void hold(struct subscriber *subscriber, struct topic *topic, struct frame *frame,
                 uint32_t room, struct question *question)
{
    if (!make_room(subscriber, frame->size)) lag(subscriber);
    if (!fits(subscriber, frame->size)) { /* full of open questions */
        question_drop(question);
        withhold(subscriber, topic, frame);
        return;
    }
    struct slot *slot = push(subscriber, SLOT_TRIGGER, frame, room);
    queue_set_key(subscriber->queue, slot, key_of(frame));
    question_tie(question, slot, subscriber->state == STATE_LAGGED);
}

bool offer_is_echo(const struct subscriber *subscriber, const struct atom *tag,
                   const struct frame *frame)
{
    return frame->tag && frame->tag == tag && frame->user == subscriber->user &&
           subscriber->options->suppress == SUPPRESS_SERVER;
}

/* What stands in front may have been asked of other rules. False: their answers ended it. */
static bool is_checked(struct subscriber *subscriber)
{
    if (!subscriber->unchecked) return true;
    recheck(subscriber);
    return subscriber->state != STATE_ENDED;
}

void offer_trigger(struct subscriber *subscriber, struct topic *topic, struct frame *frame,
                   uint32_t room)
{
    if (!is_checked(subscriber)) return;
    if (!topic->options->filtered || !frame->type) {
        deliver(subscriber, frame, room);
        return;
    }
    struct question *question = NULL;
    enum verdict verdict = question_ask(subscriber, topic, frame, &question);
    if (!subscriber_find(subscriber, topic)) { /* it left, or ended, while the rule ran */
        if (question) question_drop(question);
        return;
    }
    switch (verdict) {
    case VERDICT_YES:
        offer_told(subscriber, topic);
        deliver(subscriber, frame, room);
        break;
    case VERDICT_NO:
        deny(subscriber, frame);
        break;
    case VERDICT_UNKNOWN:
        withhold(subscriber, topic, frame);
        break;
    case VERDICT_PENDING:
        hold(subscriber, topic, frame, room, question);
        break;
    }
}

void offer_told(struct subscriber *subscriber, struct topic *topic)
{
    if (stale_settle(subscriber, topic))
        offer_control(subscriber, SLOT_RESYNC,
                      control_resync_of(subscriber->hub, "access", topic->name));
}

void offer_control(struct subscriber *subscriber, enum slot_kind kind, struct frame *frame)
{
    bool resync = kind == SLOT_RESYNC;
    if (!is_checked(subscriber)) {
        frame_unref(frame);
        return;
    }
    if (resync) subscriber->hub->counters.resyncs++;
    if (!make_room(subscriber, frame->size) && subscriber->state != STATE_NEW) lag(subscriber);
    if (resync && subscriber->state == STATE_LAGGED)
        miss(subscriber, frame);
    else if (fits(subscriber, frame->size))
        push(subscriber, kind, frame, 1);
    else
        subscriber_end(subscriber, END_SLOW);
    frame_unref(frame);
}

struct slot *offer_place(struct subscriber *subscriber, struct topic *topic)
{
    if (!is_checked(subscriber)) return NULL;
    if (!make_room(subscriber, 0)) lag(subscriber);
    if (subscriber->state == STATE_LIVE) return push(subscriber, SLOT_SNAPSHOT, NULL, 1);
    miss_topic(subscriber, topic->name);
    return NULL;
}

/* Its size was not known when it took its place. One that stands alone may be of any size. */
static bool is_too_much(const struct subscriber *subscriber)
{
    const struct queue *queue = subscriber->queue;
    return subscriber->state == STATE_LIVE && queue && queue->waiting > 1 &&
           queue->extra != UINT32_MAX && queue->bytes > subscriber->options->queue_bytes;
}

void offer_settled(struct subscriber *subscriber, uint32_t index, enum slot_kind kind,
                   struct frame *frame)
{
    struct slot *slot = queue_at(subscriber->queue, index);
    if (kind == SLOT_RESYNC) {
        subscriber->hub->counters.resyncs++;
        subscriber->hub->counters.snapshots_failed++;
    }
    if (frame) {
        queue_fill(subscriber->queue, slot, kind, frame);
    } else {
        queue_drop(subscriber->queue, slot);
        queue_tidy(&subscriber->queue);
    }
    if (is_too_much(subscriber)) flush_now(subscriber);
    if (is_too_much(subscriber)) lag(subscriber);
    flush_post(subscriber);
}

static void permit(struct subscriber *subscriber, uint32_t index)
{
    struct slot *slot = queue_at(subscriber->queue, index);
    struct frame *frame = slot->frame;
    uint32_t key = slot->key;
    struct subscription *subscription = subscriber_find_name(subscriber, frame->topic);
    if (subscription && stale_settle(subscriber, subscription->topic)) {
        struct frame *resync = control_resync_of(subscriber->hub, "access", frame->topic);
        subscriber->hub->counters.resyncs++;
        index = queue_insert(&subscriber->queue, index, SLOT_RESYNC, resync);
        frame_unref(resync);
    }
    if (key && replace_older(subscriber, frame, key, index))
        queue_at(subscriber->queue, index)->heir = true;
}

static void drop_answered(struct subscriber *subscriber, struct slot *slot, enum verdict verdict)
{
    struct subscription *subscription = subscriber_find_name(subscriber, slot->frame->topic);
    struct topic *topic = subscription ? subscription->topic : NULL;
    const bool heir = slot->heir && verdict != VERDICT_YES;
    if (verdict == VERDICT_YES)
        miss(subscriber, slot->frame);
    else if (verdict == VERDICT_NO)
        deny(subscriber, slot->frame);
    else
        withhold(subscriber, topic, slot->frame);
    queue_drop(subscriber->queue, slot);
    queue_tidy(&subscriber->queue);
    if (heir && topic) { /* what it had replaced was permitted */
        const char *reason = topic->options->audience ? "access" : "reload";
        offer_control(subscriber, SLOT_RESYNC,
                      control_resync_of(subscriber->hub, reason, topic->name));
    }
}

void offer_answered(struct subscriber *subscriber, uint32_t index, enum verdict verdict,
                    bool only_count)
{
    if (verdict == VERDICT_YES && !only_count)
        permit(subscriber, index);
    else
        drop_answered(subscriber, queue_at(subscriber->queue, index), verdict);
    flush_post(subscriber);
}
