/* engine_client: a browser in memory: one request to a handler and what came
 * back. The request's bytes go with the exchange, as an adapter's do, so that
 * whoever looks at them too late is caught. */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "event/parser.h"
#include "ports/exchange.h"
#include "unit.h"

enum client_state { CLIENT_WAITING, CLIENT_ANSWERED, CLIENT_STREAM, CLIENT_ENDED };

struct client {
    struct list node;
    enum client_state state;
    int status;
    struct buf head;  /* a line a header: "name: value\n" */
    struct buf body;  /* of an answer that is no stream */
    struct buf story; /* of a stream: a line an event: "type data\n" */
    struct sse_parser parser;
    uint64_t retry_ms; /* the last one */
    const char *why;   /* the server ended it with */
    size_t room;       /* what the sink takes before it is full */
    int writes;
    struct client_exchange *exchange;
    struct client_sink *sink;
};

enum { CLIENT_HEADERS = 16 };

struct client_exchange {
    struct exchange exchange;
    struct client *client;
    struct http_header headers[CLIENT_HEADERS];
    char *text[4]; /* path, query, headers, body */
};

struct client_sink {
    struct sink sink;
    struct client *client;
};

/* ---- what it reads ---- */

static void client_event(void *owner, const struct sse_event *event)
{
    struct client *client = owner;
    buf_printf(&client->story, "%.*s %.*s\n", (int)event->type.size, event->type.data,
               (int)event->data.size, event->data.data);
}

static void client_retry(void *owner, uint64_t retry_ms)
{
    ((struct client *)owner)->retry_ms = retry_ms;
}

static const struct sse_parser_events CLIENT_EVENTS = {client_event, client_retry};

static inline void client_forget(struct client *client)
{
    buf_clear(&client->story);
}

/* All that it read since the last look. */
#define assert_story(client, want)                                                                 \
    (assert_text(buf_bytes(&(client)->story), want), client_forget(client))

/* How often an event of this type is in what it read since the last look. */
static inline int client_count(const struct client *client, const char *type)
{
    int count = 0;
    struct bytes story = buf_bytes(&client->story), wanted = bytes_of(type);
    for (size_t at = 0; at < story.size;) {
        const char *end = memchr(story.data + at, '\n', story.size - at);
        if (story.size - at > wanted.size && story.data[at + wanted.size] == ' ' &&
            memcmp(story.data + at, type, wanted.size) == 0)
            count++;
        at = (size_t)(end - story.data) + 1;
    }
    return count;
}

static inline bool has(const struct buf *text, const char *part)
{
    return text->size && memmem(text->data, text->size, part, strlen(part));
}

static inline void assert_head(const struct client *client, const char *line)
{
    char whole[200];
    snprintf(whole, sizeof(whole), "%s\n", line);
    if (!has(&client->head, whole))
        fail_msg("no \"%s\" in\n%.*s", line, (int)client->head.size, client->head.data);
}

/* ---- the answer ---- */

static void exchange_free(struct client_exchange *exchange)
{
    exchange->client->exchange = NULL;
    for (size_t i = 0; i < COUNT(exchange->text); i++) xfree(exchange->text[i]);
    xfree(exchange);
}

static void keep_head(struct client *client, int status, const struct http_header *headers,
                      size_t count)
{
    client->status = status;
    for (size_t i = 0; i < count; i++)
        buf_printf(&client->head, "%.*s: %.*s\n", (int)headers[i].name.size, headers[i].name.data,
                   (int)headers[i].value.size, headers[i].value.data);
}

static void client_respond(struct exchange *exchange, const struct http_response *response)
{
    struct client_exchange *ours = CONTAINER(exchange, struct client_exchange, exchange);
    struct client *client = ours->client;
    assert_int_equal(client->state, CLIENT_WAITING);
    keep_head(client, response->status, response->headers, response->header_count);
    buf_add_bytes(&client->body, response->body);
    client->state = CLIENT_ANSWERED;
    exchange_free(ours);
}

static size_t client_write(struct sink *sink, const struct iovec *pieces, int count)
{
    struct client *client = ((struct client_sink *)sink)->client;
    size_t taken = 0;
    client->writes++;
    for (int i = 0; i < count; i++) {
        size_t size = pieces[i].iov_len < client->room ? pieces[i].iov_len : client->room;
        sse_parser_feed(&client->parser, bytes_run(pieces[i].iov_base, size));
        if (client->room != SIZE_MAX) client->room -= size;
        taken += size;
    }
    return taken;
}

static void client_closed(struct sink *sink, const char *why)
{
    struct client *client = ((struct client_sink *)sink)->client;
    client->state = CLIENT_ENDED;
    client->why = why;
    client->sink = NULL;
    xfree(sink);
}

static const struct sink_ops CLIENT_SINK = {client_write, client_closed};

static struct sink *client_stream(struct exchange *exchange, int status,
                                  const struct http_header *headers, size_t count)
{
    struct client_exchange *ours = CONTAINER(exchange, struct client_exchange, exchange);
    struct client *client = ours->client;
    assert_int_equal(client->state, CLIENT_WAITING);
    keep_head(client, status, headers, count);
    client->state = CLIENT_STREAM;
    client->sink = xcalloc(1, sizeof(*client->sink));
    *client->sink = (struct client_sink){{.ops = &CLIENT_SINK}, client};
    exchange_free(ours);
    return &client->sink->sink;
}

static const struct exchange_ops CLIENT_OPS = {client_respond, client_stream};

/* ---- the request ---- */

/* "name: value\nname: value" */
static void take_headers(struct client_exchange *exchange, char *text)
{
    struct http_request *request = &exchange->exchange.request;
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n'), *colon = strstr(line, ": ");
        if (end) *end = '\0';
        assert_true(colon && request->header_count < CLIENT_HEADERS);
        *colon = '\0';
        exchange->headers[request->header_count++] =
            (struct http_header){bytes_of(line), bytes_of(colon + 2)};
        line = end ? end + 1 : NULL;
    }
    request->headers = exchange->headers;
}

static inline struct client *client_new(struct http_handler *handler, const char *method,
                                        const char *path, const char *query, const char *headers)
{
    struct client *client = xcalloc(1, sizeof(*client));
    struct client_exchange *exchange = xcalloc(1, sizeof(*exchange));
    list_create(&client->node);
    client->room = SIZE_MAX;
    client->exchange = exchange;
    sse_parser_create(&client->parser, 1 << 20, &CLIENT_EVENTS, client);
    exchange->client = client;
    exchange->exchange.ops = &CLIENT_OPS;
    exchange->text[0] = xstrdup(path);
    exchange->text[1] = xstrdup(query ? query : "");
    exchange->text[2] = xstrdup(headers ? headers : "");
    exchange->exchange.request = (struct http_request){.method = bytes_of(method),
                                                       .path = bytes_of(exchange->text[0]),
                                                       .query = bytes_of(exchange->text[1]),
                                                       .address = BYTES("127.0.0.1"),
                                                       .listener = BYTES("127.0.0.1:8080")};
    take_headers(exchange, exchange->text[2]);
    handler->handle(handler, &exchange->exchange);
    return client;
}

/* The connection goes from its side, whatever it waits for. */
static inline void client_cut(struct client *client)
{
    if (client->state == CLIENT_WAITING) {
        struct client_exchange *exchange = client->exchange;
        exchange->exchange.gone(exchange->exchange.owner);
        exchange_free(exchange);
    } else if (client->state == CLIENT_STREAM) {
        struct client_sink *sink = client->sink;
        client->sink = NULL;
        sink->sink.events->gone(sink->sink.owner, "closed");
        xfree(sink);
    } else {
        return;
    }
    client->state = CLIENT_ENDED;
}

/* The sink takes so many bytes more. */
static inline void client_takes(struct client *client, size_t room)
{
    client->room = room;
    client->sink->sink.events->writable(client->sink->sink.owner);
}

static inline void client_free(struct client *client)
{
    client_cut(client);
    list_remove(&client->node);
    sse_parser_destroy(&client->parser);
    buf_destroy(&client->head);
    buf_destroy(&client->body);
    buf_destroy(&client->story);
    xfree(client);
}
