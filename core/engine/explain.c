#include "engine/explain.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

/* ---- texts ---- */

/* As much as there is room for, without half a character at the end; returns the size. */
static size_t cut(char *to, size_t room, struct bytes text)
{
    size_t size = text.size < room ? text.size : room;
    if (size < text.size)
        while (size && ((unsigned char)text.data[size] & 0xc0) == 0x80) size--;
    if (size) memcpy(to, text.data, size);
    return size;
}

static void copy(char *to, size_t room, struct bytes text)
{
    to[cut(to, room - 1, text)] = '\0';
}

#define COPY(field, text) copy(field, sizeof(field), text)

/* ---- calls ---- */

static struct explain_call *slot_of(const struct explain *explain, uint64_t call)
{
    if (!call || !explain->_calls) return NULL;
    struct explain_call *slot = &explain->_calls[(call - 1) % explain->_limits.triggers];
    return slot->number == call ? slot : NULL;
}

static void call_clear(const struct explain_call *call)
{
    atom_unref(call->what);
    atom_unref(call->place);
    atom_unref(call->source);
}

uint64_t explain_begin(struct explain *explain, const struct explain_about *about)
{
    const uint32_t room = explain->_limits.triggers;
    if (!room) return 0;
    if (!explain->_calls) explain->_calls = xcalloc(room, sizeof(*explain->_calls));
    struct explain_call *call = &explain->_calls[explain->_called++ % room];
    call_clear(call);
    call->number = explain->_called;
    call->at_ms = explain->_clock->wall_ms;
    call->what = atom_ref(about->what);
    call->place = atom_ref(about->place);
    call->source = atom_ref(about->source);
    COPY(call->key, about->key);
    COPY(call->type, about->type);
    COPY(call->id, about->id);
    COPY(call->user, about->user);
    call->error[0] = '\0';
    call->emitted = 0;
    call->end = EXPLAIN_WAITS;
    return call->number;
}

void explain_end(struct explain *explain, uint64_t number, enum explain_end end, struct bytes error)
{
    struct explain_call *call = slot_of(explain, number);
    if (!call) return;
    call->end = end;
    COPY(call->error, error);
}

void explain_emitted(struct explain *explain, uint64_t number, size_t count)
{
    struct explain_call *call = slot_of(explain, number);
    if (call) call->emitted += (uint32_t)count;
}

/* ---- triggers ---- */

void explain_describe(struct explain_trigger *trigger, struct atom *topic,
                      const struct emission *emission)
{
    trigger->topic = topic;
    trigger->type = emission->type;
    trigger->replaces = emission->replaces;
    trigger->user = emission->user;
    trigger->tag = emission->tag;
    trigger->cause = emission->cause;
    trigger->within_ms = emission->within_ms;
    trigger->elsewhere = emission->elsewhere;
    trigger->data_size = (uint32_t)emission->data.size;
    trigger->excerpt_size = (uint16_t)cut(trigger->data, sizeof(trigger->data), emission->data);
}

static void trigger_clear(const struct explain_trigger *trigger)
{
    atom_unref(trigger->topic);
    atom_unref(trigger->type);
    atom_unref(trigger->replaces);
    atom_unref(trigger->user);
    atom_unref(trigger->tag);
}

/* NULL where nothing is kept. */
static struct explain_trigger *keep(struct explain *explain, struct atom *topic,
                                    const struct emission *emission, enum explain_state state)
{
    const uint32_t room = explain->_limits.triggers;
    if (!room) return NULL;
    if (!explain->_triggers) explain->_triggers = xcalloc(room, sizeof(*explain->_triggers));
    struct explain_trigger *trigger = &explain->_triggers[explain->_placed++ % room];
    if (trigger->number) explain->_oldest_trigger = trigger->number + 1;
    trigger_clear(trigger);
    explain_describe(trigger, atom_ref(topic), emission);
    atom_ref(emission->type);
    atom_ref(emission->replaces);
    atom_ref(emission->user);
    atom_ref(emission->tag);
    trigger->number = explain->_placed;
    trigger->at_ms = explain->_clock->wall_ms;
    trigger->position = 0;
    trigger->subscribers = 0;
    trigger->state = state;
    return trigger;
}

void explain_lost(struct explain *explain, struct bytes topic, const struct emission *emission)
{
    struct atom *name = atom_get(topic);
    keep(explain, name, emission, EXPLAIN_LOST);
    atom_unref(name);
}

void explain_unpublished(struct explain *explain, struct atom *topic,
                         const struct emission *emission)
{
    keep(explain, topic, emission, EXPLAIN_UNPUBLISHED);
}

/* ---- the journal ---- */

static void on_placed(struct journal *journal, const struct placing *placing,
                      const struct emission *emission)
{
    struct explain *explain = CONTAINER(journal, struct explain, _journal);
    struct explain_trigger *trigger = keep(explain, placing->topic, emission, EXPLAIN_PLACED);
    if (trigger) {
        trigger->position = placing->position;
        trigger->place = placing->place;
        trigger->server = placing->server;
        trigger->subscribers = placing->subscribers;
    }
    struct journal *next = explain->_next;
    if (next && next->placed) next->placed(next, placing, emission);
}

static void on_merged(struct journal *journal, struct atom *topic, const struct emission *emission)
{
    struct explain *explain = CONTAINER(journal, struct explain, _journal);
    keep(explain, topic, emission, EXPLAIN_MERGED);
    struct journal *next = explain->_next;
    if (next && next->merged) next->merged(next, topic, emission);
}

static void on_limited(struct journal *journal, struct atom *topic,
                       const struct emission *emission)
{
    struct explain *explain = CONTAINER(journal, struct explain, _journal);
    keep(explain, topic, emission, EXPLAIN_LIMITED);
    struct journal *next = explain->_next;
    if (next && next->limited) next->limited(next, topic, emission);
}

void explain_blame(struct explain *explain, const struct subscriber *subscriber, uint64_t position)
{
    explain->_blamed = subscriber;
    explain->_blamed_position = position;
}

static bool is_blamed(struct explain *explain, uint64_t position,
                      const struct subscriber *subscriber, unsigned kind)
{
    if (kind != SPARED_DENIED && kind != SPARED_WITHHELD) return false;
    const bool blamed =
        explain->_blamed == subscriber && explain->_blamed_position == position;
    if (blamed) explain->_blamed = NULL;
    return blamed;
}

static void decide(struct explain *explain, uint64_t position, const struct subscriber *subscriber,
                   unsigned kind)
{
    const uint32_t room = explain->_limits.decisions;
    if (!explain->_limits.triggers) return;
    if (!room) {
        if (kind < SPARED_REASONS && position > explain->_horizon) explain->_horizon = position;
        return;
    }
    if (!explain->_decisions) explain->_decisions = xcalloc(room, sizeof(*explain->_decisions));
    struct explain_decision *decision = &explain->_decisions[explain->_decision_at];
    if (decision->kind < SPARED_REASONS && decision->position > explain->_horizon)
        explain->_horizon = decision->position;
    *decision = (struct explain_decision){
        position, is_blamed(explain, position, subscriber, kind), kind, subscriber};
    if (explain->_decision_count < room) explain->_decision_count++;
    if (++explain->_decision_at == room) explain->_decision_at = 0;
}

static void on_spared(struct journal *journal, uint64_t position,
                      const struct subscriber *subscriber, enum spared reason)
{
    struct explain *explain = CONTAINER(journal, struct explain, _journal);
    decide(explain, position, subscriber, reason);
    struct journal *next = explain->_next;
    if (next && next->spared) next->spared(next, position, subscriber, reason);
}

static void on_resumed(struct journal *journal, uint64_t position,
                       const struct subscriber *subscriber)
{
    struct explain *explain = CONTAINER(journal, struct explain, _journal);
    decide(explain, position, subscriber, EXPLAIN_RESUMED);
    struct journal *next = explain->_next;
    if (next && next->resumed) next->resumed(next, position, subscriber);
}

struct journal *explain_journal(struct explain *explain)
{
    return &explain->_journal;
}

/* ---- life ---- */

void explain_create(struct explain *explain, const struct explain_limits *limits,
                    const struct clock *clock, struct journal *next)
{
    *explain = (struct explain){
        ._journal = {.placed = on_placed,
                     .limited = on_limited,
                     .merged = on_merged,
                     .spared = on_spared,
                     .resumed = on_resumed},
        ._next = next,
        ._clock = clock,
        ._limits = *limits,
        ._oldest_trigger = 1,
    };
}

static void free_rings(const struct explain *explain)
{
    xfree(explain->_calls);
    xfree(explain->_triggers);
    xfree(explain->_decisions);
}

void explain_destroy(struct explain *explain)
{
    for (uint32_t i = 0; explain->_calls && i < explain->_limits.triggers; i++)
        call_clear(&explain->_calls[i]);
    for (uint32_t i = 0; explain->_triggers && i < explain->_limits.triggers; i++)
        trigger_clear(&explain->_triggers[i]);
    free_rings(explain);
}

/* Numbers stay what they are, since emissions that wait in windows carry them. */
static void move_calls(struct explain *explain, const struct explain *old)
{
    const uint32_t room = explain->_limits.triggers;
    if (old->_calls && room) explain->_calls = xcalloc(room, sizeof(*explain->_calls));
    for (uint32_t i = 0; old->_calls && i < old->_limits.triggers; i++) {
        const struct explain_call *call = &old->_calls[i];
        if (call->number && call->number + room > old->_called)
            explain->_calls[(call->number - 1) % room] = *call;
        else
            call_clear(call);
    }
}

static void move_triggers(struct explain *explain, const struct explain *old)
{
    const uint32_t room = explain->_limits.triggers;
    if (old->_triggers && room) explain->_triggers = xcalloc(room, sizeof(*explain->_triggers));
    for (uint32_t i = 0; old->_triggers && i < old->_limits.triggers; i++) {
        const struct explain_trigger *trigger = &old->_triggers[i];
        if (trigger->number && trigger->number + room > old->_placed)
            explain->_triggers[(trigger->number - 1) % room] = *trigger;
        else
            trigger_clear(trigger);
    }
    if (explain->_oldest_trigger + room <= old->_placed)
        explain->_oldest_trigger = old->_placed + 1 - room;
}

static void move_decision(void *ctx, const struct explain_decision *decision)
{
    decide(ctx, decision->position, decision->subscriber, decision->kind);
}

void explain_set_limits(struct explain *explain, const struct explain_limits *limits)
{
    const struct explain old = *explain;
    if (limits->triggers == old._limits.triggers && limits->decisions == old._limits.decisions)
        return;
    explain->_limits = *limits;
    explain->_calls = NULL;
    explain->_triggers = NULL;
    explain->_decisions = NULL;
    explain->_decision_at = explain->_decision_count = 0;
    move_calls(explain, &old);
    move_triggers(explain, &old);
    explain_decisions_each(&old, move_decision, explain);
    free_rings(&old);
}

/* ---- queries ---- */

const struct explain_call *explain_call_of(const struct explain *explain, uint64_t call)
{
    return slot_of(explain, call);
}

const struct explain_call *explain_call_at(const struct explain *explain, uint32_t back)
{
    return back < explain->_called ? slot_of(explain, explain->_called - back) : NULL;
}

static const struct explain_trigger *trigger_of(const struct explain *explain, uint64_t number)
{
    if (!explain->_triggers || number < explain->_oldest_trigger) return NULL;
    return &explain->_triggers[(number - 1) % explain->_limits.triggers];
}

const struct explain_trigger *explain_trigger_at(const struct explain *explain, uint32_t back)
{
    return back < explain->_placed ? trigger_of(explain, explain->_placed - back) : NULL;
}

const struct explain_trigger *explain_oldest(const struct explain *explain)
{
    const uint64_t oldest = explain->_oldest_trigger;
    return oldest <= explain->_placed ? trigger_of(explain, oldest) : NULL;
}

bool explain_forgot(const struct explain *explain)
{
    return explain->_oldest_trigger > 1;
}

uint64_t explain_horizon(const struct explain *explain)
{
    return explain->_horizon;
}

void explain_decisions_each(const struct explain *explain,
                            void (*each)(void *ctx, const struct explain_decision *decision),
                            void *ctx)
{
    const uint32_t room = explain->_limits.decisions;
    const uint32_t count = explain->_decision_count;
    for (uint32_t i = 0; i < count; i++)
        each(ctx, &explain->_decisions[(explain->_decision_at + room - count + i) % room]);
}
