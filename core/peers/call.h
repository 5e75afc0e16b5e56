/* call: one request to a running server, and its answer as it comes: to its admin
 * listener or, with a body, to where events are published. It blocks: for the command
 * line, never inside a server. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"

/* What the answer's head says, as soon as it is there. */
struct call_head {
    int status;             /* 0: there was none */
    char content_type[128]; /* empty: none; what is longer is cut */
    long retry_after_s;     /* of Retry-After; 0: none */
};

struct call {
    const char *address; /* as the config writes it: "127.0.0.1:8081", "*:8081", "unix:/path" */
    const char *key;     /* what opens it, as a bearer token, or NULL */
    const char *method;  /* "GET", "POST" */
    const char *target;  /* "/reload?shadow=1", already encoded */
    const char *url;     /* or NULL: in the place of address and target */
    struct bytes json;   /* its body; data NULL: it has none, and is to the admin listener */
    const char *const *headers; /* lines "name: value", and NULL behind the last: in the place of those for
                                   the admin listener; NULL: these */
    struct call_head *head;   /* is filled; or NULL */
    bool (*go_on)(void *ctx); /* or NULL: asked about once a second; false ends the call likewise */
};

/* A piece of the answer's body. False ends the call, which counts as its good end. */
typedef bool call_take_f(void *ctx, int status, struct bytes piece);

/* Makes the call and hands over its body; ctx is for go_on, too. Returns the status; 0: there was no whole answer, and a
 * sentence in `error` says why. */
int call_make(const struct call *call, call_take_f *take, void *ctx, struct buf *error);
