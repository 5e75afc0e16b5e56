/* target: the request line of an HTTP/1.x head (RFC 9112 section 3), read to the
 * letter: one space between its parts, a version that we speak, a target that
 * names a path of ours. */
#pragma once

#include "base/bytes.h"

struct http_fault;

struct target {
    struct bytes method;
    struct bytes authority; /* of an absolute target; else empty */
    struct bytes path;      /* begins with '/', or is "*" for OPTIONS */
    struct bytes query;     /* after '?', or empty */
};

/* Reads the first line of the head, which ends with CR LF; all runs point into it. NULL, or why
 * it is refused. */
const struct http_fault *target_read(struct target *target, struct bytes head);
