/* explanation: the answer to "what became of it?", from what explain keeps and how
 * the hubs stand: for each app its triggers, the newest first, with their cause and
 * what became of them at each subscriber, then handlers that ran and emitted nothing.
 *
 * Here it is found; how it looks is a writer's affair: JSON for /explain and specs,
 * text for people. Nothing is claimed that is not known: where the decision about a
 * subscriber may have been pushed out, it is "unknown" (engine/fates.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "engine/explain.h"
#include "engine/fates.h"

struct node;

enum { EXPLANATION_LAST = 10, EXPLANATION_LAST_MAX = 100 };

/* Triggers of this topic; of topics that this user has, or that it caused; the one with this id. At
 * least one of them is not empty; with a user as well, the subscribers shown are that user's. */
struct explanation_query {
    struct bytes topic, user, id;
    uint32_t last; /* so many of each app, at most EXPLANATION_LAST_MAX */
};

/* What a writer is given of a trigger. Bytes with data NULL: there is none. */
struct explained {
    const struct explain_trigger *trigger;
    const struct explain_call *cause;  /* or NULL: not kept */
    struct bytes id, newer;            /* newer: the id of the one that stands for it */
    struct bytes filter, filter_place; /* what the topic has now */
    struct bytes audience, audience_place;
    const struct tally *tally;         /* NULL: it has no place in the order */
};

/* Called in this order: begin, for each app { app, trigger..., calls, call..., end_app }, end.
 * `first` of the app. */
struct explanation_writer {
    void (*begin)(struct buf *out);
    void (*app)(struct buf *out, struct bytes name, bool first,
                uint64_t since_ms); /* 0: everything is there; else nothing older */
    void (*trigger)(struct buf *out, const struct explained *explained, bool first);
    void (*calls)(struct buf *out);
    void (*call)(struct buf *out, const struct explain_call *call, bool first);
    void (*end_app)(struct buf *out, bool nothing); /* neither a trigger nor a call */
    void (*end)(struct buf *out);
};

/* {"apps":[{"app","since","triggers":[…],"calls":[…]}]}; a trigger:
 *   {"at","state","topic","type","id","data","size","user","tag","replaces","within_ms","newer",
 *    "cause":{…}|null,"elsewhere","filter":{"what","place"}|null,"audience":…,"subscribers",
 *    "gone","not_looked_at","outcomes":{name:count},"who":[{"outcome","by","user","tag","stream","number"}]}
 * state: placed, window (waits in one), merged (gave way to a newer one in a window), lost (its
 * topic could not be had), limited, unpublished (the bus did not take it); elsewhere: it is another node's. The last line is there for placed ones. `who` has the first of those
 * that did not get it, then of those that did; the counts are of all. by: "audience" or "filter", of denied and
 * withheld ones. A cause, and a call:
 *   {"at","what","place","source","key","type","id","user","emitted","end","error"}
 * end: waits, returned, failed, dropped, unpublished (error says why). what null: the link itself. */
extern const struct explanation_writer explanation_json;

/* Blocks of lines for people. */
extern const struct explanation_writer explanation_text;

enum explanation {
    EXPLANATION_GIVEN,
    EXPLANATION_FOREIGN_ID, /* the id is of another process, or of nobody */
    EXPLANATION_OLD_ID,     /* it is older than what is kept */
    EXPLANATION_NO_TRIGGER  /* no trigger has it: a stream began, or beat, there */
};

/* Writes nothing unless it is GIVEN. */
enum explanation explanation_write(struct node *node, const struct explanation_query *query,
                                   const struct explanation_writer *writer, struct buf *out);
