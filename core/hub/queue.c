/* Sequence numbers rise by two, so that the slot which is inserted in front of
 * another (rare: one per access resync) finds a free one between. */
#include "hub/queue.h"

#include "base/alloc.h"
#include "base/check.h"
#include "event/frame.h"

enum { CAPACITY_MIN = 4 }; /* capacities are powers of two */

struct frame *slot_wire(const struct slot *slot)
{
    return slot->tagged ? frame_tagged(slot->frame) : slot->frame;
}

struct queue *queue_new(uint32_t room, struct queue_gauge *gauge)
{
    uint32_t capacity = CAPACITY_MIN;
    while (capacity < room) capacity *= 2;
    struct queue *queue = xmalloc(sizeof(*queue) + capacity * sizeof(struct slot));
    *queue = (struct queue){._capacity = capacity, ._gauge = gauge};
    return queue;
}

/* Moves the slots that are not gone to the front of a block that has room for one more. */
static void make_room(struct queue **queue)
{
    struct queue *old = *queue;
    uint32_t capacity = old->_capacity;
    if (old->waiting > capacity / 4 * 3) capacity *= 2;
    struct queue *new = queue_new(capacity, old->_gauge);
    *new = *old;
    new->_capacity = capacity;
    new->_first = new->count = 0;
    for (uint32_t i = 0; i < old->count; i++) {
        struct slot *slot = queue_at(old, i);
        if (slot->kind != SLOT_GONE) new->_slots[new->count++] = *slot;
    }
    xfree(old);
    *queue = new;
}

static void count_slot(struct queue *queue)
{
    struct queue_gauge *gauge = queue->_gauge;
    queue->waiting++;
    if (++gauge->slots > gauge->slots_max) gauge->slots_max = gauge->slots;
}

static void take_frame(struct queue *queue, struct slot *slot, struct frame *frame)
{
    struct queue_gauge *gauge = queue->_gauge;
    slot->frame = frame ? frame_ref(frame) : NULL;
    if (!frame) return;
    const uint32_t size = slot_wire(slot)->size;
    queue->bytes += size;
    gauge->bytes += size;
    if (gauge->bytes > gauge->bytes_max) gauge->bytes_max = gauge->bytes;
}

struct slot *queue_push(struct queue **queue, enum slot_kind kind, struct frame *frame, bool tagged)
{
    if ((*queue)->count == (*queue)->_capacity) make_room(queue);
    struct queue *at = *queue;
    struct slot *slot = queue_at(at, at->count++);
    count_slot(at);
    *slot = (struct slot){.sequence = at->_next_sequence, .kind = kind, .tagged = tagged};
    at->_next_sequence += 2;
    take_frame(at, slot, frame);
    return slot;
}

uint32_t queue_insert(struct queue **queue, uint32_t index, enum slot_kind kind,
                      struct frame *frame)
{
    uint32_t sequence = queue_at(*queue, index)->sequence;
    if ((*queue)->count == (*queue)->_capacity) {
        make_room(queue);
        index = (uint32_t)queue_index(*queue, sequence);
    }
    struct queue *at = *queue;
    CHECK(index > 0 || at->sent == 0);
    for (uint32_t i = at->count; i > index; i--) *queue_at(at, i) = *queue_at(at, i - 1);
    at->count++;
    count_slot(at);
    struct slot *slot = queue_at(at, index);
    *slot = (struct slot){.sequence = sequence - 1, .kind = kind};
    take_frame(at, slot, frame);
    return index + 1;
}

void queue_fill(struct queue *queue, struct slot *slot, enum slot_kind kind, struct frame *frame)
{
    CHECK(!slot->frame);
    slot->kind = kind;
    take_frame(queue, slot, frame);
}

void queue_set_key(struct queue *queue, struct slot *slot, uint32_t key)
{
    slot->key = key;
    if (slot->key) queue->replaceable++;
}

void queue_set_question(struct queue *queue, struct slot *slot, struct question *question)
{
    if (!slot->question && question) queue->held++;
    if (slot->question && !question) queue->held--;
    slot->question = question;
}

void queue_blank(struct queue *queue, struct slot *slot)
{
    CHECK(!slot->question);
    if (!slot->frame) return;
    queue->bytes -= slot_wire(slot)->size;
    queue->_gauge->bytes -= slot_wire(slot)->size;
    frame_unref(slot->frame);
    slot->frame = NULL;
}

void queue_drop(struct queue *queue, struct slot *slot)
{
    CHECK(slot->kind != SLOT_GONE);
    if (slot == queue_at(queue, 0)) queue->sent = 0;
    queue_blank(queue, slot);
    if (slot->key) queue->replaceable--;
    slot->kind = SLOT_GONE;
    slot->key = 0;
    queue->waiting--;
    queue->_gauge->slots--;
}

void queue_tidy(struct queue **queue)
{
    struct queue *at = *queue;
    while (at->count && queue_at(at, 0)->kind == SLOT_GONE) {
        at->_first++;
        at->count--;
    }
    if (at->extra > at->waiting) at->extra = at->waiting;
    if (at->count) return;
    xfree(at);
    *queue = NULL;
}

void queue_free(struct queue **queue)
{
    if (!*queue) return;
    for (uint32_t i = 0; i < (*queue)->count; i++) {
        struct slot *slot = queue_at(*queue, i);
        if (slot->kind != SLOT_GONE) queue_drop(*queue, slot);
    }
    queue_tidy(queue);
}

const struct slot *queue_find(const struct queue *queue, uint64_t position)
{
    for (uint32_t i = 0; queue && i < queue->count; i++) {
        const struct slot *slot = &queue->_slots[(queue->_first + i) & (queue->_capacity - 1)];
        bool is = slot->frame && slot->kind != SLOT_CONTROL && slot->frame->position == position;
        if (is) return slot;
    }
    return NULL;
}

int64_t queue_index(const struct queue *queue, uint32_t sequence)
{
    if (!queue) return -1;
    uint32_t low = 0, high = queue->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct slot *slot = &queue->_slots[(queue->_first + middle) & (queue->_capacity - 1)];
        int32_t distance = (int32_t)(slot->sequence - sequence);
        if (distance == 0) return slot->kind == SLOT_GONE ? -1 : (int64_t)middle;
        if (distance < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
