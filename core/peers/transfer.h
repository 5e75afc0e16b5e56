/* transfer: one request of ours and the bytes of its answer as they come, over
 * curl. It follows redirects (peers/outgoing.h), bounds head and buffer, and
 * tells its owner in jobs at the end of a turn, never from within curl or from
 * a call below; what the answer means is fetch's and transport's.
 *
 *     transfer_start ──▶ running ──▶ head ──▶ bytes* ──▶ end (freed)
 *                         ▲    │      │
 *                         └────┘      └ redirects are not told
 *                        redirect
 *
 * Between curl and the owner stands one buffer. Is it full, or the owner held
 * back, then curl is paused, and so is, by its window, the peer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "peers/multi.h"
#include "ports/fetch.h"

enum {
    TRANSFER_BUFFER_BYTES = 64 * 1024, /* what waits for the owner, give or take one read */
    TRANSFER_HEAD_BYTES = 64 * 1024,   /* more is "too_large" */
    TRANSFER_IGNORED_BYTES = 64 * 1024 /* of a redirect's body; more cuts the connection */
};

struct transfer;

/* Each may cancel the transfer. */
struct transfer_events {
    void (*head)(void *owner);
    void (*bytes)(void *owner, struct bytes bytes);
    /* The end; code and sentence as in fetch_answer, NULL for a clean one. The transfer lives until
     * this returns. */
    void (*end)(void *owner, const char *code, const char *sentence);
};

struct transfer_options {
    uint64_t timeout_ms; /* to the head's end for a stream, else to the end; 0: none */
    bool stream;         /* of small pieces, for a long time */
};

/* Copies the request; timeout_ms and max_answer_bytes of it are not used. */
struct transfer *transfer_start(struct multi *multi, const struct fetch_request *request,
                                const struct transfer_options *options,
                                const struct transfer_events *events, void *owner);

/* Gives it up, and frees it once no frame of it is on the stack; no event comes any more. */
void transfer_cancel(struct transfer *transfer);

/* Holds the bytes, and the end behind them, back; or lets them come. */
void transfer_hold(struct transfer *transfer, bool held);

/* The answer's head, once `head` was told. The caller destroys it. */
struct transfer_head {
    int status;
    int64_t retry_after_ms; /* -1: none */
    struct http_header *headers; /* names in lower case */
    size_t header_count;
    char *_names;
};

void transfer_read_head(const struct transfer *transfer, struct transfer_head *head);
void transfer_head_destroy(struct transfer_head *head);
struct bytes transfer_head_get(const struct transfer_head *head, const char *name);
