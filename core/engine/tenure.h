/* tenure: a feed where nodes share its link. One node at a time has the link; it holds a claim of the name
 * "link:APP:UPSTREAM:KEY" (cluster/claims.h), which each node wishes that has leases of the feed. The feed's
 * link is suspended while the claim is not held.
 *
 * What an event's handler emits is published in the claim's name, and with it the event's id, as the claim's memo, in
 * one step. So the next to hold the claim has its link go on behind the last event that was handled. What was not
 * published was not handled: the link is hung up, what is queued is dropped, and both come again from the
 * memo. If nobody knows whether it was published the claim is wished anew: only what another fence is given with
 * is sure to be the last word.
 *
 * A trigger that waits in a window is not published with its event. So the memo stays behind events that were handled
 * while a window stood open that is open still; they come again if the node dies, and their triggers may come twice.
 *
 * A node without leases goes on holding what it has while others have some: its link is kept for them, until a
 * request must be asked for, which it has no data for. Then, and at a drain, it lets go, and one of the others goes
 * on at once. One that was told to stop lets the others try, each with its own data.
 *
 * A node by itself has no tenures: all of this but tenure_handled takes NULL, as "held, always". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct feed;
struct feeds;
struct tenure;
struct terms;

/* Of an app: what other nodes say of links that they have. */
void tenures_create(struct feeds *feeds);
void tenures_destroy(struct feeds *feeds);

/* The feed's link is there, and without a lease; it is suspended, and the claim wished. NULL: a node by itself. */
struct tenure *tenure_new(struct feed *feed);
void tenure_free(struct tenure *tenure); /* behind tenure_closed */

/* By the clock as it is now: asked before anything is begun in its name. If that says that it is over, what was queued
 * has been dropped. */
bool tenure_holds(struct tenure *tenure);

/* A lease was taken; the last one was given back. The latter may close the link. */
void tenure_wanted(struct tenure *tenure);
void tenure_unwanted(struct tenure *tenure);

/* The link asks for a request. True: there is no lease here, so it was closed for the others. */
bool tenure_lets_go(struct tenure *tenure);

/* It has opened. True: it is the first time, and all are to re-read: also who has a lease on another node, or had
 * one and will come back with a cursor of before. */
bool tenure_opened(struct tenure *tenure, bool reopened);

/* It was lost, or told to stop. */
void tenure_lost(struct tenure *tenure);

/* The link was closed: by the end of its grace, or for another reason, when others may go on with it. */
void tenure_closed(struct tenure *tenure, bool grace_is_over);

/* The upstream's declaration is another one: its topic may be on another server. */
void tenure_swap(struct tenure *tenure);

/* On which terms what is handled now is published; good until tenure_handled. The id may be empty. NULL for NULL. */
const struct terms *tenure_terms(struct tenure *tenure, struct bytes id);

/* What was handled on these terms was published (NULL), or not, for the bus's reason (trunk_answer's codes). May hang
 * the link up, and close it where no lease is here. */
void tenure_handled(struct tenure *tenure, const char *unpublished);

/* Who has leases on other nodes must re-read: told until it is said, or another node has the link, which
 * begins with that. For a feed without a topic. The reason is kept, not copied: "rule" or "upstream". */
void tenure_tell(struct tenure *tenure, const char *reason);
