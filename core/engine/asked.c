#include "engine/asked.h"

#include "base/atom.h"
#include "base/text.h"
#include "engine/answer.h"
#include "engine/guard.h"

static void answer_bad_tag(const struct plan_endpoint *at, struct exchange *exchange)
{
    struct answer_headers headers = {.count = 0};
    guard_headers(at, &exchange->request, &headers);
    answer_error(exchange, 400, "bad_tag",
                 "A session tag is 16 to 64 characters of [A-Za-z0-9_-].", 0, &headers);
}

bool asked_tag(const struct plan_endpoint *at, struct exchange *exchange, struct atom **tag)
{
    const struct http_request *request = &exchange->request;
    struct bytes given = http_header_get(request, "x-session-tag");
    struct buf query = BUF_EMPTY;
    if (!given.data && text_query_get(request->query, "tag", &query)) given = buf_bytes(&query);
    const bool good = !given.size || text_is_tag(given);
    *tag = good && given.size ? atom_get(given) : NULL;
    buf_destroy(&query);
    if (!good) answer_bad_tag(at, exchange);
    return good;
}

void asked_cursor(const struct plan_stream *stream, const struct http_request *request,
                  struct buf *cursor)
{
    const struct bytes header = http_header_get(request, "last-event-id");
    buf_add_bytes(cursor, header);
    for (size_t i = 0; !header.data && !cursor->size && i < stream->asks_cursor.count; i++)
        text_query_get(request->query, stream->asks_cursor.names[i]->text, cursor);
}

/* The value of a "name=value" whose name is one of the parameters'; data NULL: it is none. Names are plain
 * (scripts/sluice/schema.lua), so they are compared as they stand. */
static struct bytes value_of(const struct plan_parameters *parameters, struct bytes pair)
{
    for (size_t i = 0; i < parameters->count; i++) {
        const struct bytes name = atom_bytes(parameters->names[i]);
        if (pair.size > name.size && pair.data[name.size] == '=' &&
            memcmp(pair.data, name.data, name.size) == 0)
            return bytes_run(pair.data + name.size + 1, pair.size - name.size - 1);
    }
    return (struct bytes){NULL, 0};
}

bool asked_topic(const struct plan_stream *stream, struct bytes *query, struct buf *name)
{
    while (query->size) {
        const char *end = memchr(query->data, '&', query->size);
        const size_t size = end ? (size_t)(end - query->data) : query->size;
        const size_t used = end ? size + 1 : size;
        const struct bytes value = value_of(&stream->asks_topic, bytes_run(query->data, size));
        *query = bytes_run(query->data + used, query->size - used);
        if (!value.data) continue;
        text_percent_decode(name, value, true);
        return true;
    }
    return false;
}
