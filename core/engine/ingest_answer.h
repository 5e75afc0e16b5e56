/* ingest_answer: what somebody who publishes is told, as bytes. When, and that it is counted, is
 * the publish's affair (ingest.c); whether the publisher is still there as well.
 *
 *   {"cursor":"...","triggers":n,"subscribers":n,"result":...,"duplicate":true}
 *
 * A good answer is written without its last brace and kept so: who asks again gets the same with
 * "duplicate". All of them are JSON, `no-store`, and readable by the origins that the ingest lists.
 *
 * Each of the first three ends the exchange: it is not the caller's any more. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct exchange;
struct http_response;
struct hub;
struct places;
struct plan_ingest;
struct publication;

/* As it is, under the headers that all of them have; 429 and 503: in a second again. Its own headers are
 * not looked at. */
void ingest_answer(struct exchange *exchange, const struct plan_ingest *ingest,
                   const struct http_response *response);

/* 200, with an answer that ingest_answer_write has written. */
void ingest_answer_kept(struct exchange *exchange, const struct plan_ingest *ingest,
                        struct bytes kept, bool duplicate);

/* {"error":{code, message}}; 401 says what is asked for: a bearer token. */
void ingest_answer_error(struct exchange *exchange, const struct plan_ingest *ingest, int status,
                         const char *code, const char *message, unsigned retry_after_s);

/* What became of the publication: what its answer says behind the cursor, which is the same on all nodes and
 * is remembered between them. `result` is JSON, or empty. */
void ingest_answer_rest(const struct publication *publication, struct bytes result, struct buf *out);

/* The whole. It has taken its places in the order; those which are given, or, NULL, the newest of this node's. */
void ingest_answer_write(const struct hub *hub, const struct places *places, struct bytes rest,
                         struct buf *out);
