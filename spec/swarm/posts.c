/*
 *   IDLE ──due──▶ CONNECTING ──▶ ASKED ──2xx──▶ IDLE
 *                  ▲    │          │
 *                  │    └── lost ──┴── 503, silence
 *                AGAIN ◀───────────┘
 */
#include "posts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/die.h"
#include "bench/reply.h"
#include "spec/swarm/wire.h"

enum { PATIENCE_MS = 3000, AGAIN_MS = 300, ANSWER = 2048 };
enum state { IDLE, CONNECTING, ASKED, AGAIN };

struct post {
    struct source source;
    struct posts *posts;
    struct topic *room;
    enum state state;
    uint64_t due_ms; /* to begin, to try again, or to give an attempt up */
    unsigned last;   /* how many more are wanted, whatever the rate */
    struct reply reply;
    char answer[ANSWER];
    size_t length;
};

struct posts {
    struct swarm *swarm;
    struct post *all;
    uint32_t every_ms;
};

/* Nobody knows what became of it. */
static void give_up(struct post *post, uint64_t *count)
{
    struct swarm *swarm = post->posts->swarm;

    ++*count;
    if (post->state != IDLE && post->state != AGAIN) loop_close(&swarm->loop, &post->source);
    post->state = AGAIN;
    post->due_ms = swarm->now_ms + swarm_random(swarm, AGAIN_MS);
}

static void end(struct post *post)
{
    struct swarm *swarm = post->posts->swarm;
    unsigned status = post->reply.status;

    post->answer[post->length] = '\0';
    if (status >= 400) {
        if (status != 503 && status != 429 && status != 500)
            swarm_fault(swarm, "%s %u: answered %u %.120s", post->room->name, post->room->begun,
                        status, post->answer);
        give_up(post, &swarm->counts.publishes_refused);
        return;
    }
    loop_close(&swarm->loop, &post->source);
    swarm->counts.acknowledged++;
    swarm->counts.duplicates += strstr(post->answer, "\"duplicate\":true") != NULL;
    post->room->acked = post->room->begun;
    post->state = IDLE;
    post->due_ms = swarm_next(swarm, post->posts->every_ms);
    if (post->last > 0 && --post->last > 0) post->due_ms = 0;
}

/* Answers false when the connection is done with. */
static bool read_piece(struct post *post, const char *at, const char *piece_end)
{
    const char *body;
    size_t length;
    enum reply_step step;
    struct reply head = post->reply;

    while ((step = reply_step(&post->reply, &at, piece_end, &body, &length)) != REPLY_MORE) {
        if (step == REPLY_HEAD) head = post->reply;
        if (step == REPLY_BODY && length < sizeof post->answer - post->length) {
            memcpy(post->answer + post->length, body, length);
            post->length += length;
        }
        if (step != REPLY_END) continue;
        post->reply.status = head.status;
        end(post);
        return false;
    }
    return true;
}

static void read_all(struct post *post)
{
    char piece[4096];

    for (;;) {
        ssize_t got = recv(post->source.fd, piece, sizeof piece, MSG_DONTWAIT);

        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            give_up(post, &post->posts->swarm->counts.publishes_lost);
            return;
        }
        if (!read_piece(post, piece, piece + got)) return;
    }
}

static void ask(struct post *post)
{
    const struct topic *room = post->room;
    char body[256], request[1024];
    int size =
        snprintf(body, sizeof body, "{\"type\":\"say\",\"data\":{\"room\":\"%s\",\"number\":%u}}",
                 strchr(room->name, ':') + 1, room->begun);
    int length =
        snprintf(request, sizeof request,
                 "POST /publish HTTP/1.1\r\nHost: swarm\r\nContent-Type: application/json\r\n"
                 "Authorization: Bearer the-key-of-the-swarm\r\nIdempotency-Key: "
                 "%s-%u\r\nContent-Length: %d\r\n\r\n%s",
                 room->name, room->begun, size, body);

    post->state = ASKED;
    if (!wire_send(post->source.fd, request, (size_t)length))
        give_up(post, &post->posts->swarm->counts.publishes_lost);
}

static void on_ready_socket(struct source *source, uint32_t events)
{
    struct post *post = (struct post *)source;

    if (post->state == CONNECTING && (events & (EPOLLERR | EPOLLHUP) || !wire_stands(source->fd)))
        give_up(post, &post->posts->swarm->counts.publishes_lost);
    else if (post->state == CONNECTING && events & EPOLLOUT)
        ask(post);
    else if (post->state == ASKED && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        read_all(post);
}

static void begin(struct post *post)
{
    struct swarm *swarm = post->posts->swarm;
    int fd = wire_connect(&swarm->nodes[swarm_random(swarm, swarm->node_count)]);

    if (post->state == IDLE) {
        post->room->begun++;
        swarm->counts.published++;
    }
    if (fd < 0) {
        give_up(post, &swarm->counts.publishes_lost);
        return;
    }
    post->state = CONNECTING;
    post->due_ms = swarm->now_ms + PATIENCE_MS;
    post->reply = (struct reply){0};
    post->length = 0;
    post->source.ready = on_ready_socket;
    loop_add(&swarm->loop, &post->source, fd, EPOLLIN | EPOLLOUT | EPOLLET);
}

struct posts *posts_new(struct swarm *swarm)
{
    struct posts *posts = zalloc(1, sizeof *posts);

    *posts = (struct posts){.swarm = swarm, .all = zalloc(swarm->room_count, sizeof *posts->all)};
    for (unsigned i = 0; i < swarm->room_count; i++)
        posts->all[i] =
            (struct post){.posts = posts, .room = &swarm->rooms[i], .due_ms = UINT64_MAX};
    return posts;
}

void posts_tick(struct posts *posts)
{
    struct swarm *swarm = posts->swarm;

    for (unsigned i = 0; i < swarm->room_count; i++) {
        struct post *post = &posts->all[i];

        if (post->due_ms > swarm->now_ms) continue;
        if (post->state == IDLE || post->state == AGAIN)
            begin(post);
        else
            give_up(post, &swarm->counts.unanswered);
    }
}

void posts_set_every(struct posts *posts, uint32_t mean_ms)
{
    posts->every_ms = mean_ms;
    for (unsigned i = 0; i < posts->swarm->room_count; i++)
        if (posts->all[i].state == IDLE) posts->all[i].due_ms = swarm_next(posts->swarm, mean_ms);
}

void posts_last(struct posts *posts)
{
    posts->every_ms = 0;
    for (unsigned i = 0; i < posts->swarm->room_count; i++) {
        struct post *post = &posts->all[i];

        post->last = post->state == IDLE ? 1 : 2;
        if (post->state == IDLE) post->due_ms = 0;
    }
}

unsigned posts_under_way(const struct posts *posts)
{
    unsigned count = 0;

    for (unsigned i = 0; i < posts->swarm->room_count; i++)
        count += posts->all[i].state != IDLE || posts->all[i].last > 0;
    return count;
}
