/* reply: the way out of a connection's answers, errors included: state SENDING. */
#pragma once

#include "http/conn.h"
#include "http/http1.h"
#include "ports/exchange.h"

/* exchange_ops.respond. Sends at once, as far as the socket takes it; calls request_answered when
 * all is out. */
void reply_respond(struct exchange *exchange, const struct http_response *response);

/* Answers {"error":{"code","message"}} in the state at hand. */
void reply_refuse(struct conn *conn, const struct http_fault *fault);

/* "100 Continue". */
void reply_continue(struct conn *conn);

/* The socket takes more, in CONN_SENDING. */
void reply_resume(struct conn *conn);
