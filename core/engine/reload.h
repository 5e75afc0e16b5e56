/* reload: puts an app under another generation of its rules, in one step between
 * two events. State stays, code is found again by the name it was declared under:
 *
 *   subscriber   stays; its stream's options and leases are the new ones; without
 *                a stream of that name it ends (reload)
 *   topic        stays with history, cursor, windows; its options are the new ones;
 *                where no declaration has its name, its subscribers leave it and
 *                are told to re-read (reload)
 *   link         stays, its policy is the new one; without an upstream it closes
 *   source       stays with what waits; with another channel or server it is subscribed anew, which
 *                is a gap; without an app:redis it is closed
 *   beat         keeps its due time; without an app:every it is dropped
 *   store        stays
 *
 * What waits in a queue needs the new rules' yes (hub/recheck.h); who is live is asked
 * again, bit by bit, which topics it has (engine/review.h), and each link what it
 * is to be opened with (engine/renewal.h).
 *
 * What else runs in the earlier generation - a handler, an arrival, a visit - ends
 * there; the next event goes to the new one. */
#pragma once

struct app;
struct generation;

/* Takes the reference of the generation. It must have been checked: node_admits. Calls no rule
 * but filters of the earlier generation. */
void reload_app(struct app *app, struct generation *generation);
