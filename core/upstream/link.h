/* link: one live connection to an upstream, shared by all leases of one key, as
 * one state machine. It decides when to connect, how long to wait, what an
 * answer's status means, and when to stop; bytes come through the transport
 * port, what the events mean is its owner's.
 *
 *              acquire                  head 200 + event-stream
 *    (new) ───────────▶ CONNECTING ───────────────────────────▶ OPEN
 *                        ▲    │                                  │
 *                  gate, │    │ failure, end                     │ end, idle, too large
 *                  timer │    ▼                                  ▼
 *                       WAITING ◀────────────────────────────────┘
 *                        │    204, @unauthorized: STOPPED (a new lease may try again)
 *    last release: grace ┴▶ the end of grace: CLOSED, on any state; a lost link is
 *                          not reopened within grace, a new lease cancels it
 *
 * Leases are counted, never inferred: acquire and release pair up exactly. */
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

enum link_state {
    LINK_ASKING,     /* the owner is working out the request (a rule's `request` hook) */
    LINK_QUEUED,     /* has a request, waits for the gate */
    LINK_CONNECTING,
    LINK_OPEN,
    LINK_WAITING,    /* backing off */
    LINK_STOPPED,    /* 204, 401 twice, 403: waits for a new lease */
    LINK_CLOSED
};

/* How one declared upstream's links behave. */
struct link_policy {
    uint64_t grace_ms;          /* 10,000 */
    uint64_t backoff_min_ms;    /* 1,000; also raised by the server's retry: */
    uint64_t backoff_max_ms;    /* 30,000 */
    uint64_t idle_ms;           /* 90,000; silent for longer is dead */
    uint64_t connect_timeout_ms; /* 10,000 */
    size_t event_limit_bytes;   /* 1 MiB + what a line needs */
    bool trust_resume;          /* reopened with Last-Event-ID: no resync */
};

enum link_loss { LINK_LOST, LINK_REFUSED, LINK_UNAUTHORIZED };

/* What a link asks and tells its owner. Each may come from within any call below, and from the
 * clock; none may free the link (link_unref it later). */
struct link_events {
    /* The request to open with; answered by link_request or link_request_failed, at once or
     * later. `attempt` is 0 at first; `second_opinion` asks for the most recently authenticated
     * leaseholder's data, after a 401. */
    void (*ask)(void *owner, bool second_opinion);
    void (*ask_cancel)(void *owner); /* the answer to `ask` is no longer wanted */
    void (*opened)(void *owner, bool reopened); /* reopened: what was sent meanwhile may be lost */
    void (*event)(void *owner, const struct sse_event *event);
    /* Lost or refused; `detail` for people and rules ("status 503", "idle 90 s"); delay_ms -1: no
     * retry of its own. Told once per loss. */
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

/* A new link without a lease, not yet asking; acquire starts it. `name` and `key` are for the
 * log, copied. One reference for the caller. */
struct link *link_new(const struct link_ports *ports, const struct link_policy *policy,
                      struct bytes name, struct bytes key, const struct link_events *events,
                      void *owner);
void link_unref(struct link *link);

/* One lease more or less. */
void link_acquire(struct link *link);
void link_release(struct link *link);

/* The answers to `ask`. Url and headers are copied; Last-Event-ID, Accept and Cache-Control are the
 * link's own. A failed ask (the hook raised) backs off like a lost connection. */
void link_request(struct link *link, struct bytes url, const struct http_header *headers,
                  size_t header_count);
void link_request_failed(struct link *link, const char *detail);

/* Back-pressure: the owner's event queue is full (or has room again). */
void link_pause(struct link *link, bool paused);

/* Closes now, without grace (drain); `closed` is called. */
void link_close(struct link *link);

/* Queries. */
enum link_state link_state(const struct link *link);
const char *link_state_name(enum link_state state);
uint32_t link_leases(const struct link *link);
bool link_ever_opened(const struct link *link);
struct bytes link_last_id(const struct link *link);
