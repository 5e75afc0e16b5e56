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

static void call_clear(struct explain_call *call)
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
    trigger->data_size = (uint32_t)emission->data.size;
    trigger->excerpt_size = (uint32_t)cut(trigger->data, sizeof(trigger->data), emission->data);
}

static void trigger_clear(struct explain_trigger *trigger)
{
    atom_unref(trigger->topic);
    atom_unref(trigger->type);
    atom_unref(trigger->replaces);
    atom_unref(trigger->user);
    atom_unref(trigger->tag);
}

static struct explain_trigger *keep(struct explain *explain, struct atom *topic,
                                    const struct emission *emission, enum explain_state state)
{
    const uint32_t room = explain->_limits.triggers;
    if (!explain->_triggers) explain->_triggers = xcalloc(room, sizeof(*explain->_triggers));
    struct explain_trigger *trigger = &explain->_triggers[explain->_placed++ % room];
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
    if (!explain->_limits.triggers) return;
    struct atom *name = atom_get(topic);
    keep(explain, name, emission, EXPLAIN_LOST);
    atom_unref(name);
}

/* ---- the journal ---- */

static void on_placed(struct journal *journal, const struct placing *placing,
                      const struct emission *emission)
{
    struct explain *explain = CONTAINER(journal, struct explain, _journal);
    struct explain_trigger *trigger = keep(explain, placing->topic, emission, EXPLAIN_PLACED);
    trigger->position = placing->position;
    trigger->subscribers = placing->subscribers;
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

static void decide(struct explain *explain, uint64_t position, const struct subscriber *subscriber,
                   unsigned kind)
{
    const uint32_t room = explain->_limits.decisions;
    if (!room) {
        if (kind < SPARED_REASONS && position > explain->_horizon) explain->_horizon = position;
        return;
    }
    if (!explain->_decisions) explain->_decisions = xcalloc(room, sizeof(*explain->_decisions));
    struct explain_decision *decision = &explain->_decisions[explain->_decision_at];
    if (decision->kind < SPARED_REASONS && decision->position > explain->_horizon)
        explain->_horizon = decision->position;
    *decision = (struct explain_decision){position, kind, subscriber};
    explain->_decided++;
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
    return explain->_limits.triggers ? &explain->_journal : explain->_next;
}

/* ---- life ---- */

void explain_create(struct explain *explain, const struct explain_limits *limits,
                    const struct clock *clock, struct journal *next)
{
    *explain = (struct explain){
        ._journal = {on_placed, on_merged, on_spared, on_resumed},
        ._next = next,
        ._clock = clock,
        ._limits = *limits,
    };
}

void explain_destroy(struct explain *explain)
{
    for (uint32_t i = 0; explain->_calls && i < explain->_limits.triggers; i++)
        call_clear(&explain->_calls[i]);
    for (uint32_t i = 0; explain->_triggers && i < explain->_limits.triggers; i++)
        trigger_clear(&explain->_triggers[i]);
    xfree(explain->_calls);
    xfree(explain->_triggers);
    xfree(explain->_decisions);
}

/* ---- queries ---- */

const struct explain_call *explain_call_of(const struct explain *explain, uint64_t call)
{
    return slot_of(explain, call);
}

static bool is_kept(const struct explain *explain, uint64_t count, uint32_t back)
{
    return back < count && back < explain->_limits.triggers;
}

const struct explain_call *explain_call_at(const struct explain *explain, uint32_t back)
{
    if (!is_kept(explain, explain->_called, back)) return NULL;
    return &explain->_calls[(explain->_called - 1 - back) % explain->_limits.triggers];
}

const struct explain_trigger *explain_trigger_at(const struct explain *explain, uint32_t back)
{
    if (!is_kept(explain, explain->_placed, back)) return NULL;
    return &explain->_triggers[(explain->_placed - 1 - back) % explain->_limits.triggers];
}

const struct explain_trigger *explain_oldest(const struct explain *explain)
{
    const uint32_t room = explain->_limits.triggers;
    const uint64_t kept = explain->_placed < room ? explain->_placed : room;
    return kept ? explain_trigger_at(explain, (uint32_t)kept - 1) : NULL;
}

bool explain_forgot(const struct explain *explain)
{
    return explain->_placed > explain->_limits.triggers;
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
    const uint32_t count = explain->_decided < room ? (uint32_t)explain->_decided : room;
    for (uint32_t i = 0; i < count; i++)
        each(ctx, &explain->_decisions[(explain->_decision_at + room - count + i) % room]);
}
