/*
 * The streams. All sockets share one read buffer; what a connection keeps between two
 * reads is where it is in the response (reply) and in the event (sse).
 *
 * Sockets are watched edge-triggered and read once: a read that does not fill the
 * buffer has emptied the socket. Only the server's FIN arriving together with data
 * could go unseen by that, and such a stream's missing deliveries are noticed anyway.
 */

#include "streams.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "clock.h"
#include "die.h"
#include "reply.h"
#include "sse.h"
#include "stamp.h"

enum { OPENING_AT_ONCE = 64, PATIENCE_MS = 30000, READ_BYTES = 256 * 1024 };

struct stream {
    struct source source;
    struct streams *streams;
    struct reply reply;
    struct sse sse;
    uint8_t open;
};

static char read_buffer[READ_BYTES];

static void mark_open(struct stream *stream, const struct sse_counts *counts)
{
    if (stream->open || (stream->streams->await_ready && counts->readies == 0)) return;
    stream->open = 1;
    stream->streams->_open++;
}

static void sample(struct streams *streams, const struct sse_counts *counts)
{
    if (!streams->latency || !counts->data || ++streams->_unsampled < streams->sample_every) return;

    const char *digits = stamp_find(counts->data, counts->data_length);

    if (!digits) return;
    latency_add(streams->latency, stamp_age_ns(digits, clock_now_ns()));
    streams->_unsampled = 0;
}

static void tell_data(void *ctx, const char *line, size_t length)
{
    const struct stream *stream = ctx;

    stream->streams->on_data((unsigned)(stream - stream->streams->_all), line, length);
}

static void read_body(struct stream *stream, const char *body, size_t length)
{
    struct streams *streams = stream->streams;
    struct sse_counts counts = {.on_data = streams->on_data ? tell_data : NULL, .ctx = stream};

    sse_feed(&stream->sse, body, length, &counts);
    mark_open(stream, &counts);
    streams->deliveries += counts.events;
    streams->resyncs += counts.resyncs;
    if (counts.events) sample(streams, &counts);
}

static void read_piece(struct stream *stream, const char *at, const char *end)
{
    const char *body;
    size_t length;
    enum reply_step step;

    while ((step = reply_step(&stream->reply, &at, end, &body, &length)) != REPLY_MORE) {
        if (step == REPLY_BODY)
            read_body(stream, body, length);
        else if (step == REPLY_END)
            die("a stream came to an end");
        else if (stream->reply.status != 200)
            die("a stream was answered %d", stream->reply.status);
    }
}

static void stream_ready(struct source *source, uint32_t events)
{
    struct stream *stream = (struct stream *)source;
    ssize_t got;

    (void)events;
    do {
        got = recv(source->fd, read_buffer, sizeof read_buffer, MSG_DONTWAIT);
        if (got == 0) die("the server closed a stream");
        if (got < 0 && errno != EAGAIN) die_errno("reading a stream");
        if (got > 0) {
            stream->streams->bytes += (uint64_t)got;
            read_piece(stream, read_buffer, read_buffer + got);
        }
    } while (got == (ssize_t)sizeof read_buffer);
}

static void begin(struct streams *streams)
{
    char request[2048];
    unsigned number = streams->_begun++;
    struct stream *stream = &streams->_all[number];
    size_t length = request_write(&streams->request, number, 0, request, sizeof request);
    int fd = net_connect_any(&streams->targets, number);

    stream->streams = streams;
    stream->source.ready = stream_ready;
    if (net_send(fd, request, length) < 0) die_errno("asking for a stream");
    loop_add(streams->loop, &stream->source, fd, EPOLLIN | EPOLLET);
}

void streams_open(struct streams *streams, unsigned count)
{
    uint64_t start_ns = clock_now_ns();

    streams->_all = zalloc(count, sizeof *streams->_all);
    while (streams->_open < count) {
        while (streams->_begun < count && streams->_begun < streams->_open + OPENING_AT_ONCE)
            begin(streams);
        loop_turn(streams->loop, 100);
        if (clock_seconds_since(start_ns) * 1000 > 2 * PATIENCE_MS)
            die("only %u of %u streams opened", streams->_open, count);
    }
    streams_reset(streams);
}

void streams_reset(struct streams *streams)
{
    streams->deliveries = streams->resyncs = streams->bytes = 0;
    if (streams->latency) latency_reset(streams->latency);
}

void streams_await(struct streams *streams, uint64_t deliveries)
{
    uint64_t seen = streams->deliveries;
    uint64_t seen_ns = clock_now_ns();

    while (streams->deliveries < deliveries) {
        loop_turn(streams->loop, 1000);
        if (streams->deliveries != seen) {
            seen = streams->deliveries;
            seen_ns = clock_now_ns();
        } else if (clock_seconds_since(seen_ns) * 1000 > PATIENCE_MS) {
            die("%lu of %lu deliveries never came; %lu resyncs did",
                (unsigned long)(deliveries - seen), (unsigned long)deliveries,
                (unsigned long)streams->resyncs);
        }
    }
}
