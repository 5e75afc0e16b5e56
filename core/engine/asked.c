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

void asked_cursor(const struct http_request *request, struct buf *cursor)
{
    const struct bytes header = http_header_get(request, "last-event-id");
    if (header.data)
        buf_add_bytes(cursor, header);
    else
        text_query_get(request->query, "last_event_id", cursor);
}

bool asked_topic(struct bytes *query, struct buf *name)
{
    static const struct bytes field = {"topic=", 6};
    while (query->size) {
        const char *end = memchr(query->data, '&', query->size);
        const size_t size = end ? (size_t)(end - query->data) : query->size;
        const size_t used = end ? size + 1 : size;
        const struct bytes pair = bytes_run(query->data, size);
        *query = bytes_run(query->data + used, query->size - used);
        if (pair.size < field.size || memcmp(pair.data, field.data, field.size) != 0) continue;
        text_percent_decode(name, bytes_run(pair.data + field.size, pair.size - field.size), true);
        return true;
    }
    return false;
}
