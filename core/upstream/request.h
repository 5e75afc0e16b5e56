/* request: what a link opens with: the owner's URL and headers, and the link's
 * own: Accept, Cache-Control (WHATWG HTML, 9.2.2) and, where an id is known,
 * Last-Event-ID (9.2.4). The owner's headers of these names are left out.
 *
 * One block of memory that holds copies, kept from the owner's answer until the
 * gate opens. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "ports/fetch.h"

/* An id above this is not sent: servers refuse a head of some 8 KiB, and would at every attempt. */
enum { REQUEST_ID_MAX_BYTES = 4096 };

struct request {
    struct fetch_request fetch;
    struct http_header headers[];
};

struct request *request_new(struct bytes url, const struct http_header *headers,
                            size_t header_count, struct bytes last_id);

/* Whether an id would be sent: neither empty nor too long. */
bool request_carries(struct bytes last_id);

/* Whether an answer of this content type is what it asks for. */
bool request_is_answered(struct bytes type);

/* Takes NULL. */
void request_free(struct request *request);
