/* subscriber: one open stream: who it is, which topics it has, the queue of
 * slots that wait for its socket. Everything goes out to it in order.
 *
 *   NEW ──start──▶ LIVE ──overflow──▶ LAGGED ──socket drained──▶ LIVE (one resync)
 *    │              │                   │
 *    └────end───────┴────── end ────────┴──▶ ENDED
 *
 * Overflow is a queue above its bound whose sink does not take it. Then what waits
 * is dropped, and {"reason":"lagged","missed":n,"topics":[…]} says how many triggers
 * the client was permitted and did not get: neither denied nor replaced ones, nor
 * its own echoes; those whose verdict is open count if and when it is yes.
 *
 * A trigger whose verdict is unknown, or not there in time, is withheld. The client
 * gets one {"reason":"access"} for that topic once its verdict is known again, in
 * front of the next trigger of it; also when it was cut off meanwhile and is back.
 *
 * subscriber_end is the only way out; it may be called from anywhere, any
 * number of times; the memory goes at the end of the turn. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "hub/hub.h"
#include "hub/options.h"
#include "ports/sink.h"

const char *end_reason_name(enum end_reason reason);

struct subscriber_events {
    /* Once, when it has ended, before its memory goes; its topics are left already. At the end of
     * the turn, never from within another call. */
    void (*ended)(void *owner, enum end_reason reason);
};

struct subscriber;

/* Takes the sink; NULL: subscriber_open gives it one before it starts. user may be NULL (nobody known); tag may be NULL: one is not needed. If the user
 * has a subscriber with this tag already, the new one gets the tag with a random ending. Takes
 * its own references. The options must outlive it; events may be NULL. */
struct subscriber *subscriber_new(struct hub *hub, const struct subscriber_options *options,
                                  struct sink *sink, struct atom *user, struct atom *tag,
                                  const struct subscriber_events *events, void *owner);

/* Takes the sink that subscriber_new was not given. */
void subscriber_open(struct subscriber *subscriber, struct sink *sink);

/* A topic more. Before start it takes part in the replay; afterwards it begins now. False: has it
 * already, or has ended. */
bool subscriber_join(struct subscriber *subscriber, struct topic *topic);

/* Before start: another node has withheld something of this topic that its client may not have been told of. If it
 * resumes, it is told now. */
void subscriber_untold(struct subscriber *subscriber, struct topic *topic);

/* Behind a join of one that has begun: it gets what the topic has for newcomers (`retain`). */
void subscriber_greet(struct subscriber *subscriber, struct topic *topic);

/* A topic less; what waits of it is not sent any more. False: has it not. */
bool subscriber_leave(struct subscriber *subscriber, struct topic *topic);

/* Leaves a topic that is no more (a reload), and is told: a resync of that topic. */
void subscriber_lose(struct subscriber *subscriber, struct topic *topic, const char *reason);

/* Other options from now on (a reload); they must outlive it as the first ones. */
void subscriber_set_options(struct subscriber *subscriber,
                            const struct subscriber_options *options);

/* Begins: `retry:`, the `ready` event, what was missed, then live; all in order, without a hole.
 * `cursor` is what the client gave as its last event id; data NULL, or empty: nothing.
 *
 * `ready` says {"resumed","missed","tag"}: missed is the number of triggers that are replayed, null
 * if a verdict among them is open or nothing is resumed. Where a cursor was given and resumed is
 * false, a resync follows that says why and for which topics: "epoch" (of another process),
 * "history" (longer ago than history knows, or more than replay_max), "access" (something was
 * withheld); the other topics are replayed. What topics retain follows, for those of which nothing
 * was resumed.
 *
 * With READY_HEADER there is neither `ready` nor resync, because the head of the answer has said it: see
 * subscriber_place. Only where it could not - all was asked for, and not all is there - a resync does. */
void subscriber_start(struct subscriber *subscriber, struct bytes cursor);

/* For READY_HEADER, before start and in the same turn: the id of what the client has everything up to, as it
 * gave it; the earliest where it may have missed something, or asked for all; data NULL: it gave none. */
struct bytes subscriber_place(struct subscriber *subscriber, struct bytes cursor);

/* What stands for "before all that there is". */
#define SUBSCRIBER_EARLIEST BYTES("earliest")

/* Tells this one subscriber to re-read; topic NULL: all that it has. Before start: right behind
 * `ready`. */
void subscriber_resync(struct subscriber *subscriber, const char *reason, struct topic *topic);

/* A control event of its own ("expired"), through the queue. */
void subscriber_control(struct subscriber *subscriber, const char *name, struct bytes data);

/* Ends: what stands in the queue with a verdict is tried once more, then the sink is closed. */
void subscriber_end(struct subscriber *subscriber, enum end_reason reason);

/* Ends it likewise, with a last `retry:` that says when to come back (drain). */
void subscriber_dismiss(struct subscriber *subscriber, enum end_reason reason, uint64_t retry_ms);

/* Ends it likewise, with a last event. What waits for a verdict does not hold that up, and is not sent: who
 * comes back is asked about it anew. */
void subscriber_part(struct subscriber *subscriber, enum end_reason reason, struct bytes name,
                     struct bytes data);

struct hub *subscriber_hub(const struct subscriber *subscriber);
struct atom *subscriber_user(const struct subscriber *subscriber);
struct atom *subscriber_tag(const struct subscriber *subscriber);
struct atom *subscriber_asked_tag(const struct subscriber *subscriber); /* mostly the same */
void *subscriber_owner(const struct subscriber *subscriber);
struct sink *subscriber_sink(const struct subscriber *subscriber); /* NULL: gone or closed */
bool subscriber_ended(const struct subscriber *subscriber);
uint32_t subscriber_topic_count(const struct subscriber *subscriber);
struct topic *subscriber_topic(const struct subscriber *subscriber, uint32_t index);
uint32_t subscriber_queued(const struct subscriber *subscriber);

/* The subscribers of a user (or, with a tag, that one); stops when `each` returns false. `each`
 * may end any subscriber, but make none. Users' names: hub_users_each. */
void hub_subscribers_each(struct hub *hub, struct atom *user, struct atom *tag,
                          bool (*each)(void *ctx, struct subscriber *subscriber), void *ctx);
void hub_all_each(struct hub *hub, bool (*each)(void *ctx, struct subscriber *subscriber),
                  void *ctx);
void hub_users_each(struct hub *hub, bool (*each)(void *ctx, struct atom *user, uint32_t tabs),
                    void *ctx);
uint32_t hub_user_subscribers(struct hub *hub, struct atom *user);
