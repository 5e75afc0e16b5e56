/* queue: the slots of one subscriber, in order: what waits for its socket. A ring
 * in one block of memory that is there only while something waits, so that an
 * idle subscriber pays a pointer.
 *
 * A slot is found again by its sequence number, never by its address: slots move.
 * One that is removed from the middle is "gone" and takes room until it reaches
 * the head or the ring is tidied; gone slots are not counted anywhere.
 *
 * The queue knows neither bounds nor verdicts: those are its users'. It owns one
 * reference of each frame; a slot's question is borrowed and must be settled
 * before the slot is dropped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;
struct question;

enum slot_kind {
    SLOT_GONE,
    SLOT_TRIGGER,
    SLOT_RESYNC,  /* says "re-read": what a later and wider resync makes needless */
    SLOT_CONTROL, /* the hub's and the app's own words: never dropped for lack of room */
    SLOT_MARK,    /* moves the client's cursor past what stands in front of it, and only then */
    SLOT_SNAPSHOT, /* how a topic stands, see snapshot.h; its frame is made when rules have said it */
    SLOT_LAGGED   /* where a lagged subscriber goes on; its frame is made when it is due */
};

struct slot {
    struct frame *frame;       /* NULL: not made yet, or gone */
    struct question *question; /* the open question that it waits for, or NULL */
    uint32_t sequence;
    uint32_t kind : 3;   /* enum slot_kind */
    uint32_t tagged : 1; /* goes out as its twin with the session tag */
    uint32_t heir : 1;   /* an older one with its key is gone for it */
    uint32_t unchecked : 1; /* its yes was taken back, see recheck.h */
    uint32_t key : 26;      /* a hash of (topic, type, replaces); 0: replaces nothing */
};

/* What waits in all queues of a hub, and the most that ever did. */
struct queue_gauge {
    uint64_t slots, bytes, slots_max, bytes_max;
};

struct queue {
    uint32_t count;       /* slots, with the gone */
    uint32_t waiting;     /* slots, without */
    uint32_t replaceable; /* those with a key */
    uint32_t held;        /* those with a question */
    uint32_t sent;        /* bytes of the head's frame that are out already */
    uint32_t extra;       /* slots that its user allows above the bound */
    size_t bytes;         /* of all frames that wait; the head's counts whole */
    struct queue_gauge *_gauge;
    uint32_t _first, _capacity, _next_sequence;
    struct slot _slots[];
};

/* A queue with room for so many slots; it grows. What waits is counted in the gauge. */
struct queue *queue_new(uint32_t room, struct queue_gauge *gauge);

/* Appends a slot. Takes its own reference of the frame, which may be NULL. The slot is good until
 * the next call. */
struct slot *queue_push(struct queue **queue, enum slot_kind kind, struct frame *frame,
                        bool tagged);

/* Puts a slot with this frame in front of the one at `index`; returns where that stands now. */
uint32_t queue_insert(struct queue **queue, uint32_t index, enum slot_kind kind,
                      struct frame *frame);

/* Gives a slot that has none its frame. */
void queue_fill(struct queue *queue, struct slot *slot, enum slot_kind kind, struct frame *frame);

/* Takes its frame away, if it has one; it must have no question. */
void queue_blank(struct queue *queue, struct slot *slot);

/* Marks a slot as one that a newer one with this key replaces. */
void queue_set_key(struct queue *queue, struct slot *slot, uint32_t key);

/* Sets, or with NULL takes away, the question that a slot waits for. */
void queue_set_question(struct queue *queue, struct slot *slot, struct question *question);

/* Removes a slot, wherever it stands. It must have no question. */
void queue_drop(struct queue *queue, struct slot *slot);

/* Takes away the gone slots at the head and, when nothing is left, the queue itself. */
void queue_tidy(struct queue **queue);

/* Drops everything and the queue. No slot may have a question. *queue may be NULL. */
void queue_free(struct queue **queue);

/* The slot of the trigger at this position, or NULL. */
const struct slot *queue_find(const struct queue *queue, uint64_t position);

/* The index of a slot by its sequence number; -1: it is gone. */
int64_t queue_index(const struct queue *queue, uint32_t sequence);

static inline struct slot *queue_at(struct queue *queue, uint32_t index)
{
    return &queue->_slots[(queue->_first + index) & (queue->_capacity - 1)];
}

/* What goes on the wire for a slot with a frame. */
struct frame *slot_wire(const struct slot *slot);
