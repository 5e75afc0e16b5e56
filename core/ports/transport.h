/* transport: the bytes of one upstream SSE answer as they come. What they mean,
 * when to try again and with which id is the link's. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "ports/fetch.h"

/* What the answer's head said. */
struct wire_head {
    int status;
    struct bytes content_type;  /* as sent; data NULL: none */
    int64_t retry_after_ms;     /* Retry-After in seconds or as a date, made a delay; -1: none */
};

/* `head` at most once, then `bytes` as often as they come, `end` exactly once unless the wire is
 * closed. All may come from within open (a scripted wire answers at once). Any of them may close
 * the wire. */
struct wire_events {
    void (*head)(void *owner, const struct wire_head *head);
    void (*bytes)(void *owner, struct bytes bytes);
    void (*end)(void *owner, const char *code, const char *sentence); /* code NULL: a clean end */
};

struct wire;

struct transport {
    /* Opens a GET with these headers; everything is copied. `connect_timeout_ms` bounds the time
     * to the head. fetch_request's timeout and size bounds are not used. The wire is stored
     * in *slot before any event is called; *slot is NULL when `end` is called, and the wire is freed
     * by itself. */
    void (*open)(struct transport *transport, const struct fetch_request *request,
                 uint64_t connect_timeout_ms, const struct wire_events *events, void *owner,
                 struct wire **slot);

    /* Stops and resumes the flow of bytes (back-pressure by the receive window). */
    void (*pause)(struct transport *transport, struct wire *wire, bool paused);

    /* Closes without a further event; *slot is NULL afterwards. */
    void (*close)(struct transport *transport, struct wire **slot);
};
