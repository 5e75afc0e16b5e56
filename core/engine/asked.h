/* asked: what a client asks for besides a path: its tab's tag, where it was in
 * the order, topics. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"

struct atom;
struct exchange;
struct http_request;
struct plan_endpoint;
struct plan_stream;

/* The tab's own name: X-Session-Tag, then ?tag=; NULL if there is none; the reference is the
 * caller's. False: it is malformed, and the exchange is answered with 400. */
bool asked_tag(const struct plan_endpoint *at, struct exchange *exchange, struct atom **tag);

/* Appends the last event id: Last-Event-ID, then the first of the stream's parameters for it (usually
 * ?last_event_id=) that has a value; nothing if there is none. */
void asked_cursor(const struct plan_stream *stream, const struct http_request *request,
                  struct buf *cursor);

/* Takes the next topic that is asked for (usually `topic=`; see plan_stream) from the front of what is left of a
 * query and appends its name, decoded; nothing for a broken escape: the empty name is no topic's. False: there is no
 * other. */
bool asked_topic(const struct plan_stream *stream, struct bytes *query, struct buf *name);
