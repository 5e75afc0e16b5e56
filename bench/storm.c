/*
 * The storm. A visit that ends is begun again in the same slot until the time is over.
 * Loopback completes a connect within the call, so the request follows at once and a
 * visit costs six system calls.
 */

#include "storm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "clock.h"
#include "die.h"
#include "reply.h"
#include "sse.h"

struct storm_visit {
    struct source source;
    struct storm *storm;
    struct reply reply;
    struct sse sse;
    uint64_t begun_ns;
    uint64_t events; /* that it has so far */
};

static void begin(struct storm_visit *visit)
{
    char request[2048];
    struct storm *storm = visit->storm;
    unsigned number = storm->_begun++;
    size_t length =
        request_write(&storm->request, number % storm->users, 0, request, sizeof request);
    int fd = net_connect_any(&storm->targets, number);

    memset(&visit->reply, 0, sizeof visit->reply);
    memset(&visit->sse, 0, sizeof visit->sse);
    visit->events = 0;
    visit->begun_ns = clock_now_ns();
    storm->_under_way++;
    if (net_send(fd, request, length) < 0) die_errno("asking for a stream");
    loop_add(storm->loop, &visit->source, fd, EPOLLIN);
}

static int is_over(const struct storm *storm)
{
    return storm->limit && storm->_begun >= storm->limit;
}

static void end(struct storm_visit *visit)
{
    struct storm *storm = visit->storm;

    loop_close(storm->loop, &visit->source);
    storm->_under_way--;
    if (!storm->_ending && !is_over(storm)) begin(visit);
}

static void refuse(struct storm_visit *visit, int status)
{
    visit->storm->refused++;
    visit->storm->refused_with = status;
    end(visit);
}

/* Returns 1 when the visit has what it waits for. */
static int read_body(struct storm_visit *visit, const char *body, size_t length)
{
    struct sse_counts counts = {0};

    sse_feed(&visit->sse, body, length, &counts);
    if (!visit->storm->await_events) return !visit->storm->await_ready || counts.readies > 0;
    if (counts.resyncs) die("a stream was told to re-read in place of what it missed");
    visit->events += counts.events;
    return visit->events >= visit->storm->await_events;
}

static void visit_ready(struct source *source, uint32_t events)
{
    char buffer[16 * 1024];
    struct storm_visit *visit = (struct storm_visit *)source;
    ssize_t got = recv(source->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    const char *at = buffer;
    const char *body;
    size_t length;
    enum reply_step step;

    (void)events;
    if (got <= 0) {
        refuse(visit, 0);
        return;
    }
    while ((step = reply_step(&visit->reply, &at, buffer + got, &body, &length)) != REPLY_MORE) {
        if (step == REPLY_HEAD && visit->reply.status != 200) {
            refuse(visit, visit->reply.status);
            return;
        }
        if (step == REPLY_BODY && read_body(visit, body, length)) {
            visit->storm->served++;
            if (visit->storm->latency)
                latency_add(visit->storm->latency, clock_now_ns() - visit->begun_ns);
            end(visit);
            return;
        }
    }
}

void storm_run(struct storm *storm, double seconds)
{
    uint64_t start_ns = clock_now_ns();

    storm->_visits = zalloc(storm->at_once, sizeof *storm->_visits);
    for (unsigned i = 0; i < storm->at_once; i++) {
        storm->_visits[i].storm = storm;
        storm->_visits[i].source.ready = visit_ready;
        if (!is_over(storm)) begin(&storm->_visits[i]);
    }
    while (storm->_under_way > 0) {
        loop_turn(storm->loop, 100);
        storm->_ending = clock_seconds_since(start_ns) > seconds;
        if (clock_seconds_since(start_ns) > seconds + 30)
            die("%u connects were never answered", storm->_under_way);
    }
    free(storm->_visits);
    storm->_visits = NULL;
}
