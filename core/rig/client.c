#include "rig/client.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

/* Both outlive the client if the server still holds them when it goes. */
struct client_exchange {
    struct exchange exchange;
    struct client *client;
};

struct client_sink {
    struct sink sink;
    struct client *client;
};

static void tell(struct client *client)
{
    if (list_empty(&client->fresh)) list_append(client->_news, &client->fresh);
}

/* ---- the answer ---- */

static void keep_headers(struct client *client, int status, const struct http_header *headers,
                         size_t count)
{
    client->status = status;
    tell(client);
    for (size_t i = 0; i < count; i++)
        buf_printf(&client->head, "%.*s: %.*s\n", (int)headers[i].name.size, headers[i].name.data,
                   (int)headers[i].value.size, headers[i].value.data);
}

static void respond(struct exchange *exchange, const struct http_response *response)
{
    struct client *client = ((struct client_exchange *)exchange)->client;
    keep_headers(client, response->status, response->headers, response->header_count);
    if (!bytes_is(exchange->request.method, "HEAD")) buf_add_bytes(&client->body, response->body);
    client->state = CLIENT_ANSWERED;
    client->_exchange = NULL;
    xfree(exchange);
}

static size_t sink_write(struct sink *sink, const struct iovec *pieces, int count)
{
    struct client *client = ((struct client_sink *)sink)->client;
    size_t taken = 0;
    tell(client);
    for (int i = 0; i < count; i++) {
        size_t size = pieces[i].iov_len < client->_allowance ? pieces[i].iov_len
                                                             : client->_allowance;
        buf_add(&client->body, pieces[i].iov_base, size);
        if (client->_allowance != SIZE_MAX) client->_allowance -= size;
        taken += size;
        if (size < pieces[i].iov_len) {
            client->_owed = true;
            break;
        }
    }
    return taken;
}

static void sink_close(struct sink *sink, const char *why)
{
    struct client *client = ((struct client_sink *)sink)->client;
    snprintf(client->why, sizeof(client->why), "%s", why);
    client->state = CLIENT_ENDED;
    tell(client);
    client->_sink = NULL;
    later_cancel(&client->_room);
    xfree(sink);
}

static const struct sink_ops sink_ops = {.write = sink_write, .close = sink_close};

static struct sink *stream(struct exchange *exchange, int status,
                           const struct http_header *headers, size_t count)
{
    struct client *client = ((struct client_exchange *)exchange)->client;
    keep_headers(client, status, headers, count);
    struct client_sink *sink = xcalloc(1, sizeof(*sink));
    sink->sink.ops = &sink_ops;
    sink->client = client;
    client->_sink = sink;
    client->_exchange = NULL;
    client->state = CLIENT_STREAM;
    xfree(exchange);
    return &sink->sink;
}

static const struct exchange_ops exchange_ops = {.respond = respond, .stream = stream};

/* ---- the client ---- */

static struct bytes keep(struct buf *buf, struct bytes bytes)
{
    struct bytes kept = bytes_run(buf->data + buf->size, bytes.size);
    buf_add_bytes(buf, bytes);
    return kept;
}

/* One block for all bytes of the request, reserved beforehand so that nothing moves. */
static void keep_request(struct client *client, const struct client_request *from,
                         struct http_request *to)
{
    size_t size = from->method.size + from->path.size + from->query.size + from->body.size +
                  from->address.size + from->listener.size + 1;
    for (size_t i = 0; i < from->topic_count; i++) size += from->topics[i].size;
    for (size_t i = 0; i < from->header_count; i++)
        size += from->headers[i].name.size + from->headers[i].value.size;
    struct buf *buf = &client->_request;
    buf_reserve(buf, size);
    to->method = keep(buf, from->method);
    to->path = keep(buf, from->path);
    to->query = keep(buf, from->query);
    to->body = keep(buf, from->body);
    to->address = keep(buf, from->address);
    to->listener = keep(buf, from->listener);
    client->_headers = xcalloc(from->header_count, sizeof(struct http_header));
    for (size_t i = 0; i < from->header_count; i++)
        client->_headers[i] = (struct http_header){keep(buf, from->headers[i].name),
                                                   keep(buf, from->headers[i].value)};
    to->headers = client->_headers;
    to->header_count = from->header_count;
    to->trusted = from->trusted;
    to->secure = from->secure;
    client->_topics = xcalloc(from->topic_count, sizeof(struct bytes));
    client->_topic_count = from->topic_count;
    for (size_t i = 0; i < from->topic_count; i++) client->_topics[i] = keep(buf, from->topics[i]);
}

static void tell_room(struct job *job)
{
    struct client *client = CONTAINER(job, struct client, _room);
    if (!client->_sink || !client->_owed || !client->_allowance) return;
    client->_owed = false;
    client->_sink->sink.events->writable(client->_sink->sink.owner);
}

struct client *client_new(struct http_handler *handler, struct later *later, struct list *news,
                          const struct client_request *request)
{
    struct client *client = xcalloc(1, sizeof(*client));
    struct client_exchange *exchange = xcalloc(1, sizeof(*exchange));
    list_create(&client->node);
    list_create(&client->fresh);
    client->_news = news;
    client->_later = later;
    client->_allowance = SIZE_MAX;
    job_create(&client->_room, tell_room);
    exchange->exchange.ops = &exchange_ops;
    exchange->client = client;
    keep_request(client, request, &exchange->exchange.request);
    client->_exchange = &exchange->exchange;
    client->_known = request->known;
    client->_named = request->named;
    if (request->user.data) client->_who.user = atom_get(request->user);
    if (request->data.data) client->_who.data = atom_get(request->data);
    handler->handle(handler, &exchange->exchange);
    return client;
}

bool client_known(const struct hook_call *call, struct hook_result *result)
{
    if (!call->request || call->request->kept) return false;
    const struct exchange *exchange = CONTAINER(call->request, const struct exchange, request);
    const struct client *client = ((const struct client_exchange *)exchange)->client;
    switch (call->kind) {
    case HOOK_AUTHENTICATE:
    case HOOK_AUTHORIZE:
        result->who = client->_who;
        return client->_known;
    case HOOK_TOPICS:
        result->names = client->_topics;
        result->name_count = client->_topic_count;
        return client->_named;
    case HOOK_SUBSCRIBE:
        return client->_named;
    default:
        return false;
    }
}

void client_cut(struct client *client)
{
    if (client->state == CLIENT_WAITING) {
        struct exchange *exchange = client->_exchange;
        client->_exchange = NULL;
        exchange->gone(exchange->owner);
        xfree(exchange);
    } else if (client->state == CLIENT_STREAM) {
        struct client_sink *sink = client->_sink;
        client->_sink = NULL;
        sink->sink.events->gone(sink->sink.owner, "cut");
        xfree(sink);
    } else {
        return;
    }
    later_cancel(&client->_room);
    client->state = CLIENT_ENDED;
    snprintf(client->why, sizeof(client->why), "client");
}

void client_allow(struct client *client, size_t bytes)
{
    client->_allowance = bytes;
    if (client->_owed && bytes) later_post(client->_later, LATER_SOON, &client->_room);
}

void client_free(struct client *client)
{
    client_cut(client);
    list_remove(&client->node);
    list_remove(&client->fresh);
    buf_destroy(&client->head);
    buf_destroy(&client->body);
    buf_destroy(&client->_request);
    atom_unref(client->_who.user);
    atom_unref(client->_who.data);
    xfree(client->_headers);
    xfree(client->_topics);
    xfree(client);
}
