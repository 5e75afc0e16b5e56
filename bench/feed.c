/*
 * The upstream server.
 *
 *   accepted ──blank line──▶ live (in _links) ──closed by the peer──▶ gone
 *
 * A user's second link takes the first one's place, which is closed.
 */

#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "die.h"
#include "line.h"
#include "net.h"
#include "template.h"

struct feed_link {
    struct source source;
    struct feed *feed;
    struct line line;
    unsigned user;
    uint8_t named; /* the request line was read */
};

static const char response[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Cache-Control: no-store\r\nConnection: close\r\n\r\n";

static void drop(struct feed_link *link)
{
    struct feed *feed = link->feed;

    if (link->named && feed->_links[link->user] == link) {
        feed->_links[link->user] = NULL;
        feed->live--;
    }
    loop_close(feed->loop, &link->source);
    free(link);
}

static void read_request_line(struct feed_link *link)
{
    if (sscanf(line_after(&link->line, ""), "GET %*[^=]=%u", &link->user) != 1 ||
        link->user >= link->feed->users)
        die("a link asks for \"%s\", not for ?user=N below %u", line_after(&link->line, ""),
            link->feed->users);
    link->named = 1;
}

static void go_live(struct feed_link *link)
{
    struct feed *feed = link->feed;

    if (feed->_links[link->user]) drop(feed->_links[link->user]);
    feed->_links[link->user] = link;
    feed->live++;
    feed->accepted++;
    if (net_send(link->source.fd, response, sizeof response - 1) < 0) drop(link);
}

static void link_ready(struct source *source, uint32_t events)
{
    char buffer[4096];
    struct feed_link *link = (struct feed_link *)source;
    ssize_t got = recv(source->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    const char *at = buffer;

    (void)events;
    if (got <= 0) {
        drop(link);
        return;
    }
    while (line_take(&link->line, &at, buffer + got)) {
        int blank = link->line.length == 0;

        if (!link->named) read_request_line(link);
        line_clear(&link->line);
        if (blank) {
            go_live(link);
            return;
        }
    }
}

static void listener_ready(struct source *source, uint32_t events)
{
    struct feed *feed =
        (struct feed *)((char *)source - __builtin_offsetof(struct feed, _listener));
    int fd;

    (void)events;
    while ((fd = net_accept(source->fd)) >= 0) {
        struct feed_link *link = zalloc(1, sizeof *link);

        link->feed = feed;
        link->source.ready = link_ready;
        loop_add(feed->loop, &link->source, fd, EPOLLIN);
    }
}

void feed_open(struct feed *feed, unsigned port)
{
    feed->_links = zalloc(feed->users, sizeof(struct feed_link *));
    feed->_listener.ready = listener_ready;
    loop_add(feed->loop, &feed->_listener, net_listen(port), EPOLLIN);
}

void feed_send_event(struct feed *feed, unsigned user, const char *event, size_t length)
{
    if (!feed->_links[user]) die("the link of user %u is gone", user);
    if (send(feed->_links[user]->source.fd, event, length, MSG_DONTWAIT | MSG_NOSIGNAL) !=
        (ssize_t)length)
        die("the link of user %u takes no more", user);
}

void feed_send(struct feed *feed, unsigned user, uint64_t stamp_ns)
{
    char event[4096] = "event: note\ndata: ";
    size_t length = strlen(event);

    length +=
        template_expand(feed->payload, user, stamp_ns, event + length, sizeof event - length - 2);
    memcpy(event + length, "\n\n", 2);
    feed_send_event(feed, user, event, length + 2);
}
