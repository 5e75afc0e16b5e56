/* client: a scripted browser: one HTTP request to the engine and what came back,
 * in memory. A streaming answer is a sink that takes everything, or, stalled,
 * nothing more than its allowance. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "engine/hooks.h"
#include "ports/exchange.h"
#include "ports/later.h"

enum client_state {
    CLIENT_WAITING,  /* no answer yet */
    CLIENT_ANSWERED, /* whole */
    CLIENT_STREAM,   /* open */
    CLIENT_ENDED     /* the server ended the stream, or the client went */
};

struct client {
    struct list node; /* in its world */
    enum client_state state;
    int status;
    struct buf head; /* "name: value\n" lines of the answer */
    struct buf body; /* all that came, until client_take */
    char why[32];    /* of the server's end */
    struct list fresh; /* among those to which something happened since somebody looked */
    /* private */
    struct later *_later;
    struct list *_news;
    struct buf _request; /* what the request's bytes point into */
    struct http_header *_headers;
    struct exchange *_exchange;
    struct client_sink *_sink;
    bool _known, _named;
    struct identity _who;
    struct bytes *_topics;
    size_t _topic_count;
    size_t _allowance;
    bool _owed; /* a write took less than all: tell when there is room */
    struct job _room;
};

struct client_request {
    struct bytes method, path, query, body, address, listener;
    const struct http_header *headers;
    size_t header_count;
    bool trusted, secure;
    bool known;              /* who it is, so that no identity is asked: */
    struct bytes user, data; /* as in engine/hooks.h; data NULL: none */
    bool named;              /* and its topics, so that rules are asked for none: */
    const struct bytes *topics;
    size_t topic_count;
};

/* Sends the request; the answer may be there when this returns, or later. What happens to the client
 * puts it into `news`. */
struct client *client_new(struct http_handler *handler, struct later *later, struct list *news,
                          const struct client_request *request);

/* What its request said that is known; see vm_options. */
bool client_known(const struct hook_call *call, struct hook_result *result);

/* The connection is cut from the client's side. */
void client_cut(struct client *client);

/* How many more bytes the client takes; SIZE_MAX: all. */
void client_allow(struct client *client, size_t bytes);

/* Cut first if it is still open. */
void client_free(struct client *client);
