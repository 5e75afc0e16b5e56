/* request: the generator's requests: a GET of a stream, or a POST with a JSON body, written into
 * the caller's buffer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct request {
    const char *host;
    const char *path; /* a template, as is the body */
    const char *body; /* NULL: a GET; otherwise a POST */
    const char *header; /* one more, without its line end; NULL: none */
};

/* Writes the request numbered `number`, its stamps being stamp_ns, and returns its length.
 * Dies when `size` does not hold it. */
size_t request_write(const struct request *request, unsigned number, uint64_t stamp_ns, char *out,
                     size_t size);
