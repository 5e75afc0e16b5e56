#include "upstream/request.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum { OWN_HEADERS = 3 };

static bool is_own(struct bytes name)
{
    return text_equal_nocase(name, BYTES("accept")) ||
           text_equal_nocase(name, BYTES("cache-control")) ||
           text_equal_nocase(name, BYTES("last-event-id"));
}

static struct bytes copy(char **room, struct bytes bytes)
{
    char *at = *room;
    if (bytes.size) memcpy(at, bytes.data, bytes.size);
    *room += bytes.size;
    return bytes_run(at, bytes.size);
}

static void add(struct request *request, struct bytes name, struct bytes value)
{
    request->headers[request->fetch.header_count++] = (struct http_header){name, value};
}

bool request_carries(struct bytes last_id)
{
    return last_id.size > 0 && last_id.size <= REQUEST_ID_MAX_BYTES;
}

bool request_is_answered(struct bytes type)
{
    static const struct bytes wanted = {"text/event-stream", 17};
    while (type.size && (*type.data == ' ' || *type.data == '\t')) type.data++, type.size--;
    if (type.size < wanted.size) return false;
    if (!text_equal_nocase(bytes_run(type.data, wanted.size), wanted)) return false;
    return type.size == wanted.size || memchr("; \t", type.data[wanted.size], 3);
}

struct request *request_new(struct bytes url, const struct http_header *headers,
                            size_t header_count, struct bytes last_id)
{
    size_t list_size = (header_count + OWN_HEADERS) * sizeof(struct http_header);
    size_t text_size = url.size + last_id.size;
    for (size_t i = 0; i < header_count; i++)
        text_size += headers[i].name.size + headers[i].value.size;

    struct request *request = xmalloc(sizeof(*request) + list_size + text_size);
    char *room = (char *)request->headers + list_size;
    request->fetch = (struct fetch_request){
        .method = BYTES("GET"), .url = copy(&room, url), .headers = request->headers};
    for (size_t i = 0; i < header_count; i++) {
        if (is_own(headers[i].name)) continue;
        struct bytes name = copy(&room, headers[i].name);
        add(request, name, copy(&room, headers[i].value));
    }
    add(request, BYTES("accept"), BYTES("text/event-stream"));
    add(request, BYTES("cache-control"), BYTES("no-store"));
    if (request_carries(last_id)) add(request, BYTES("last-event-id"), copy(&room, last_id));
    return request;
}

void request_free(struct request *request)
{
    xfree(request);
}
