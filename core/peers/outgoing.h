/* outgoing: a request of ours as it goes out: an own copy of a fetch_request,
 * judged before it is used, and what becomes of it at a redirect (WHATWG Fetch,
 * 4.4 "HTTP-redirect fetch").
 *
 * Redirects are ours and not curl's: curl keeps a custom method where Fetch
 * makes it GET, and holds back only authorization and cookie. Here another
 * origin (scheme, host or port) gets no header but those that are known to say
 * nothing about who asks (accept, content-type and the like), and none comes
 * back on the way back. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "ports/fetch.h"

enum { OUTGOING_REDIRECTS_MAX = 5 };

struct outgoing_header {
    char *line; /* as curl wants it: "name: value", or "name;" for an empty one */
    size_t name_size;
};

struct outgoing {
    char *url, *method;
    char *body; /* NULL: none */
    size_t body_size;
    struct outgoing_header *headers;
    size_t header_count;
    uint32_t redirects; /* followed so far */
};

/* Copies. What HTTP itself needs (content-length, transfer-encoding, connection and their like)
 * is not the caller's to say, and left out. */
struct outgoing *outgoing_new(const struct fetch_request *request);
void outgoing_free(struct outgoing *outgoing);

/* NULL if the request may be sent; else what is wrong with it: a URL that is not an absolute http
 * or https one, a CR, LF or NUL, a method or header name that is no token (RFC 9110, 5.6.2). */
const char *outgoing_fault(const struct fetch_request *request);

/* Whether a status is a redirect that is to be followed (given a Location). */
bool outgoing_redirects(int status);

/* Turns the request into the one after a redirect to `location`, as the header had it. NULL; or what
 * is wrong, and nothing is changed. */
const char *outgoing_redirect(struct outgoing *outgoing, int status, const char *location);

/* Whether a header of this name goes out. */
bool outgoing_has(const struct outgoing *outgoing, const char *name);
