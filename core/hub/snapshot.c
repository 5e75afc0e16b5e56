#include "hub/snapshot.h"

#include "base/alloc.h"
#include "base/check.h"
#include "hub/control.h"
#include "hub/offer.h"
#include "hub/question.h"
#include "hub/subscriber_state.h"
#include "ports/snapshot.h"

void snapshot_offer(struct subscriber *subscriber, struct topic *topic)
{
    struct slot *slot = offer_place(subscriber, topic);
    if (slot) question_ask_snapshot(subscriber, topic, slot, 0);
}

static struct frame *encode(struct topic *topic, const struct snapshot_event *event)
{
    struct atom *type = atom_get(event->type);
    struct frame *frame = frame_new(&(struct trigger){.topic = topic->name,
                                                      .type = type,
                                                      .name = topic_event_name(topic, type),
                                                      .data = event->data});
    CHECK(frame);
    atom_unref(type);
    return frame;
}

/* One frame of all: what stands behind cannot come between. */
static struct frame *frame_of(struct topic *topic, const struct snapshot *snapshot)
{
    struct frame **parts = xcalloc(snapshot->count, sizeof(struct frame *));
    for (size_t i = 0; i < snapshot->count; i++) parts[i] = encode(topic, &snapshot->events[i]);
    struct frame *frame = frame_join(topic->name, parts, snapshot->count);
    for (size_t i = 0; i < snapshot->count; i++) frame_unref(parts[i]);
    xfree(parts);
    return frame;
}

static void fail(struct subscriber *subscriber, uint32_t index, struct topic *topic)
{
    struct frame *resync = control_resync_of(subscriber->hub, "snapshot", topic->name);
    offer_settled(subscriber, index, SLOT_RESYNC, resync);
    frame_unref(resync);
}

void snapshot_answered(struct subscriber *subscriber, uint32_t index, struct topic *topic,
                       const struct snapshot *snapshot)
{
    if (!snapshot->known) {
        fail(subscriber, index, topic);
        return;
    }
    struct frame *frame = snapshot->count ? frame_of(topic, snapshot) : NULL;
    offer_settled(subscriber, index, SLOT_SNAPSHOT, frame);
    frame_unref(frame);
}

/* Rules that make none any more leave the client without the state that it was promised: it is told. */
void snapshot_renew(struct subscriber *subscriber, uint32_t index, bool in_time)
{
    struct slot *slot = queue_at(subscriber->queue, index);
    const uint64_t until_ms = in_time && slot->question ? question_until(slot->question) : 0;
    struct atom *name = slot->question ? question_topic(slot->question)->name : slot->frame->topic;
    const struct subscription *has = subscriber_find_name(subscriber, name);
    CHECK(has); /* who leaves a topic drops its slots */
    question_cancel(subscriber, slot);
    queue_blank(subscriber->queue, slot);
    if (has->topic->options->snapshot)
        question_ask_snapshot(subscriber, has->topic, slot, until_ms);
    else
        fail(subscriber, index, has->topic);
}
