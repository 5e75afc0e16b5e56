#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/die.h"
#include "bench/net.h"
#include "spec/swarm/wire.h"

enum { REQUEST = 4096 };

struct wire_link {
    struct source source;
    struct upstream *upstream;
    struct wire_link *next, **link;
    int user; /* -1: it has not asked yet */
    char request[REQUEST];
    size_t length;
};

struct upstream {
    struct source source;
    struct swarm *swarm;
    struct wire_link *links;
    unsigned *live;     /* of each user */
    uint32_t *read;     /* of each user, the newest row that was told as read, and 1 */
    uint32_t refuse_in; /* one in so many of these is refused; 0: none */
    uint32_t every_ms;
    uint64_t next_ms;
    bool excused;
};

static void drop(struct wire_link *link)
{
    struct upstream *upstream = link->upstream;

    *link->link = link->next;
    if (link->next) link->next->link = link->link;
    if (link->user >= 0) upstream->live[link->user]--;
    loop_close(&upstream->swarm->loop, &link->source);
    free(link);
}

static bool send_event(struct wire_link *link, uint32_t number)
{
    char text[128];
    int length = snprintf(text, sizeof text, "id: %u\nevent: say\ndata: %u\n\n", number, number);

    return wire_send(link->source.fd, text, (size_t)length);
}

/* Those whose end has come, and was only not looked at yet, do not count. */
static void drop_ended(struct upstream *upstream, int user)
{
    struct wire_link *next;

    for (struct wire_link *link = upstream->links; link; link = next) {
        char byte;

        next = link->next;
        if (link->user == user && recv(link->source.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
            drop(link);
    }
}

static void note_overlap(struct upstream *upstream, int user)
{
    struct swarm *swarm = upstream->swarm;

    swarm->counts.overlaps_excused += upstream->excused;
    if (upstream->excused) return;
    swarm->counts.overlaps++;
    swarm_fault(swarm, "user %d has %u links at a time", user, upstream->live[user] + 1);
}

static const char *header(const char *request, const char *name)
{
    const char *at = strcasestr(request, name);

    return at ? at + strlen(name) : NULL;
}

/* POST /read/USER/ROW: a watermark, which never falls. */
static void take_read(struct wire_link *link, unsigned user, uint32_t row)
{
    static const char NO[] = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
    static const char YES[] = "HTTP/1.1 204 Yes\r\n\r\n";
    struct upstream *upstream = link->upstream;
    struct swarm *swarm = upstream->swarm;
    bool refused = upstream->refuse_in > 0 && swarm_random(swarm, upstream->refuse_in) == 0;

    link->length = 0;
    if (user >= swarm->user_count || row > swarm->users[user].begun)
        swarm_fault(swarm, "user %u is told to have read %u", user, row);
    else if (row + 1 < upstream->read[user])
        swarm_fault(swarm, "the watermark of user %u fell from %u to %u", user, upstream->read[user] - 1, row);
    else if (!refused) {
        swarm->counts.reads++;
        swarm->counts.reads_again += row + 1 == upstream->read[user];
        upstream->read[user] = row + 1;
    }
    swarm->counts.reads_refused += refused;
    if (!wire_send(link->source.fd, refused ? NO : YES, refused ? sizeof NO - 1 : sizeof YES - 1))
        drop(link);
}

static void answer(struct wire_link *link)
{
    static const char HEAD[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: welcome\n\n";
    struct upstream *upstream = link->upstream;
    struct swarm *swarm = upstream->swarm;
    const char *id = header(link->request, "\r\nlast-event-id:");
    unsigned row;
    int user;

    if (sscanf(link->request, "POST /read/u%d/%u ", &user, &row) == 2) {
        take_read(link, (unsigned)user, row);
        return;
    }
    if (sscanf(link->request, "GET /feed/u%d ", &user) != 1 || user < 0 ||
        (unsigned)user >= swarm->user_count) {
        swarm_fault(swarm, "the upstream was asked for %.40s", link->request);
        drop(link);
        return;
    }
    if (upstream->live[user] > 0) drop_ended(upstream, user);
    if (upstream->live[user] > 0) note_overlap(upstream, user);
    link->user = user;
    upstream->live[user]++;
    swarm->counts.links++;
    swarm->counts.links_resumed += id != NULL;
    bool sent = wire_send(link->source.fd, HEAD, sizeof HEAD - 1);
    for (uint32_t number = id ? (uint32_t)strtoul(id, NULL, 10) + 1 : UINT32_MAX;
         sent && number <= swarm->users[user].begun; number++)
        sent = send_event(link, number);
    if (!sent) drop(link);
}

static void on_link(struct source *source, uint32_t events)
{
    struct wire_link *link = (struct wire_link *)source;
    size_t room = sizeof link->request - 1 - link->length;
    ssize_t got = recv(source->fd, link->request + link->length, room, MSG_DONTWAIT);

    (void)events;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(link);
        return;
    }
    link->length += (size_t)got;
    link->request[link->length] = '\0';
    if (link->user < 0 && strstr(link->request, "\r\n\r\n")) answer(link);
}

static void on_listener(struct source *source, uint32_t events)
{
    struct upstream *upstream = (struct upstream *)source;
    int fd;

    (void)events;
    while ((fd = net_accept(source->fd)) >= 0) {
        struct wire_link *link = zalloc(1, sizeof *link);

        *link = (struct wire_link){.source.ready = on_link,
                                   .upstream = upstream,
                                   .user = -1,
                                   .next = upstream->links,
                                   .link = &upstream->links};
        if (link->next) link->next->link = &link->next;
        upstream->links = link;
        loop_add(&upstream->swarm->loop, &link->source, fd, EPOLLIN);
    }
}

struct upstream *upstream_new(struct swarm *swarm)
{
    struct upstream *upstream = zalloc(1, sizeof *upstream);

    *upstream = (struct upstream){.source.ready = on_listener,
                                  .swarm = swarm,
                                  .next_ms = UINT64_MAX,
                                  .live = zalloc(swarm->user_count, sizeof *upstream->live),
                                  .read = zalloc(swarm->user_count, sizeof *upstream->read)};
    loop_add(&swarm->loop, &upstream->source, net_listen(0), EPOLLIN);
    return upstream;
}

unsigned upstream_port(const struct upstream *upstream)
{
    return net_port(upstream->source.fd);
}

static void emit(struct upstream *upstream, unsigned user)
{
    struct swarm *swarm = upstream->swarm;
    struct topic *topic = &swarm->users[user];
    uint32_t number = ++topic->begun;
    struct wire_link *next;

    topic->acked = number;
    swarm->counts.events++;
    for (struct wire_link *link = upstream->links; link; link = next) {
        next = link->next;
        if (link->user == (int)user && !send_event(link, number)) drop(link);
    }
}

void upstream_tick(struct upstream *upstream)
{
    struct swarm *swarm = upstream->swarm;

    for (int left = 1000; upstream->next_ms <= swarm->now_ms && left > 0; left--) {
        emit(upstream, swarm_random(swarm, swarm->user_count));
        upstream->next_ms += swarm_random(swarm, 2 * upstream->every_ms / swarm->user_count + 1);
    }
}

void upstream_set_every(struct upstream *upstream, uint32_t mean_ms)
{
    upstream->every_ms = mean_ms;
    upstream->next_ms = mean_ms ? upstream->swarm->now_ms : UINT64_MAX;
}

void upstream_last(struct upstream *upstream)
{
    upstream_set_every(upstream, 0);
    for (unsigned user = 0; user < upstream->swarm->user_count; user++) emit(upstream, user);
}

void upstream_refuse(struct upstream *upstream, uint32_t one_in)
{
    upstream->refuse_in = one_in;
}

unsigned upstream_unread(const struct upstream *upstream, char *first, unsigned size)
{
    unsigned unread = 0;

    for (unsigned user = 0; user < upstream->swarm->user_count; user++) {
        uint32_t newest = upstream->swarm->users[user].acked;

        if (upstream->read[user] > newest) continue;
        if (unread++ == 0)
            snprintf(first, size, "user %u, %u of %u", user,
                     upstream->read[user] > 0 ? upstream->read[user] - 1 : 0, newest);
    }
    return unread;
}

void upstream_excuse(struct upstream *upstream, bool excused)
{
    upstream->excused = excused;
}

void upstream_cut(struct upstream *upstream, unsigned count)
{
    struct wire_link *next;
    unsigned left = 0;

    for (const struct wire_link *link = upstream->links; link; link = link->next) left++;
    for (struct wire_link *link = upstream->links; link && count > 0; link = next) {
        next = link->next;
        if (swarm_random(upstream->swarm, left--) >= count) continue;
        wire_harden(link->source.fd);
        drop(link);
        upstream->swarm->counts.links_cut++;
        count--;
    }
}

unsigned upstream_linked(const struct upstream *upstream)
{
    unsigned linked = 0;

    for (unsigned user = 0; user < upstream->swarm->user_count; user++) linked += upstream->live[user] > 0;
    return linked;
}

unsigned upstream_doubled(const struct upstream *upstream)
{
    unsigned doubled = 0;

    for (unsigned user = 0; user < upstream->swarm->user_count; user++)
        doubled += upstream->live[user] > 1 ? upstream->live[user] - 1 : 0;
    return doubled;
}
