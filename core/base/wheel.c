/* The slot of a timer is given by the highest 6-bit digit in which its due time
 * differs from now: the digit's place is the level, its value the slot. So every
 * timer of a level lies behind every timer of the levels below, a slot becomes
 * current at one known time, and only one slot at that time. When it does, its
 * timers are sorted into the levels below in the order they stand in; timers of
 * one millisecond are therefore never in two lists, and keep their order of
 * arming. (Placing by distance instead, as the Linux kernel once did, lets a late
 * near timer overtake an early far one.)
 *
 * A bitmap of occupied slots a level finds the next slot without walking empty
 * ones: an advance costs what it fires and sorts, not the time that passed. */
#include "base/wheel.h"

#include "base/check.h"

static struct timer *timer_of(struct list *node)
{
    return CONTAINER(node, struct timer, _node);
}

static void mark(struct wheel *wheel, unsigned index, bool occupied)
{
    uint64_t bit = (uint64_t)1 << (index % WHEEL_SLOTS);
    uint64_t *word = &wheel->_occupied[index / WHEEL_SLOTS];
    *word = occupied ? *word | bit : *word & ~bit;
}

static void put(struct wheel *wheel, unsigned index, struct timer *timer)
{
    list_append(&wheel->_lists[index], &timer->_node);
    mark(wheel, index, true);
}

/* Takes the timer out of its list. The neighbour on both sides of a list's only node is the
 * list itself, which says whose bit to clear. */
static void pull(struct wheel *wheel, struct timer *timer)
{
    struct list *head = timer->_node.next;
    if (head == timer->_node.prev) mark(wheel, (unsigned)(head - wheel->_lists), false);
    list_remove(&timer->_node);
}

static void place(struct wheel *wheel, struct timer *timer)
{
    uint64_t differs = timer->due_ms ^ wheel->_now_ms;
    unsigned level = differs ? (63 - (unsigned)__builtin_clzll(differs)) / WHEEL_BITS : 0;
    if (level < WHEEL_LEVELS) {
        unsigned slot = (unsigned)(timer->due_ms >> level * WHEEL_BITS) % WHEEL_SLOTS;
        put(wheel, level * WHEEL_SLOTS + slot, timer);
    } else {
        bool first = list_empty(&wheel->_lists[WHEEL_BEYOND]);
        if (first || timer->due_ms < wheel->_beyond_ms) wheel->_beyond_ms = timer->due_ms;
        put(wheel, WHEEL_BEYOND, timer);
    }
}

/* The list that becomes current next, and when; WHEEL_LISTS if nothing is to come. */
static unsigned upcoming(const struct wheel *wheel, uint64_t *when_ms)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (!wheel->_occupied[level]) continue;
        unsigned slot = (unsigned)__builtin_ctzll(wheel->_occupied[level]);
        unsigned shift = level * WHEEL_BITS;
        uint64_t above = wheel->_now_ms >> (shift + WHEEL_BITS) << WHEEL_BITS;
        *when_ms = (above | slot) << shift;
        return level * WHEEL_SLOTS + slot;
    }
    if (list_empty(&wheel->_lists[WHEEL_BEYOND])) return WHEEL_LISTS;
    *when_ms = wheel->_beyond_ms >> WHEEL_LEVELS * WHEEL_BITS << WHEEL_LEVELS * WHEEL_BITS;
    return WHEEL_BEYOND;
}

static void take(struct wheel *wheel, unsigned index, struct list *to)
{
    list_move(to, &wheel->_lists[index]);
    mark(wheel, index, false);
}

static void fire_all(struct wheel *wheel, unsigned index)
{
    struct list *firing = &wheel->_lists[WHEEL_FIRING];
    if (list_empty(&wheel->_lists[index])) return;
    take(wheel, index, firing);
    mark(wheel, WHEEL_FIRING, true);
    while (!list_empty(firing)) {
        struct timer *timer = timer_of(firing->next);
        wheel_disarm(wheel, timer);
        timer->fire(timer);
    }
}

static void sort_in(struct wheel *wheel, unsigned index)
{
    struct list timers;
    list_create(&timers);
    take(wheel, index, &timers);
    while (!list_empty(&timers)) {
        struct timer *timer = timer_of(timers.next);
        list_remove(&timer->_node);
        place(wheel, timer);
    }
}

void wheel_create(struct wheel *wheel, uint64_t now_ms)
{
    *wheel = (struct wheel){._now_ms = now_ms, ._until_ms = now_ms};
    for (unsigned i = 0; i < WHEEL_LISTS; i++) list_create(&wheel->_lists[i]);
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
    list_create(&timer->_node);
}

bool timer_armed(const struct timer *timer)
{
    return !list_empty(&timer->_node);
}

void wheel_arm(struct wheel *wheel, struct timer *timer, uint64_t due_ms)
{
    CHECK(timer->_node.next); /* created */
    wheel_disarm(wheel, timer);
    wheel->count++;
    timer->due_ms = due_ms > wheel->_now_ms ? due_ms : wheel->_until_ms;
    if (timer->due_ms > wheel->_now_ms)
        place(wheel, timer);
    else
        put(wheel, WHEEL_OVERDUE, timer);
}

void wheel_disarm(struct wheel *wheel, struct timer *timer)
{
    if (!timer_armed(timer)) return;
    pull(wheel, timer);
    wheel->count--;
}

void wheel_advance(struct wheel *wheel, uint64_t now_ms)
{
    CHECK(!wheel->_advancing);
    wheel->_advancing = true;
    if (now_ms > wheel->_until_ms) wheel->_until_ms = now_ms;

    fire_all(wheel, WHEEL_OVERDUE);
    uint64_t when_ms;
    for (unsigned index; (index = upcoming(wheel, &when_ms)) != WHEEL_LISTS;) {
        if (when_ms > wheel->_until_ms) break;
        wheel->_now_ms = when_ms;
        if (index < WHEEL_SLOTS)
            fire_all(wheel, index);
        else
            sort_in(wheel, index);
    }
    wheel->_now_ms = wheel->_until_ms;
    wheel->_advancing = false;
}

uint64_t wheel_next(const struct wheel *wheel)
{
    uint64_t when_ms = UINT64_MAX;
    if (!list_empty(&wheel->_lists[WHEEL_OVERDUE])) return wheel->_now_ms;
    upcoming(wheel, &when_ms);
    return when_ms;
}
