/* recheck: what was permitted and still waits in a queue may need another yes.
 *
 * After a reload, that of the new rules: triggers of filtered topics are asked about
 * again before anything more is sent, and questions that are still open with the
 * earlier rules are given up; snapshots that are not out yet are made anew. After an
 * audience's answers were taken back, that of the audience: then the slots concerned are
 * marked, snapshots among them, and open questions about triggers are left to who
 * answers them.
 *
 * Done when a subscriber's queue is next looked at, so that a reload does not stop at
 * every queue of a node. */
#pragma once

struct atom;
struct hub;
struct subscriber;

/* Everybody's queue is due; the topics have their new options. */
void hub_recheck(struct hub *hub);

/* What was permitted of this topic to this user (NULL: all) does not count any more, where the topic has an
 * audience. */
void hub_recheck_admitted(struct hub *hub, struct atom *topic, struct atom *user);

/* Asks, if this one is due. The subscriber may have ended afterwards. */
void recheck(struct subscriber *subscriber);
