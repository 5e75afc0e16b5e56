/* A write ends at the first slot that may not go yet: one whose verdict is open.
 * The place where a lagged subscriber goes on gets its frame here, when nothing in
 * front of it can change the number any more.
 *
 *   overflow ─▶ LAGGED ─▶ sink drained ─▶ SLOT_LAGGED at the end of the queue, LIVE
 *                                          └─▶ all in front of it judged ─▶ one resync */
#include "hub/flush.h"

#include "event/frame.h"
#include "hub/control.h"
#include "hub/hub_state.h"
#include "hub/recheck.h"
#include "hub/subscriber_state.h"

enum { WRITES_A_ROUND = 256 };

void flush_post(struct subscriber *subscriber)
{
    struct hub *hub = subscriber->hub;
    if (subscriber->state == STATE_ENDED || !list_empty(&subscriber->turn)) return;
    list_append(&hub->flushing, &subscriber->turn);
    later_post(hub->ports.later, LATER_LAST, &hub->flush);
}

/* The id of a resync at `index` of the queue covers everything in front of what stands behind. */
static const struct places *covered(struct subscriber *subscriber, uint32_t index,
                                    struct places *out)
{
    const struct order *order = subscriber->hub->ports.order;
    struct queue *queue = subscriber->queue;
    for (uint32_t i = index + 1; i < queue->count; i++) {
        const struct slot *slot = queue_at(queue, i);
        const struct frame *frame = slot->frame;
        if (!frame || !frame->position) continue;
        const bool known =
            order_before(order, frame->server, frame->place, frame_id(frame), out);
        return subscriber_show(subscriber, known ? out : NULL);
    }
    return subscriber_id(subscriber, subscriber_position(subscriber), out);
}

/* From here on the frame is a control frame: it says a number that nobody else knows. */
static void make_lagged(struct subscriber *subscriber, uint32_t index)
{
    struct hub *hub = subscriber->hub;
    struct subscription *list = subscriber_list(subscriber);
    struct buf data = BUF_EMPTY;
    control_resync_begin(&data, "lagged", subscriber->missed);
    for (uint32_t i = 0; i < subscriber->topics; i++) {
        if (list[i].missed) control_resync_topic(&data, list[i].topic->name);
        list[i].missed = false;
    }
    struct places at;
    struct frame *frame =
        control_resync_end(hub, &data, covered(subscriber, index, &at), NULL);
    queue_fill(subscriber->queue, queue_at(subscriber->queue, index), SLOT_CONTROL, frame);
    frame_unref(frame);
    subscriber->missed = 0;
    hub->counters.resyncs++;
}

static int collect(struct subscriber *subscriber, struct iovec *pieces, size_t *size)
{
    struct queue *queue = subscriber->queue;
    int count = 0;
    for (uint32_t i = 0; i < queue->count && count < RUN_FRAMES; i++) {
        struct slot *slot = queue_at(queue, i);
        if (slot->kind == SLOT_GONE) continue;
        if (slot->kind == SLOT_LAGGED) make_lagged(subscriber, i);
        if (slot->question || !slot->frame) break;
        struct frame *wire = slot_wire(slot);
        uint32_t sent = i == 0 ? queue->sent : 0;
        pieces[count++] = (struct iovec){wire->bytes + sent, wire->size - sent};
        *size += wire->size - sent;
    }
    return count;
}

/* Takes out of the queue what the sink took. */
static void took(struct subscriber *subscriber, size_t taken)
{
    while (taken) {
        struct queue *queue = subscriber->queue;
        struct slot *head = queue_at(queue, 0);
        size_t left = slot_wire(head)->size - queue->sent;
        if (taken < left) {
            queue->sent += (uint32_t)taken;
            return;
        }
        taken -= left;
        subscriber->hub->counters.delivered++;
        queue_drop(queue, head);
        queue_tidy(&subscriber->queue);
    }
}

size_t flush_direct(struct subscriber *subscriber, const struct iovec *pieces, int count,
                    size_t size)
{
    struct sink *sink = subscriber->sink;
    size_t taken = sink->ops->write(sink, pieces, count);
    subscriber->hub->counters.bytes += taken;
    subscriber->since_ms = hub_now(subscriber->hub);
    if (taken < size) {
        subscriber->blocked = true;
        subscriber_watch(subscriber);
    }
    return taken;
}

/* Notes a write by the oldest trigger that it began with and that was not replayed. */
static void note_latency(struct subscriber *subscriber)
{
    struct queue *queue = subscriber->queue;
    struct hub *hub = subscriber->hub;
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct slot *slot = queue_at(queue, i);
        if (slot->kind == SLOT_GONE || slot->kind == SLOT_CONTROL) continue;
        if (!slot->frame || slot->question || slot->kind == SLOT_LAGGED) return;
        const struct subscription *of = subscriber_find_name(subscriber, slot->frame->topic);
        if (of && slot->frame->position > of->joined_at)
            latency_note(&hub->latency, hub->ports.clock, slot->frame->at_us, 1);
        return;
    }
}

bool flush_now(struct subscriber *subscriber)
{
    if (subscriber->unchecked) recheck(subscriber);
    if (subscriber->checking || !subscriber->sink || subscriber->blocked) return false;
    if (subscriber->queue) queue_tidy(&subscriber->queue);
    if (subscriber->queue) {
        struct iovec pieces[RUN_FRAMES];
        size_t size = 0;
        int count = collect(subscriber, pieces, &size);
        if (count) {
            note_latency(subscriber);
            took(subscriber, flush_direct(subscriber, pieces, count, size));
        }
    }
    if (subscriber->blocked) return false;
    if (subscriber->state == STATE_LAGGED) {
        if (!subscriber->queue) subscriber->queue = queue_new(1, &subscriber->hub->counters.queued);
        queue_push(&subscriber->queue, SLOT_LAGGED, NULL, false);
        subscriber->state = STATE_LIVE;
    }
    if (!subscriber->queue) return false;
    const struct slot *head = queue_at(subscriber->queue, 0);
    return !head->question && (head->frame || head->kind == SLOT_LAGGED);
}

void flush_run(struct job *job)
{
    struct hub *hub = CONTAINER(job, struct hub, flush);
    for (int writes = 0; writes < WRITES_A_ROUND && !list_empty(&hub->flushing); writes++) {
        struct subscriber *subscriber = CONTAINER(hub->flushing.next, struct subscriber, turn);
        list_remove(&subscriber->turn);
        if (flush_now(subscriber)) flush_post(subscriber);
    }
    latency_settle(&hub->latency, hub->ports.clock);
    if (!list_empty(&hub->flushing)) later_post(hub->ports.later, LATER_LAST, &hub->flush);
}
