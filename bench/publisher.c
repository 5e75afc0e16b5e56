/*
 * The publisher. Connections are taken in turn, so that the work of one turn spreads;
 * a full one is skipped. Requests are small and the depth bounded, so a blocking send
 * cannot meet a full socket of a server that reads.
 */

#include "publisher.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "clock.h"
#include "die.h"
#include "reply.h"

enum { REQUEST_BYTES = 8192, PATIENCE_MS = 30000 };

struct post_line {
    struct source source;
    struct publisher *publisher;
    struct reply reply;
    unsigned under_way;
    size_t queued;
    size_t size;
    char *queue;
};

static void count_answer(struct post_line *line)
{
    line->under_way--;
    line->publisher->answered++;
}

static void check_status(struct publisher *publisher, int status)
{
    if (status >= 200 && status < 300) return;
    publisher->refused++;
    publisher->refused_with = status;
}

static void line_ready(struct source *source, uint32_t events)
{
    static char buffer[64 * 1024];
    struct post_line *line = (struct post_line *)source;
    ssize_t got = recv(source->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    const char *at = buffer;
    const char *body;
    size_t length;
    enum reply_step step;

    (void)events;
    if (got == 0) die("the server closed a publisher's connection");
    if (got < 0) return;
    while ((step = reply_step(&line->reply, &at, buffer + got, &body, &length)) != REPLY_MORE) {
        if (step == REPLY_HEAD)
            check_status(line->publisher, line->reply.status);
        else if (step == REPLY_END)
            count_answer(line);
    }
}

void publisher_open(struct publisher *publisher)
{
    publisher->_lines = zalloc(publisher->connections, sizeof *publisher->_lines);
    for (unsigned i = 0; i < publisher->connections; i++) {
        struct post_line *line = &publisher->_lines[i];

        line->publisher = publisher;
        line->source.ready = line_ready;
        line->size = REQUEST_BYTES;
        line->queue = zalloc(1, line->size);
        loop_add(publisher->loop, &line->source, net_connect_any(&publisher->targets, i), EPOLLIN);
    }
}

static struct post_line *find_room(struct publisher *publisher)
{
    for (unsigned i = 0; i < publisher->connections; i++) {
        struct post_line *line = &publisher->_lines[publisher->_next++ % publisher->connections];

        if (line->under_way < publisher->depth) return line;
    }
    return NULL;
}

static void make_room(struct post_line *line)
{
    if (line->size - line->queued >= REQUEST_BYTES) return;
    line->size = 2 * line->size + REQUEST_BYTES;
    line->queue = realloc(line->queue, line->size);
    if (!line->queue) die("out of memory for %zu bytes of requests", line->size);
}

int publisher_post(struct publisher *publisher, unsigned number, uint64_t stamp_ns)
{
    struct post_line *line = find_room(publisher);

    if (!line) return 0;
    make_room(line);
    line->queued += request_write(&publisher->request, number, stamp_ns, line->queue + line->queued,
                                  line->size - line->queued);
    line->under_way++;
    publisher->asked++;
    return 1;
}

void publisher_flush(struct publisher *publisher)
{
    for (unsigned i = 0; i < publisher->connections; i++) {
        struct post_line *line = &publisher->_lines[i];

        if (line->queued && net_send(line->source.fd, line->queue, line->queued) < 0)
            die_errno("publishing");
        line->queued = 0;
    }
}

void publisher_await(struct publisher *publisher)
{
    uint64_t seen = publisher->answered;
    uint64_t seen_ns = clock_now_ns();

    while (publisher->answered < publisher->asked) {
        loop_turn(publisher->loop, 1000);
        if (publisher->answered != seen) {
            seen = publisher->answered;
            seen_ns = clock_now_ns();
        } else if (clock_seconds_since(seen_ns) * 1000 > PATIENCE_MS) {
            die("%lu posts were never answered", (unsigned long)(publisher->asked - seen));
        }
    }
}
