/* stream: an answer without an end, as a sink. Its head says "Connection: close"
 * and no length, and the body is not chunked: it ends with the connection, which a
 * stream never gives back anyway. So frames go out exactly as they were encoded,
 * the same bytes for every subscriber; chunks would put a length of its own before
 * each write of each connection. (RFC 9112 section 6.3, case 8.)
 *
 * The head waits for the first write of the turn and leaves with it, also with one
 * from a job of LATER_LAST; without one it leaves at the end of the turn. What the
 * client sends meanwhile is ignored, up to a bound; its end of file ends the stream. */
#pragma once

#include "http/conn.h"
#include "ports/exchange.h"

/* exchange_ops.stream */
struct sink *stream_begin(struct exchange *exchange, int status, const struct http_header *headers,
                          size_t header_count);

/* Called by conn_close: drops what only a living stream needs. */
void stream_end(struct conn *conn);
