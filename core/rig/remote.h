/* remote: the network that a rig has: every HTTP request and every upstream
 * stream of the core ends up here and waits for what the spec says of it. A
 * stream is answered at once with 200 and text/event-stream, within its open,
 * unless a rule for its path says otherwise; a request waits until it is answered,
 * or its time is over. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "ports/clock.h"
#include "ports/fetch.h"
#include "ports/later.h"
#include "ports/transport.h"

/* A request that the core made, fetch or wire. */
struct remote_request {
    struct list node;
    uint64_t number; /* counts up over both kinds */
    struct buf method, url, headers, body; /* headers as "name: value\n" lines */
};

struct fetch_call {
    struct remote_request request;
    struct remote *_remote;
    fetch_done_f *_done;
    void *_owner;
    struct timer _timeout;
};

enum wire_state { WIRE_ASKED, WIRE_OPEN };

struct wire {
    struct remote_request request;
    struct remote *_remote;
    enum wire_state state;
    bool paused;
    struct buf _held; /* what came while it was paused */
    bool _held_end;
    const struct wire_events *_events;
    void *owner; /* the link */
    struct wire **_slot;
    struct timer _timeout; /* to the head */
    struct job _release;
};

/* What a wire whose path begins with `path` gets; status 0: nothing (it is held). */
struct remote_rule {
    struct list node;
    char *path;
    int status;
    char *content_type;
    int64_t retry_after_ms;
};

struct remote {
    struct fetch fetch;
    struct transport transport;
    struct clock *_clock;
    struct later *_later;
    struct list calls, wires, rules;
    uint64_t made; /* requests of both kinds, so far */
    bool patient;  /* a wire waits for its head for ever */
    uint64_t _number;
};

void remote_create(struct remote *remote, struct clock *clock, struct later *later);
void remote_destroy(struct remote *remote); /* nothing may wait any more */

/* Answers a call or a wire by its number; false: it waits no longer. */
bool remote_answer(struct remote *remote, uint64_t number, const struct fetch_answer *answer);
bool remote_head(struct remote *remote, uint64_t number, const struct wire_head *head);
bool remote_bytes(struct remote *remote, uint64_t number, struct bytes bytes);
bool remote_end(struct remote *remote, uint64_t number, const char *code, const char *sentence);

/* Sets the rule for wires of this path, replacing an older one. */
void remote_rule(struct remote *remote, const char *path, int status, const char *content_type,
                 int64_t retry_after_ms);
