/* The ring of slots, compared with a plain array. */
#include "hub/queue.c"

#include "base/atom.h"
#include "unit.h"

static struct queue_gauge gauge;

static struct frame *frame_of(const char *data)
{
    return frame_new(&(struct trigger){.data = bytes_of(data)});
}

static struct slot *push(struct queue **queue, const char *data)
{
    struct frame *frame = frame_of(data);
    if (!*queue) *queue = queue_new(1, &gauge);
    struct slot *slot = queue_push(queue, SLOT_TRIGGER, frame, false);
    frame_unref(frame);
    return slot;
}

static int tear_down(void **state)
{
    return frame_live() + atom_live() + gauge.slots + gauge.bytes ? -1 : nothing_left(state);
}

static void is_there_only_while_something_waits(void **state)
{
    (void)state;
    struct queue *queue = NULL;
    push(&queue, "a");
    push(&queue, "bc");
    assert_int_equal(queue->waiting, 2);
    assert_int_equal(queue->bytes, strlen("data: a\n\ndata: bc\n\n"));
    assert_int_equal(gauge.slots, 2);
    assert_int_equal(gauge.bytes, queue->bytes);
    queue->sent = 3;
    queue_drop(queue, queue_at(queue, 0));
    assert_int_equal(queue->sent, 0);
    queue_tidy(&queue);
    assert_int_equal(queue->count, 1);
    queue_drop(queue, queue_at(queue, 0));
    queue_tidy(&queue);
    assert_null(queue);
    assert_int_equal(gauge.slots, 0);
    assert_int_equal(gauge.bytes, 0);
    assert_int_equal(gauge.slots_max, 2);
    assert_int_equal(gauge.bytes_max, strlen("data: a\n\ndata: bc\n\n"));
}

static void the_twin_counts_with_its_own_size(void **state)
{
    (void)state;
    struct atom *user = atom_of("ann"), *tag = atom_of("0123456789abcdef");
    struct frame *frame =
        frame_new(&(struct trigger){.data = BYTES("{\"a\":1}"), .user = user, .tag = tag});
    struct queue *queue = queue_new(1, &gauge);
    queue_push(&queue, SLOT_TRIGGER, frame, true);
    queue_push(&queue, SLOT_TRIGGER, frame, false);
    assert_true(frame_tagged(frame)->size > frame->size);
    assert_int_equal(queue->bytes, frame_tagged(frame)->size + frame->size);
    assert_ptr_equal(slot_wire(queue_at(queue, 0)), frame_tagged(frame));
    queue_drop(queue, queue_at(queue, 0));
    assert_int_equal(queue->bytes, frame->size);
    queue_free(&queue);
    frame_unref(frame);
    atom_unref(user);
    atom_unref(tag);
}

static void stays_small_when_one_is_replaced_for_ever(void **state)
{
    (void)state;
    struct queue *queue = NULL;
    push(&queue, "head");
    for (int i = 0; i < 10000; i++) {
        push(&queue, "x");
        if (queue->waiting > 5) queue_drop(queue, queue_at(queue, queue->count - 4));
    }
    assert_int_equal(queue->waiting, 5);
    assert_true(queue->_capacity <= 16);
    queue_free(&queue);
}

/* Everything that may happen to a queue, against an array of sequence numbers. */
static void finds_slots_by_sequence_in_any_weather(void **state)
{
    (void)state;
    enum { MAX = 400 };
    uint64_t chance = 5;
    uint32_t known[MAX], count = 0, grown = 0, inserted = 0, permitted = 0;
    struct queue *queue = NULL;
    for (int round = 0; round < 40000; round++) {
        uint64_t what = draw_below(&chance, 100);
        if (what < 50 && count < MAX / 2) {
            known[count++] = push(&queue, "x")->sequence;
            if (queue->_capacity > grown) grown = queue->_capacity;
        } else if (what < 52 && count && count < MAX / 2) {
            uint32_t at = (uint32_t)draw_below(&chance, count);
            int64_t index = queue_index(queue, known[at]);
            struct frame *frame = frame_of("inserted");
            /* A slot is permitted once: nothing else is ever inserted in front of it. */
            if (known[at] % 2 == 0 && known[at] > permitted && index) {
                permitted = known[at];
                uint32_t now = queue_insert(&queue, (uint32_t)index, SLOT_RESYNC, frame);
                assert_int_equal(now, queue_index(queue, known[at]));
                memmove(known + at + 1, known + at, (count - at) * sizeof(*known));
                known[at] = known[at + 1] - 1;
                count++;
                inserted++;
            }
            frame_unref(frame);
        } else if (count) {
            uint32_t at = what < 80 ? 0 : (uint32_t)draw_below(&chance, count);
            int64_t index = queue_index(queue, known[at]);
            uint32_t sequence = known[at];
            assert_true(index >= 0);
            queue_drop(queue, queue_at(queue, (uint32_t)index));
            assert_int_equal(queue_index(queue, sequence), -1);
            memmove(known + at, known + at + 1, (--count - at) * sizeof(*known));
            queue_tidy(&queue);
        }
        assert_int_equal(queue ? queue->waiting : 0, count);
        assert_int_equal(gauge.slots, count);
        if (round % 16) continue;
        for (uint32_t i = 0; i < count; i++) {
            int64_t index = queue_index(queue, known[i]);
            assert_true(index >= 0 && queue_at(queue, (uint32_t)index)->sequence == known[i]);
        }
    }
    assert_true(grown >= 64 && inserted > 100);
    queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(is_there_only_while_something_waits, tear_down),
        cmocka_unit_test_teardown(the_twin_counts_with_its_own_size, tear_down),
        cmocka_unit_test_teardown(stays_small_when_one_is_replaced_for_ever, tear_down),
        cmocka_unit_test_teardown(finds_slots_by_sequence_in_any_weather, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
