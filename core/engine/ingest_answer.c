#include "engine/ingest_answer.h"

#include "engine/guard.h"
#include "engine/publication.h"
#include "hub/hub.h"

void ingest_answer(struct exchange *exchange, const struct plan_ingest *ingest,
                   const struct http_response *given)
{
    struct answer_headers headers = {.count = 0};
    struct http_response response = *given;
    guard_headers(&ingest->at, &exchange->request, &headers);
    answer_header(&headers, "content-type", BYTES("application/json"));
    answer_header(&headers, "cache-control", BYTES("no-store"));
    if (given->status == 429 || given->status == 503)
        answer_header(&headers, "retry-after", BYTES("1"));
    response.headers = headers.items;
    response.header_count = headers.count;
    exchange->ops->respond(exchange, &response);
}

void ingest_answer_kept(struct exchange *exchange, const struct plan_ingest *ingest,
                        struct bytes kept, bool duplicate)
{
    struct buf body = BUF_EMPTY;
    buf_add_bytes(&body, kept);
    buf_add_text(&body, duplicate ? ",\"duplicate\":true}\n" : "}\n");
    ingest_answer(exchange, ingest,
                  &(struct http_response){.status = 200, .body = buf_bytes(&body)});
    buf_destroy(&body);
}

void ingest_answer_error(struct exchange *exchange, const struct plan_ingest *ingest, int status,
                         const char *code, const char *message, unsigned retry_after_s)
{
    struct answer_headers headers = {.count = 0};
    guard_headers(&ingest->at, &exchange->request, &headers);
    if (status == 401) answer_header(&headers, "www-authenticate", BYTES("Bearer"));
    answer_error(exchange, status, code, message, retry_after_s, &headers);
}

void ingest_answer_rest(const struct publication *publication, struct bytes result, struct buf *out)
{
    buf_printf(out, "\"triggers\":%u,\"subscribers\":%u", publication->triggers,
               publication->subscribers);
    if (!result.size) return;
    buf_add_text(out, ",\"result\":");
    buf_add_bytes(out, result);
}

void ingest_answer_write(const struct hub *hub, const struct places *places, struct bytes rest,
                         struct buf *out)
{
    char cursor[CURSOR_MAX];
    const size_t size = places ? hub_cursor_of(hub, places, cursor) : hub_newest_cursor(hub, cursor);
    buf_printf(out, "{\"cursor\":\"%.*s\",", (int)size, cursor);
    buf_add_bytes(out, rest);
}
