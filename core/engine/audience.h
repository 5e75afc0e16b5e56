/* audience: may this user have what this trigger is about? Asked of a topic's
 * `audience` hook, once for all users that are connected and whose answer is not
 * known, and never once a tab.
 *
 *   asked about ──key──▶ permits ──fresh──▶ yes, no
 *        │                  └─none──▶ an inquiry of its (topic, key) is under way, with this user?
 *        │                             ├─yes──▶ joins it
 *        │                             └─no───▶ waits for the next, which is posed at the end
 *        └─no user: no                          of the turn, when the fan-out has passed
 *
 * The answers of an inquiry are kept (engine/permits.h) from when it was asked, and
 * given to all that wait for it. Where it fails, nobody knows: what waits is withheld,
 * and for a moment what asks about the same triggers is withheld without asking
 * again, so that thousands of stale subscribers are one inquiry and not thousands.
 *
 * Forgetting (app:forget) is not a generation to compare with: it takes the users out
 * of the inquiries under way, whose answers then are nobody's, and puts what waited
 * there into the next one; what is let through and still waits elsewhere is asked
 * again. A reload drops everything, and what waited is the recheck's (hub/recheck.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/list.h"
#include "engine/groups.h"
#include "engine/hooks.h"
#include "engine/permits.h"
#include "ports/later.h"
#include "ports/verdict.h"

struct admission;
struct clock;
struct explain;
struct generation;
struct hub;
struct inquiry;
struct keyed;
struct log;

struct audience_counters {
    uint64_t questions; /* inquiries posed, */
    uint64_t users;     /* names in them, */
    uint64_t waited_ms; /* and how long their answers took, in all */
    uint64_t kept;      /* verdicts by answers that were there already */
    uint64_t unknown;   /* verdicts that nobody could give */
};

struct audience_ports {
    struct clock *clock;
    struct later *later;
    struct log *log;
    struct hub *hub;
    struct explain *explain;
    struct generation *const *generation; /* the app's, as it is now */
    const uint32_t *permits_max;          /* as the config has it now */
};

struct audience {
    struct audience_ports _ports;
    struct audience_counters counters;
    struct permits _permits;
    struct keyed *_keys; /* the keys of triggers, by position; NULL until one is asked for */
    struct groups _groups;
    struct list _due;  /* groups that have something to ask */
    struct list _kept; /* admissions whose yes may still be taken back */
    struct job _pose;
    uint32_t _rounds;
    bool _told_nobody;
};

void audience_create(struct audience *audience, const struct audience_ports *ports);

/* Nobody may wait any more. */
void audience_destroy(struct audience *audience);

/* One verdict that is waited for; embedded in who waits. */
struct admission {
    /* The late answer, once: YES, NO, UNKNOWN. */
    void (*done)(struct admission *admission, enum verdict verdict);
    /* The yes is taken back: what was begun because of it is to be given up. `done` comes again. */
    void (*again)(struct admission *admission);

    struct list _node; /* in a group's, an asked one's or the audience's list, or in none */
    struct audience *_audience;
    struct group *_group;     /* whose inquiry it waits for, */
    struct inquiry *_inquiry; /* and which, when it is posed */
    struct atom *_key;        /* borrowed; a reference while its yes is kept */
    bool _keeps;
    struct subscriber *_subscriber;
    struct frame *_frame;
};

/* Asks; the topic has an audience. PENDING: `done` comes later, and subscriber and frame stay valid
 * until then. The admission is filled in any case, but for its two functions. */
enum verdict audience_ask(struct audience *audience, const struct plan_topic *topic,
                          struct subscriber *subscriber, struct frame *frame,
                          struct admission *admission);

/* Gives up waiting; `late`: because there was no answer in time. */
void audience_cancel(struct admission *admission, bool late);

/* After a yes: from now on it may be taken back, until audience_let_go. */
void audience_keep(struct admission *admission);
void audience_let_go(struct admission *admission);

/* What was answered about this topic and this user (NULL: all) does not count any more, and is asked
 * again of whatever waits. */
void audience_forget(struct audience *audience, struct atom *topic, struct atom *user);

/* The app has other rules now: nothing that was answered counts, and what waits is given up by who
 * waits (it is rechecked). */
void audience_swap(struct audience *audience);

uint32_t audience_permits(const struct audience *audience);
