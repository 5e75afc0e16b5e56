/* fates: what became of a trigger at each subscriber: where the hub says how it
 * stands (hub/standing.h) and explain whether it was spared, the two are put
 * together here. For an answer, then gone: the decisions that concern it are sorted
 * once, so that a topic with many subscribers is a walk and not a square.
 *
 * Decisions name subscribers by their address, which a later one may have again. What
 * had the topic before the trigger cannot be that later one; what came back after it
 * may, so of its decisions only those count that were made since it came back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atom.h"

struct explain;
struct decision;
struct explain_trigger;
struct hub;

enum fate {
    FATE_DELIVERED, /* its connection took it */
    FATE_REPLAYED,  /* the same, when it came back */
    FATE_WAITING,   /* in its queue, or on the way there */
    FATE_PENDING,   /* its filter has not answered yet */
    FATE_DENIED,
    FATE_WITHHELD,
    FATE_ECHO,
    FATE_REPLACED,
    FATE_LAGGED,
    FATE_LATER,   /* it has the topic, but only since then */
    FATE_ABSENT,  /* it does not have the topic */
    FATE_UNKNOWN, /* what would tell is not kept any more */
    FATES
};

const char *fate_name(enum fate fate);

enum { FATES_SHOWN = 50, FATES_LOOKS = 20000 };

struct shown {
    enum fate fate;
    bool audience; /* denied or withheld: by the audience, not the filter */
    struct atom *user, *tag, *stream; /* borrowed; user and tag may be NULL */
    uint64_t number;                  /* no other one of this process ever has it */
};

/* One trigger's. */
struct tally {
    uint32_t counts[FATES];
    uint32_t not_looked_at; /* subscribers: there are too many for one answer */
    uint32_t gone;          /* that were spared, and have ended or left since */
    struct shown
        shown[2 * FATES_SHOWN]; /* first of those that did not get it, then of those that did */
    uint32_t shown_count;
};

struct fates {
    struct hub *_hub;
    const struct explain *_explain;
    struct decision *_spared, *_resumed; /* sorted */
    size_t _spared_count, _resumed_count;
    uint32_t _looks_left;
    bool _audience; /* of the decision that was found last */
};

/* For triggers from this position on. */
void fates_create(struct fates *fates, struct hub *hub, const struct explain *explain,
                  uint64_t oldest);
void fates_destroy(struct fates *fates);

/* Of the subscribers of its topic; with a user, of all of that user's. Nothing of the hub may
 * change while the tally is used. */
void fates_tell(struct fates *fates, const struct explain_trigger *trigger, struct atom *user,
                struct tally *tally);
