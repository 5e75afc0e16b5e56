/* explain: what became of an app's last events, kept so that somebody can ask
 * afterwards "why did ann not get it?" Nothing has to be switched on first, so what
 * is kept must cost next to nothing:
 *
 *   calls      handlers that ran for an event, emitted or failed; one note a call
 *   triggers   what they emitted, with the first bytes of its data; one note a trigger
 *   decisions  who did *not* get a trigger of a topic that it has, and why
 *
 * Each is a ring: the newest push out the oldest. Who did get a trigger is not
 * written down at all, it follows: a subscriber that had the topic before, waits for
 * it no more (hub/standing.h) and was not spared. So a plain delivery pays nothing
 * and a refused one a few stores, and that is also why the answer has a horizon: once
 * a decision about a trigger is pushed out, nothing is claimed of that trigger or of
 * older ones any more, except where a decision that is still there says it.
 *
 * A trigger is tied to the call that emitted it by the call's number, its *cause*,
 * which goes with each emit through windows into the order. Calls, not tasks or
 * coroutines, because a call is what a rule author wrote a function for.
 *
 * Pure; the answer is written by engine/explanation.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/bytes.h"
#include "ports/clock.h"
#include "ports/journal.h"

struct subscriber;

struct explain_limits {
    uint32_t triggers;  /* and as many calls; 0: nothing is kept */
    uint32_t decisions; /* 0: none is kept */
};

/* UNHEARD: it returned, but what it emitted was not published; its error says why. */
enum explain_end { EXPLAIN_WAITS, EXPLAIN_RETURNED, EXPLAIN_FAILED, EXPLAIN_DROPPED, EXPLAIN_UNHEARD };

/* One call of a rule's function, or what the engine did itself (`what` is NULL then). Texts are cut
 * where there is no more room. */
struct explain_call {
    uint64_t number;                /* 0: none */
    uint64_t at_ms;                 /* wall clock */
    struct atom *what, *place;      /* "on inbound of inbox", "rules/posta.lua:52"; references */
    struct atom *source;            /* the upstream; a reference, or NULL */
    char key[64], type[48], id[64]; /* of the event */
    char user[48];                  /* whose request it was */
    char error[200];                /* of a failed or unheard one */
    uint32_t emitted;
    enum explain_end end;
};

enum explain_state {
    EXPLAIN_PLACED, /* has its place in the order */
    EXPLAIN_WINDOW, /* waits in a window; made for an answer, never kept */
    EXPLAIN_MERGED, /* gave way to a newer one in a window */
    EXPLAIN_LIMITED, /* its topic had too many */
    EXPLAIN_LOST,   /* its topic could not be had */
    EXPLAIN_UNPUBLISHED /* the bus did not take it; its call says why */
};

enum { EXPLAIN_EXCERPT = 120, EXPLAIN_RESUMED = SPARED_REASONS };

/* One trigger. The atoms are references; type NULL: a resync. */
struct explain_trigger {
    uint64_t number, at_ms; /* wall clock */
    uint64_t position;      /* 0: it has none */
    uint64_t place;         /* and its place, of the server */
    uint64_t cause;         /* the call's number, or 0 */
    uint64_t within_ms;
    struct atom *topic, *type, *replaces, *user, *tag;
    bool elsewhere;                   /* another node's: the call is not known here */
    uint32_t subscribers;             /* of its topic, when it took its place */
    uint32_t data_size;
    uint16_t excerpt_size; /* of data_size, what `data` has */
    uint8_t server;        /* whose the place is */
    enum explain_state state;
    char data[EXPLAIN_EXCERPT];
};

struct explain_decision {
    uint64_t position : 55; /* of the trigger, or of the cursor that it came back with */
    uint64_t audience : 1;  /* denied or withheld: by the topic's audience, not its filter */
    uint64_t kind : 8;      /* enum spared, or EXPLAIN_RESUMED */
    const struct subscriber *subscriber; /* not to be followed: it may be gone */
};

struct explain {
    struct journal _journal;
    struct journal *_next;
    const struct clock *_clock;
    struct explain_limits _limits;
    struct explain_call *_calls; /* rings; NULL until the first is kept */
    struct explain_trigger *_triggers;
    struct explain_decision *_decisions;
    uint64_t _called, _placed; /* how many there ever were */
    uint64_t _oldest_trigger;  /* the number of the oldest that is kept */
    uint32_t _decision_at, _decision_count;
    uint64_t _horizon;
    uint64_t _blamed_position; /* see explain_blame */
    const struct subscriber *_blamed;
};

/* What its journal hears goes on to `next` (may be NULL). */
void explain_create(struct explain *explain, const struct explain_limits *limits,
                    const struct clock *clock, struct journal *next);
void explain_destroy(struct explain *explain);

/* Other limits from now on; of what is kept, the newest stays, as far as there is room. */
void explain_set_limits(struct explain *explain, const struct explain_limits *limits);

/* What a hub is to tell. */
struct journal *explain_journal(struct explain *explain);

/* What a call is about; all borrowed, all may be absent. */
struct explain_about {
    struct atom *what, *place, *source;
    struct bytes key, type, id, user;
};

/* A call begins; returns its number, 0 if nothing is kept. */
uint64_t explain_begin(struct explain *explain, const struct explain_about *about);

/* It has ended; `error` of a failed one. Harmless with 0, or when it is pushed out. */
void explain_end(struct explain *explain, uint64_t call, enum explain_end end, struct bytes error);

/* It emitted so many triggers more. */
void explain_emitted(struct explain *explain, uint64_t call, size_t count);

/* A trigger whose topic could not be had. */
void explain_lost(struct explain *explain, struct bytes topic, const struct emission *emission);

/* One that the bus did not take, or nobody knows whether it did. */
void explain_unpublished(struct explain *explain, struct atom *topic,
                         const struct emission *emission);

/* What the journal hears next of this trigger and subscriber, if it is denied or withheld, is the
 * audience's doing. */
void explain_blame(struct explain *explain, const struct subscriber *subscriber,
                   uint64_t position);

/* What one would be if it was kept: without references of its own. */
void explain_describe(struct explain_trigger *trigger, struct atom *topic,
                      const struct emission *emission);

/* ---- queries ---- */

/* NULL: not kept any more, or never. */
const struct explain_call *explain_call_of(const struct explain *explain, uint64_t call);

/* The newest is 0; NULL: that is all. */
const struct explain_call *explain_call_at(const struct explain *explain, uint32_t back);
const struct explain_trigger *explain_trigger_at(const struct explain *explain, uint32_t back);

/* The oldest that is kept, or NULL; and were older ones pushed out? */
const struct explain_trigger *explain_oldest(const struct explain *explain);
bool explain_forgot(const struct explain *explain);

/* The newest position of which a decision was pushed out: only of later ones all are there. */
uint64_t explain_horizon(const struct explain *explain);

/* All decisions that are kept, the oldest first. */
void explain_decisions_each(const struct explain *explain,
                            void (*each)(void *ctx, const struct explain_decision *decision),
                            void *ctx);
