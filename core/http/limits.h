/* limits: what a client may cost. Every one is a bound; none may be zero. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct http_limits {
    size_t max_head_bytes;         /* request line and headers; above it 431 */
    size_t max_body_bytes;         /* above it 413 */
    uint64_t head_timeout_ms;      /* from a request's first byte to the end of its head: 408 */
    uint64_t body_timeout_ms;      /* from the end of the head to the end of the body: 408 */
    uint64_t keepalive_timeout_ms; /* between requests, and before the first: closed silently */
    uint64_t stall_timeout_ms;     /* an answer that the peer does not take; TCP_USER_TIMEOUT */
    uint32_t max_connections;      /* open at once; above it 503 and closed */
    uint32_t max_per_address;      /* of one address; likewise. 0, alone: no bound */
};
