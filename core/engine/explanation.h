/* explanation: the answer to "what became of it?", as JSON, from what explain keeps
 * and how the hub stands. Written for /explain and for specs alike:
 *
 *   {"apps":[{"app","since","triggers":[…],"calls":[…]}]}
 *
 * An app's triggers, the newest first, each
 *   {"at","topic","type","id","data","size","user","tag","replaces","within","state","newer",
 *    "cause":{…}|null,"filter":{"what","place"}|null,"subscribers","gone","not_looked_at",
 *    "outcomes":{name:count},"who":[{"user","tag","stream","number","outcome"}]}
 * state: placed, window (waits in one), merged (gave way to a newer one in a window), lost (its
 * topic could not be had); `newer`: the id of the one that stands for it. `who` has the first of
 * those that did not get it, then of those that did; the counts are of all.
 *
 * calls: handlers that emitted nothing, if they concern what was asked for. A call, and a cause:
 *   {"at","what","place","source","key","type","id","user","emitted","end","error"}
 * end: waits, returned, failed, dropped. what null: the link itself.
 *
 * `since`: nothing older is kept. Nothing is claimed that is not known: where the decision about a
 * subscriber may have been pushed out, its outcome is "unknown". Outcomes: engine/fates.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

struct node;

enum { EXPLANATION_LAST = 10, EXPLANATION_LAST_MAX = 100 };

/* Triggers of this topic; of topics that this user has, or that it caused; the one with this id. At
 * least one of them is not empty; with a user as well, the subscribers shown are that user's. */
struct explanation_query {
    struct bytes topic, user, id;
    uint32_t last; /* so many of each app, at most */
};

enum explanation {
    EXPLANATION_GIVEN,
    EXPLANATION_FOREIGN_ID, /* the id is of another process, or of nobody */
    EXPLANATION_OLD_ID,     /* it is older than what is kept */
    EXPLANATION_NO_TRIGGER  /* no trigger has it: a stream began, or beat, there */
};

/* Writes nothing unless it is GIVEN. */
enum explanation explanation_write(struct node *node, const struct explanation_query *query,
                                   struct buf *out);
