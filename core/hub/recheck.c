/* The slots to ask about are noted by their numbers first: a rule that answers, and
 * what its answer brings into the queue, moves them. */
#include "hub/recheck.h"

#include "base/alloc.h"
#include "hub/flush.h"
#include "hub/hub_state.h"
#include "hub/offer.h"
#include "hub/question.h"
#include "hub/snapshot.h"
#include "hub/stale.h"
#include "hub/standing.h"
#include "hub/subscriber_state.h"

void hub_recheck(struct hub *hub)
{
    LIST_EACH(node, &hub->subscribers)
    {
        struct subscriber *subscriber = CONTAINER(node, struct subscriber, all);
        stale_ask_anew(subscriber);
        if (!subscriber->queue) continue;
        subscriber->unchecked = UNCHECKED_ALL;
        flush_post(subscriber);
    }
}

struct taking_back {
    const struct atom *topic;
};

/* Whose answer does the slot rest on? NULL: nobody's. Who answers open questions about triggers takes
 * them back himself; of a snapshot that is being made nobody else knows. */
static const struct atom *rests_on(const struct slot *slot)
{
    if (slot->kind == SLOT_SNAPSHOT)
        return slot->question ? topic_name(question_topic(slot->question)) : slot->frame->topic;
    return slot->kind == SLOT_TRIGGER && !slot->question ? slot->frame->topic : NULL;
}

static bool is_admitted(struct subscriber *subscriber, const struct slot *slot,
                        const struct atom *topic)
{
    const struct atom *name = rests_on(slot);
    if (!name || (topic && name != topic)) return false;
    const struct subscription *has = subscriber_find_name(subscriber, name);
    return has && has->topic->options->audience;
}

/* A frame that is partly out cannot be taken back. */
static uint32_t first_slot(const struct queue *queue)
{
    return queue->sent ? 1 : 0;
}

static bool mark(void *ctx, struct subscriber *subscriber)
{
    const struct taking_back *taking_back = ctx;
    struct queue *queue = subscriber->queue;
    bool marked = false;
    if (!queue || subscriber->unchecked == UNCHECKED_ALL) return true;
    for (uint32_t i = first_slot(queue); i < queue->count; i++) {
        struct slot *slot = queue_at(queue, i);
        if (!is_admitted(subscriber, slot, taking_back->topic)) continue;
        slot->unchecked = marked = true;
    }
    if (!marked) return true;
    subscriber->unchecked = UNCHECKED_MARKED;
    flush_post(subscriber);
    return true;
}

void hub_recheck_admitted(struct hub *hub, struct atom *topic, struct atom *user)
{
    struct taking_back taking_back = {topic};
    struct topic *members = topic ? hub_topic_find(hub, atom_bytes(topic)) : NULL;
    if (user)
        hub_subscribers_each(hub, user, NULL, mark, &taking_back);
    else if (!topic)
        hub_all_each(hub, mark, &taking_back);
    else if (members)
        standing_each(members, mark, &taking_back);
}

static uint32_t *note_slots(const struct queue *queue, bool all, uint32_t *count)
{
    uint32_t *sequences = xcalloc(queue->count, sizeof(*sequences));
    for (uint32_t i = first_slot(queue); i < queue->count; i++) {
        struct slot *slot = queue_at((struct queue *)queue, i);
        const bool asked = slot->kind == SLOT_TRIGGER || slot->kind == SLOT_SNAPSHOT;
        if (asked && (all || slot->unchecked))
            sequences[(*count)++] = slot->sequence;
        slot->unchecked = false;
    }
    return sequences;
}

static void ask(struct subscriber *subscriber, uint32_t index)
{
    struct slot *slot = queue_at(subscriber->queue, index);
    const uint32_t sequence = slot->sequence;
    const bool permitted = !slot->question; /* by the earlier rules */
    const bool only_counts = slot->question && question_only_counts(slot->question);
    struct frame *frame = frame_ref(slot->frame);
    const struct subscription *subscription = subscriber_find_name(subscriber, frame->topic);
    struct question *question = NULL;
    enum verdict verdict = VERDICT_YES;
    question_cancel(subscriber, slot);
    if (subscription && subscription->topic->options->filtered)
        verdict = question_ask(subscriber, subscription->topic, frame, &question);
    const int64_t at = queue_index(subscriber->queue, sequence);
    if (at < 0) { /* it left, or ended, while the rule ran */
        if (question) question_drop(question);
    } else if (verdict == VERDICT_PENDING) {
        question_tie(question, queue_at(subscriber->queue, (uint32_t)at), only_counts);
    } else if (verdict != VERDICT_YES || !permitted) {
        offer_answered(subscriber, (uint32_t)at, verdict, only_counts);
    }
    frame_unref(frame);
}

void recheck(struct subscriber *subscriber)
{
    const bool all = subscriber->unchecked == UNCHECKED_ALL;
    if (!subscriber->unchecked) return;
    subscriber->unchecked = UNCHECKED_NONE;
    if (!subscriber->queue) return;
    uint32_t count = 0;
    uint32_t *sequences = note_slots(subscriber->queue, all, &count);
    subscriber->checking = true;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t at = queue_index(subscriber->queue, sequences[i]);
        if (at < 0) continue;
        if (queue_at(subscriber->queue, (uint32_t)at)->kind == SLOT_SNAPSHOT)
            snapshot_renew(subscriber, (uint32_t)at, !all);
        else
            ask(subscriber, (uint32_t)at);
    }
    subscriber->checking = false;
    xfree(sequences);
}
