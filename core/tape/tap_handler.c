/* Requests of clients. Each goes to the node in a copy, whose answer, stream or end
 * comes through here, also while nothing is recorded: a stream lives for hours, and
 * a recording that begins meanwhile shall have its end. Of answers the status is
 * written: what they say is the rules' doing and comes again in a replay. */
#include "base/alloc.h"
#include "base/atom.h"
#include "base/check.h"
#include "tape/taps.h"

struct tapped {
    struct exchange exchange; /* what the node sees; its request is the inner one's */
    struct exchange *inner;
    struct taps *taps;
    uint64_t number, recording;
};

struct tapped_sink {
    struct sink sink; /* what the subscriber sees */
    struct sink *inner;
    struct taps *taps;
    struct atom *listener;
    uint64_t number, recording; /* 0: none yet */
};

/* What is written of an exchange after its request. */
struct note {
    uint64_t number;
    int status;      /* 0: none */
    const char *why; /* or NULL */
};

static void write_note(struct entry *entry, const void *ctx)
{
    const struct note *note = ctx;
    entry_number(entry, "id", (long long)note->number);
    if (note->status) entry_number(entry, "status", note->status);
    entry_text(entry, "why", bytes_of(note->why));
}

static void add_note(struct taps *taps, uint64_t recording, const char *what,
                     const struct note *note)
{
    if (taps_in(taps, recording)) tape_add(taps->tape, what, write_note, note);
}

/* ---- streams ---- */

static size_t write_sink(struct sink *sink, const struct iovec *pieces, int count)
{
    struct sink *inner = CONTAINER(sink, struct tapped_sink, sink)->inner;
    return inner->ops->write(inner, pieces, count);
}

static void free_sink(struct tapped_sink *tapped)
{
    atom_unref(tapped->listener);
    xfree(tapped);
}

static void close_sink(struct sink *sink, const char *why)
{
    struct tapped_sink *tapped = CONTAINER(sink, struct tapped_sink, sink);
    const struct note note = {.number = tapped->number, .why = why};
    add_note(tapped->taps, tapped->recording, "end", &note);
    tapped->inner->ops->close(tapped->inner, why);
    free_sink(tapped);
}

static const struct sink_ops sink_ops = {.write = write_sink, .close = close_sink};

static void on_writable(void *owner)
{
    struct tapped_sink *tapped = owner;
    tapped->sink.events->writable(tapped->sink.owner);
}

static void on_sink_gone(void *owner, const char *why)
{
    struct tapped_sink *tapped = owner;
    const struct note note = {.number = tapped->number, .why = why};
    const struct sink_events *events = tapped->sink.events;
    void *sink_owner = tapped->sink.owner;
    add_note(tapped->taps, tapped->recording, "gone", &note);
    free_sink(tapped);
    events->gone(sink_owner, why);
}

static const struct sink_events sink_events = {.writable = on_writable, .gone = on_sink_gone};

static struct sink *stream(struct exchange *exchange, int status,
                           const struct http_header *headers, size_t count)
{
    struct tapped *tapped = CONTAINER(exchange, struct tapped, exchange);
    struct tapped_sink *sink = xcalloc(1, sizeof(*sink));
    const struct note note = {.number = tapped->number, .status = status};
    add_note(tapped->taps, tapped->recording, "stream", &note);
    /* The request goes with the answer. */
    struct atom *listener = atom_get(tapped->exchange.request.listener);
    *sink = (struct tapped_sink){.sink = {.ops = &sink_ops},
                                 .listener = listener,
                                 .inner = tapped->inner->ops->stream(tapped->inner, status, headers,
                                                                     count),
                                 .taps = tapped->taps,
                                 .number = tapped->number,
                                 .recording = tapped->recording};
    sink->inner->events = &sink_events;
    sink->inner->owner = sink;
    xfree(tapped);
    return &sink->sink;
}

/* ---- streams from before ---- */

struct noting {
    const struct tapped_sink *sink;
    const struct tap_stream *stream;
};

static void write_stream(struct entry *entry, const void *ctx)
{
    const struct noting *noting = ctx;
    const struct tap_stream *stream = noting->stream;
    entry_number(entry, "id", (long long)noting->sink->number);
    entry_number(entry, "status", 200);
    entry_flag(entry, "before");
    entry_text(entry, "app", stream->app);
    entry_text(entry, "stream", stream->name);
    entry_path(entry, "path", stream->path);
    entry_query(entry, "query", stream->query);
    entry_text(entry, "listener", atom_bytes(noting->sink->listener));
    entry_text(entry, "user", stream->user);
    entry_text(entry, "tag", stream->tag);
    entry_body(entry, "data", BYTES("application/json"), stream->data);
    entry_list(entry, "topics", stream->topics, stream->topic_count);
}

bool taps_note_stream(struct taps *taps, struct sink *sink, const struct tap_stream *stream)
{
    struct tapped_sink *tapped = CONTAINER(sink, struct tapped_sink, sink);
    CHECK(sink->ops == &sink_ops);
    if (!taps->tape || taps_in(taps, tapped->recording)) return false;
    tapped->recording = taps->_recording;
    tape_add(taps->tape, "stream", write_stream, &(struct noting){tapped, stream});
    return true;
}

/* ---- requests ---- */

static void respond(struct exchange *exchange, const struct http_response *response)
{
    struct tapped *tapped = CONTAINER(exchange, struct tapped, exchange);
    const struct note note = {.number = tapped->number, .status = response->status};
    add_note(tapped->taps, tapped->recording, "answer", &note);
    tapped->inner->ops->respond(tapped->inner, response);
    xfree(tapped);
}

static const struct exchange_ops exchange_ops = {.respond = respond, .stream = stream};

static void on_gone(void *owner)
{
    struct tapped *tapped = owner;
    const struct note note = {.number = tapped->number};
    add_note(tapped->taps, tapped->recording, "gone", &note);
    tapped->exchange.gone(tapped->exchange.owner);
    xfree(tapped);
}

static void write_request(struct entry *entry, const void *ctx)
{
    const struct tapped *tapped = ctx;
    const struct http_request *request = &tapped->exchange.request;
    entry_number(entry, "id", (long long)tapped->number);
    entry_text(entry, "method", request->method);
    entry_path(entry, "path", request->path);
    entry_query(entry, "query", request->query);
    entry_headers(entry, request->headers, request->header_count);
    entry_body(entry, "body", http_header_get(request, "content-type"), request->body);
    entry_text(entry, "address", request->address);
    entry_text(entry, "listener", request->listener);
    if (request->secure) entry_flag(entry, "secure");
    if (request->trusted) entry_flag(entry, "trusted");
}

static void handle(struct http_handler *handler, struct exchange *exchange)
{
    struct taps *taps = CONTAINER(handler, struct taps, handler);
    struct tapped *tapped = xcalloc(1, sizeof(*tapped));
    *tapped = (struct tapped){.exchange = {.ops = &exchange_ops, .request = exchange->request},
                              .inner = exchange,
                              .taps = taps,
                              .number = ++taps->_numbers,
                              .recording = taps->tape ? taps->_recording : 0};
    exchange->gone = on_gone;
    exchange->owner = tapped;
    if (taps->tape) tape_add(taps->tape, "request", write_request, tapped);
    taps->_handler->handle(taps->_handler, &tapped->exchange);
}

void taps_create_handler(struct taps *taps)
{
    taps->handler.handle = handle;
}
