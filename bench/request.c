#include "request.h"

#include <stdio.h>

#include "die.h"
#include "template.h"

enum { PATH_BYTES = 1024, BODY_BYTES = 4096 };

size_t request_write(const struct request *request, unsigned number, uint64_t stamp_ns, char *out,
                     size_t size)
{
    char path[PATH_BYTES];
    char body[BODY_BYTES];
    const char *header = request->header ? request->header : "";
    const char *header_end = request->header ? "\r\n" : "";
    int length;

    template_expand(request->path, number, stamp_ns, path, sizeof path);
    if (!request->body) {
        length = snprintf(out, size,
                          "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s%s\r\n",
                          path, request->host, header, header_end);
    } else {
        size_t body_length = template_expand(request->body, number, stamp_ns, body, sizeof body);

        length = snprintf(out, size,
                          "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n%s%s\r\n%s",
                          path, request->host, body_length, header, header_end, body);
    }
    if ((size_t)length >= size) die("a request is longer than %zu bytes", size);
    return (size_t)length;
}
