/* recheck: after a reload, what waits in subscribers' queues needs the new rules' yes:
 * triggers of filtered topics are asked about again before anything more is sent,
 * and questions that are still open with the earlier rules are given up. Done
 * when a subscriber's queue is next looked at, so that a reload does not stop at
 * every queue of a node. */
#pragma once

struct hub;
struct subscriber;

/* Everybody's queue is due; the topics have their new options. */
void hub_recheck(struct hub *hub);

/* Asks, if this one is due. The subscriber may have ended afterwards. */
void recheck(struct subscriber *subscriber);
