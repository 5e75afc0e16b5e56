/* hub: the topics and subscribers of one app, and the order of its triggers.
 *
 * A trigger takes its place in the order when it is emitted: it gets the next
 * position, its one frame, and stands in its topic's history. In the same
 * moment it has its slot in every subscriber's queue: the fan-out itself may run
 * later and in pieces (it yields), but nothing can be seen of that: runs are fanned
 * out in order, a subscriber that joins meanwhile is marked with the position at
 * which it joined, and no heartbeat says a position that is not fanned out.
 *
 * Verdicts (filters) are asked of the verdict port while the slot is taken. A
 * slot whose verdict is open holds what stands behind it, for that subscriber.
 *
 * All names, users and tags are those of this app; hubs share only the order. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/dict.h"
#include "base/histogram.h"
#include "event/cursor.h"
#include "event/frame.h"
#include "hub/options.h"
#include "hub/order.h"
#include "hub/queue.h"
#include "ports/clock.h"
#include "ports/journal.h"
#include "ports/later.h"
#include "ports/log.h"
#include "ports/random.h"
#include "ports/snapshot.h"
#include "ports/verdict.h"

struct bus;
struct hub;
struct stretch_watcher;
struct topic;

/* Who hears which users a topic has, if its options say `attended`: each subscriber of a known user
 * that joins or leaves it, one by one, at the moment that it does. May ask the hub; may change
 * nothing in it. */
struct attendance {
    void (*joined)(struct attendance *attendance, struct topic *topic, struct atom *user);
    void (*left)(struct attendance *attendance, struct topic *topic, struct atom *user);
};

struct hub_ports {
    struct clock *clock;
    struct later *later;
    struct random *random; /* for the ending of a renamed tag */
    struct log *log;
    struct order *order;
    struct verdicts *verdicts; /* ports/verdict.h */
    struct snapshots *snapshots; /* or NULL: no topic has them */
    struct journal *journal;   /* or NULL */
    struct attendance *attendance; /* or NULL */
    struct stretch_watcher *stretches; /* hub/told.h; or NULL */
    struct bus *bus;           /* ports/bus.h; NULL: what is emitted is placed at once. Else the order is shared */
};

struct hub_limits {
    uint32_t forgotten_topics; /* last positions kept of destroyed topics; 65,536 */
    uint32_t topics;           /* at once */
    uint32_t windows;          /* open coalescing windows */
};

/* Why a subscriber ended. */
enum end_reason {
    END_CLIENT,  /* it went away */
    END_SLOW,    /* stalled */
    END_EXPIRED, /* what authenticate said of it */
    END_LIFETIME,
    END_DRAIN,
    END_KICKED,
    END_REFUSED,
    END_RELOAD,
    END_ERROR,
    END_REASONS
};

struct hub_counters {
    uint64_t emitted;   /* triggers that took a place */
    uint64_t delivered; /* frames handed to sinks whole */
    uint64_t bytes;     /* that sinks took */
    uint64_t denied;    /* verdicts no, */
    uint64_t withheld;  /* unknown */
    uint64_t limited;   /* triggers that a topic's limit gave no place */
    uint64_t replaced;  /* triggers that a newer one stood for, in a queue or a window */
    uint64_t echoes;    /* not sent to the tab that caused them */
    uint64_t lagged;    /* times that a queue overflowed, */
    uint64_t missed;    /* and permitted triggers that were not sent therefore */
    uint64_t lost;      /* triggers whose topic there was no room for */
    uint64_t snapshots; /* asked for, */
    uint64_t snapshots_failed; /* and not had: told to re-read */
    uint64_t resyncs;   /* of a topic, or told to one subscriber */
    uint64_t heartbeats;
    uint64_t ended[END_REASONS]; /* subscribers, by reason */
    struct histogram latency;    /* of writes: from the oldest trigger's place to the kernel */
    /* as it stands now: */
    struct queue_gauge queued; /* what waits of all subscribers */
    uint32_t subscribers, topics, users;
    uint32_t channels; /* topics with subscribers */
};

void hub_counters_add(struct hub_counters *sum, const struct hub_counters *more);

/* What a rule emits. Everything is borrowed until the call returns. */
struct emit {
    struct bytes type; /* refused (CHECK in the hub; the script border raises) with CR, LF, NUL */
    struct bytes data;
    struct bytes replaces;  /* coalescing key; data NULL: none */
    struct bytes user, tag; /* echo; data NULL: none; both or neither */
    struct bytes id;        /* the publisher's, where topics show those; see topic_options */
    struct bytes meta;      /* JSON that goes with it to filters, not on the wire; data NULL: none */
    uint64_t retry_ms;      /* a `retry:` line in its frame; 0: none */
    uint64_t within_ms;     /* wait so long for a newer one; needs `replaces` (may be empty text) */
    uint64_t cause;         /* for the journal: whose emit it is; 0: nobody's */
};

struct hub *hub_new(const struct hub_ports *ports, const struct hub_limits *limits);

/* Other limits for what comes; what is there stays. */
void hub_set_limits(struct hub *hub, const struct hub_limits *limits);

/* All subscribers must have ended. */
void hub_free(struct hub *hub);

/* The topic of this name, made if it is not there. With a bus it lives on while it has subscribers, somebody waits for
 * it or the bus holds it (hub/carried.h), a window is open or it counts against its limit; else while it has
 * subscribers or history or an open window, retains a trigger or counts against its limit. A pointer is good until the
 * end of the turn. options must outlive the topic (see hub_topics_each and topic_set_options for a new
 * generation). NULL above limits. */
struct topic *hub_topic(struct hub *hub, struct bytes name, const struct topic_options *options);

/* A trigger of a topic that hub_topic had no room for: it gets its place in the order and is lost.
 * Who comes back to the topic from before that is told to re-read. */
void hub_lose(struct hub *hub, struct bytes name);

struct topic *hub_topic_find(struct hub *hub, struct bytes name); /* or NULL */
void hub_topics_each(struct hub *hub, void (*each)(void *ctx, struct topic *topic), void *ctx);

/* Emits one trigger. Returns its position, or 0 if it waits in a window, was handed to the bus, or the topic's limit
 * is reached: then the topic is told to re-read, at most once a second ("limited"). */
uint64_t topic_emit(struct topic *topic, const struct emit *emit);

/* Tells every subscriber of the topic to re-read: a trigger with a place in the order and in
 * history, never filtered: event "resync", {"reason":reason,"missed":null,"topics":[name]}. Its
 * frame has no type (NULL), so no trigger of a rule can pass for one. `cause` as in an emit. */
void topic_resync(struct topic *topic, const char *reason, uint64_t cause);

/* The id of a trigger whose publisher gave it none, where topics show publishers' ids: a random UUID (RFC 9562,
 * version 4) as a URN. */
enum { TOPIC_URN_SIZE = 45 };
struct bytes topic_write_urn(struct random *random, char out[TOPIC_URN_SIZE + 1]);

struct atom *topic_name(const struct topic *topic);
const struct topic_options *topic_options(const struct topic *topic);
void topic_set_options(struct topic *topic, const struct topic_options *options);
uint32_t topic_kept(const struct topic *topic); /* triggers in its history */
uint32_t topic_subscribers(const struct topic *topic);

/* Publishes what waits in windows now (drain). */
void hub_windows_flush(struct hub *hub);

/* Windows are numbered as they are opened: the number of the last one, and of the oldest that is still open;
 * UINT64_MAX: none is. */
uint64_t hub_windows_opened(const struct hub *hub);
uint64_t hub_windows_oldest(const struct hub *hub);

/* What waits in windows, the oldest window first. */
void hub_windows_each(struct hub *hub,
                      void (*each)(void *ctx, struct atom *topic, const struct emission *emission),
                      void *ctx);

/* Brings everything that was emitted to its subscribers now, without yielding (drain). Filters are
 * asked within; not to be called from one. */
void hub_fan_out(struct hub *hub);

/* Would a client that shows this id be taken for one that shows a cursor? No publisher may have it. */
bool hub_is_cursor(const struct hub *hub, struct bytes id);

/* The position of the trigger that has this id of its publisher's in some topic's history; 0: none. */
uint64_t hub_find_id(const struct hub *hub, struct bytes id);

/* The newest position up to which everything of this hub is fanned out. */
uint64_t hub_fanned(const struct hub *hub);

/* A cursor for what is fanned out (for pages that embed it); rather an older one than one too new. Returns its
 * size, at most CURSOR_MAX. */
size_t hub_cursor(const struct hub *hub, char *out);

/* A cursor for everything, fanned out or not. */
size_t hub_newest_cursor(const struct hub *hub, char *out);

/* A cursor for all that these places of the servers have in front of them. */
size_t hub_cursor_of(const struct hub *hub, const struct places *places, char *out);

const struct hub_counters *hub_counters(const struct hub *hub);

/* True when no run waits for its fan-out, no subscriber for its flush and nothing for its burial.
 */
bool hub_idle(const struct hub *hub);
