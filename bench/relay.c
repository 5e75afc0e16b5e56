#include "relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "die.h"
#include "reply.h"
#include "sse.h"

struct relay {
    struct source source;
    struct loop *loop; /* NULL once the upstream has ended */
    relay_events_f *on_events;
    void *owner;
    struct reply reply;
    struct sse sse;
};

static void relay_end(struct relay *relay)
{
    if (relay->loop) loop_close(relay->loop, &relay->source);
    relay->loop = NULL;
}

static void relay_ready(struct source *source, uint32_t events)
{
    static char buffer[64 * 1024];
    struct relay *relay = (struct relay *)source;
    ssize_t got = recv(source->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    const char *at = buffer;
    const char *body;
    size_t length;
    enum reply_step step;

    (void)events;
    if (got <= 0) {
        relay_end(relay);
        return;
    }
    while ((step = reply_step(&relay->reply, &at, buffer + got, &body, &length)) != REPLY_MORE) {
        struct sse_counts counts = {0};

        if (step != REPLY_BODY) continue;
        sse_feed(&relay->sse, body, length, &counts);
        if (counts.events)
            relay->on_events(relay->owner, (unsigned)counts.events, counts.data,
                             counts.data_length);
    }
}

struct relay *relay_open(struct loop *loop, const struct sockaddr_in *upstream, unsigned user,
                         relay_events_f *on_events, void *owner)
{
    struct relay *relay = zalloc(1, sizeof *relay);
    char request[128];
    int length = snprintf(request, sizeof request,
                          "GET /feed?user=%u HTTP/1.1\r\nHost: upstream\r\n\r\n", user);
    int fd = net_connect(upstream, user);

    relay->loop = loop;
    relay->source.ready = relay_ready;
    relay->on_events = on_events;
    relay->owner = owner;
    if (net_send(fd, request, (unsigned long)length) < 0) die_errno("asking the upstream");
    loop_add(loop, &relay->source, fd, EPOLLIN);
    return relay;
}

void relay_close(struct relay *relay)
{
    relay_end(relay);
    free(relay);
}
