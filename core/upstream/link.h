/* link: one live connection to an upstream, shared by all leases of one key, as
 * one state machine. It decides when to connect, how long to wait, what an
 * answer's status means, and when to stop; bytes come through the transport
 * port, what the events mean is its owner's.
 *
 *     (new) ──▶ IDLE ───▶ ASKING ───▶ QUEUED ───▶ CONNECTING ───▶ OPEN
 *                ▲         ▲  │                    │    │           │
 *                │         │  └────▶ WAITING ◀─────┘    │           │
 *                │         │         │  │  ▲            │           │
 *                └─────────┼─────────┘  │  └────────────┼───────────┘
 *                          ├────────────┘               ▼
 *                          └────────────────────────STOPPED
 *
 *     from        to          when
 *     IDLE        ASKING      a lease (link_acquire)
 *     ASKING      QUEUED      link_request
 *                 WAITING     link_request_failed
 *                 IDLE        the last release
 *     QUEUED      CONNECTING  the gate opens
 *                 IDLE        the last release
 *     CONNECTING  OPEN        200 and text/event-stream
 *                 ASKING      401: a second opinion
 *                 IDLE        the same, but nobody is left to ask
 *                 STOPPED     204, 403, 401 to the newest leaseholder's data
 *                 WAITING     any other answer, a failure, an end
 *     OPEN        WAITING     an end, a failure, silence, an event too large
 *     QUEUED, CONNECTING, OPEN
 *                 QUEUED      another request (link_renew)
 *     WAITING     ASKING      backed off
 *                 IDLE        backed off, but there is no lease
 *     STOPPED     ASKING      a new lease; after 204 a new first one
 *     any but STOPPED
 *                 IDLE        link_suspend: begins nothing before link_resume
 *     any         CLOSED      the end of grace, link_close
 *
 * Leases are counted, never inferred: acquire and release pair up exactly. The
 * last release starts the grace period. In it nothing new begins: an attempt
 * that is under way goes on, an open link stays open, a lost one is not opened
 * again. A new lease cancels the closing, and opens again what was lost (not
 * sooner than its backoff allows).
 *
 * Where several nodes share a link, one of them has it, and the others' are suspended. A link that somebody on
 * another node has a lease for is kept: link_keep.
 *
 * Statuses: 429 and 503 honour Retry-After (at most LINK_RETRY_AFTER_MAX_MS, the
 * jittered backoff on top). 401 is given one second opinion per newest lease,
 * since that one may have brought a fresher token. 403 is final like the second
 * 401: the upstream knows who asks, so that asking again by the clock only
 * hammers it; the rules are told and a new lease tries again. All else backs
 * off, and the backoff starts over only once a link brought an event or stayed
 * open for LINK_PROVEN_MS: an upstream that accepts and drops is not spun on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "event/parser.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/random.h"
#include "ports/transport.h"
#include "upstream/gate.h"

enum { LINK_RETRY_AFTER_MAX_MS = 5 * 60 * 1000, LINK_PROVEN_MS = 5000 };

enum link_state {
    LINK_IDLE,       /* may open, but nobody holds a lease: new, or lost in grace; or it is suspended */
    LINK_ASKING,     /* the owner is working out the request (a rule's `request` hook) */
    LINK_QUEUED,     /* has a request, waits for the gate */
    LINK_CONNECTING,
    LINK_OPEN,
    LINK_WAITING,    /* backing off */
    LINK_STOPPED,    /* told to stop, or not authorized: waits for a new lease */
    LINK_CLOSED,     /* for good */
    LINK_STATES
};

/* How one declared upstream's links behave. */
struct link_policy {
    uint64_t grace_ms;           /* 10,000 */
    uint64_t backoff_min_ms;     /* 1,000; also raised by the server's retry: */
    uint64_t backoff_max_ms;     /* 30,000 */
    uint64_t idle_ms;            /* 90,000; silent for longer is dead (comments are no silence) */
    uint64_t connect_timeout_ms; /* 10,000 */
    size_t event_limit_bytes;    /* 1 MiB; of its data, without a field's name */
    bool trust_resume;           /* an upstream that got Last-Event-ID has sent all: link_resumed */
};

enum link_loss {
    LINK_LOST,        /* no answer, or the connection was lost */
    LINK_REFUSED,     /* an answer, but no events: a status, a wrong content type */
    LINK_UNAUTHORIZED /* 401 twice, 403 */
};

/* What a link asks and tells its owner. Each may come from within any call below, and from the
 * clock; each may call anything below. The owner's reference lasts until `closed`. */
struct link_events {
    /* The request to open with; answered by link_request or link_request_failed, at once or
     * later. `second_opinion` asks for the most recently authenticated leaseholder's data, after
     * a 401. */
    void (*ask)(void *owner, bool second_opinion);
    void (*ask_cancel)(void *owner); /* the answer to `ask` must not come any more */
    void (*opened)(void *owner, bool reopened); /* reopened: what was sent meanwhile may be lost */
    void (*event)(void *owner, const struct sse_event *event);
    /* Told once per loss; `detail` for people and rules ("status 503", "idle 90 s"), `status` 0 if
     * there was no answer. The next attempt begins in delay_ms; -1: not before a new lease. */
    void (*lost)(void *owner, enum link_loss loss, int status, const char *detail,
                 int64_t delay_ms);
    void (*closed)(void *owner); /* the last word; the owner drops its reference */
};

struct link_ports {
    struct clock *clock;
    struct random *random;
    struct log *log;
    struct transport *transport;
    struct gate *gate; /* rate limit of openings, shared by all links of a node */
};

struct link;

/* A new link without a lease, not yet asking; acquire starts it. Everything is copied but what the
 * ports point to; `name` and `key` are for the log. One reference for the caller, to be dropped
 * before the first lease or once it is closed. */
struct link *link_new(const struct link_ports *ports, const struct link_policy *policy,
                      struct bytes name, struct bytes key, const struct link_events *events,
                      void *owner);
void link_unref(struct link *link);

/* Another policy from now on (a reload). What is under way - a connection, a delay, a grace period -
 * goes on as it began. */
void link_set_policy(struct link *link, const struct link_policy *policy);

/* One lease more or less. A closed link takes none (the owner makes a new link); the leases that
 * it had are void, and releasing them does nothing. */
void link_acquire(struct link *link);
void link_release(struct link *link);

/* It is wanted by who has leases elsewhere, or not any more: as a lease more or less, but one that brings no data
 * to ask with, so that what is STOPPED stays so. Harmless if closed. */
void link_keep(struct link *link, bool kept);

/* Hangs up, if it is not STOPPED, and begins nothing until link_resume, whatever leases come and go; nothing is told as lost.
 * Harmless if closed. */
void link_suspend(struct link *link);

/* It was suspended: goes on behind this id (empty: there is none), if it is wanted. `ever`: others have opened it
 * before, so the next opening is not the first. */
void link_resume(struct link *link, struct bytes last_id, bool ever);

/* The answers to `ask`, once each. Url and headers are copied; Last-Event-ID, Accept and
 * Cache-Control are the link's own. A failed ask (the hook raised) backs off like a lost
 * connection. */
void link_request(struct link *link, struct bytes url, const struct http_header *headers,
                  size_t header_count);
void link_request_failed(struct link *link, const char *detail);

/* The rules would have it opened with this request: the link takes its place at the gate again and is
 * opened anew, from its last id on; nothing is told as lost. Only for a link that is QUEUED,
 * CONNECTING or OPEN. */
void link_renew(struct link *link, struct bytes url, const struct http_header *headers,
                size_t header_count);

/* Back-pressure: the owner's event queue is full (or has room again). The events of the piece of
 * bytes at hand still come. A paused link is not idle. */
void link_pause(struct link *link, bool paused);

/* Closes now, without grace (drain); `closed` is called before it returns. Harmless if closed. */
void link_close(struct link *link);

/* Queries. */
enum link_state link_state(const struct link *link);
const char *link_state_name(enum link_state state);
uint32_t link_leases(const struct link *link);
bool link_suspended(const struct link *link);
bool link_ever_opened(const struct link *link);
bool link_resumed(const struct link *link); /* the opening at hand lost nothing: Last-Event-ID was
                                               sent, and the policy trusts it */
struct bytes link_last_id(const struct link *link);
