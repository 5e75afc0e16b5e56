/*
 * The swarm's program: swarm SOCKET PATH SEED STREAMS ROOMS USERS LINKED
 *
 * PATH is the stream's at the nodes; LINKED is 1 where a subscriber's user has an upstream. Who
 * plays with the nodes tells it where they are, and what to do, by lines on the Unix socket SOCKET,
 * each answered by one: "ok" or JSON.
 */
#include "swarm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/die.h"
#include "bench/net.h"
#include "bench/proc.h"
#include "spec/swarm/posts.h"
#include "spec/swarm/source.h"
#include "spec/swarm/tabs.h"

enum { TURN_MS = 10, COMMAND = 512, ANSWER = 64 * 1024 };

struct player {
    struct source source;
    struct swarm swarm;
    struct tabs *tabs;
    struct posts *posts;
    struct upstream *upstream;
    unsigned streams;
    char command[COMMAND];
    size_t length;
};

static char answer[ANSWER];

void swarm_roll(struct swarm *swarm, uint32_t seed)
{
    swarm->_dice = seed * 0x9E3779B97F4A7C15u + 1;
}

/* xorshift64*, so that a seed is the same everywhere. */
uint32_t swarm_random(struct swarm *swarm, uint32_t below)
{
    swarm->_dice ^= swarm->_dice >> 12;
    swarm->_dice ^= swarm->_dice << 25;
    swarm->_dice ^= swarm->_dice >> 27;
    return below ? (uint32_t)((swarm->_dice * 0x2545F4914F6CDD1Du) >> 33) % below : 0;
}

uint64_t swarm_next(struct swarm *swarm, uint32_t mean_ms)
{
    return mean_ms ? swarm->now_ms + swarm_random(swarm, 2 * mean_ms) : UINT64_MAX;
}

void swarm_fault(struct swarm *swarm, const char *format, ...)
{
    char sentence[sizeof swarm->faults[0]];
    va_list arguments;
    size_t length = 0;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%.3f fault: %s\n", (double)swarm->now_ms / 1000, sentence);
    if (swarm->fault_count++ >= SWARM_FAULTS) return;
    for (const char *at = sentence; *at; at++) /* it will stand in JSON */
        swarm->faults[swarm->fault_count - 1][length++] = *at == '"'                 ? '\''
                                                          : *at < ' ' || *at == '\\' ? ' '
                                                                                     : *at;
}

/* ---- what it is told to do ---- */

static void tell_state(struct player *player)
{
    struct swarm *swarm = &player->swarm;
    char first[160] = "", first_unread[64] = "";
    unsigned missing = tabs_missing(player->tabs, first, sizeof first);
    unsigned unread = upstream_unread(player->upstream, first_unread, sizeof first_unread);
    int size = snprintf(
        answer, sizeof answer,
        "{\"streams\":%u,\"open\":%u,\"missing\":%u,\"first\":\"%s\",\"posting\":%u,"
        "\"linked\":%u,"
        "\"doubled\":%u,\"unread\":%u,\"first_unread\":\"%s\",\"said\":%lu,\"again\":%lu,\"cpu\":%.2f,\"fault_count\":%u",
        player->streams, tabs_open(player->tabs), missing, first, posts_under_way(player->posts),
        upstream_linked(player->upstream), upstream_doubled(player->upstream),
        unread, first_unread, (unsigned long)swarm->ledger.said, (unsigned long)swarm->ledger.again,
        proc_own_cpu_seconds(), swarm->fault_count);
#define X(name)                                                                                    \
    size += snprintf(answer + size, sizeof answer - (size_t)size, ",\"%s\":%lu", #name,            \
                     (unsigned long)swarm->counts.name);
    SWARM_COUNTS(X)
#undef X
    size += snprintf(answer + size, sizeof answer - (size_t)size, ",\"faults\":[");
    for (unsigned i = 0; i < swarm->fault_count && i < SWARM_FAULTS; i++)
        size += snprintf(answer + size, sizeof answer - (size_t)size, "%s\"%s\"", i ? "," : "",
                         swarm->faults[i]);
    snprintf(answer + size, sizeof answer - (size_t)size, "]}");
}

static void tell_users(struct player *player)
{
    bool *there = zalloc(player->swarm.user_count, sizeof *there);
    int size = snprintf(answer, sizeof answer, "[");

    tabs_users(player->tabs, there);
    for (unsigned user = 0; user < player->swarm.user_count; user++)
        if (there[user])
            size += snprintf(answer + size, sizeof answer - (size_t)size, "%s\"u%u\"",
                             size > 1 ? "," : "", user);
    snprintf(answer + size, sizeof answer - (size_t)size, "]");
    free(there);
}

static void add_node(struct swarm *swarm, const char *address)
{
    if (swarm->node_count == SWARM_NODES) die("more than %d nodes", SWARM_NODES);
    swarm->nodes[swarm->node_count++] = net_address(address);
}

static void obey(struct player *player, const char *word, const char *text)
{
    struct swarm *swarm = &player->swarm;
    unsigned number = (unsigned)strtoul(text, NULL, 10);

    snprintf(answer, sizeof answer, "ok");
    if (strcmp(word, "state") == 0) {
        tell_state(player);
    } else if (strcmp(word, "users") == 0) {
        tell_users(player);
    } else if (strcmp(word, "node") == 0) {
        add_node(swarm, text);
    } else if (strcmp(word, "port") == 0) {
        snprintf(answer, sizeof answer, "%u", upstream_port(player->upstream));
    } else if (strcmp(word, "publish") == 0) {
        posts_set_every(player->posts, number);
    } else if (strcmp(word, "feed") == 0) {
        upstream_set_every(player->upstream, number);
    } else if (strcmp(word, "cuts") == 0) {
        tabs_set_cuts(player->tabs, number);
    } else if (strcmp(word, "cut-links") == 0) {
        upstream_cut(player->upstream, number);
    } else if (strcmp(word, "excuse") == 0) {
        upstream_excuse(player->upstream, number != 0);
    } else if (strcmp(word, "refuse") == 0) {
        upstream_refuse(player->upstream, number);
    } else if (strcmp(word, "epoch") == 0) {
        swarm->ledger.epoch_ms = swarm->now_ms;
    } else if (strcmp(word, "open") == 0) {
        tabs_let(player->tabs, number);
    } else if (strcmp(word, "last") == 0) {
        posts_last(player->posts);
        if (swarm->linked) upstream_last(player->upstream);
    } else {
        snprintf(answer, sizeof answer, "what?");
    }
}

static void on_command(struct source *source, uint32_t events)
{
    struct player *player = (struct player *)source;
    ssize_t got = recv(source->fd, player->command + player->length,
                       sizeof player->command - 1 - player->length, MSG_DONTWAIT);
    char *newline;

    (void)events;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) exit(0); /* who told it what to do is gone */
    player->length += (size_t)got;
    player->command[player->length] = '\0';
    while ((newline = strchr(player->command, '\n'))) {
        char word[32] = "";
        char text[64] = "";

        *newline = '\0';
        sscanf(player->command, "%31s %63s", word, text);
        obey(player, word, text);
        player->length -= (size_t)(newline + 1 - player->command);
        memmove(player->command, newline + 1, player->length + 1);
        if (net_send(source->fd, answer, strlen(answer)) < 0 || net_send(source->fd, "\n", 1) < 0)
            exit(0);
    }
}

static int take_player(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd;

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(listener, 1) < 0)
        die_errno(path);
    printf("ready\n");
    fflush(stdout);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) die_errno("accept");
    close(listener);
    return fd;
}

/* ---- its world ---- */

static struct topic *topics_new(unsigned count, const char *prefix)
{
    struct topic *topics = zalloc(count, sizeof *topics);

    for (unsigned i = 0; i < count; i++)
        snprintf(topics[i].name, sizeof topics[i].name, "%s%u", prefix, i);
    return topics;
}

static void world_create(struct player *player, char **words)
{
    struct swarm *swarm = &player->swarm;

    loop_create(&swarm->loop);
    swarm->now_ms = clock_now_ns() / 1000000;
    swarm->path = words[2];
    swarm_roll(swarm, (uint32_t)atoi(words[3]));
    player->streams = (unsigned)atoi(words[4]);
    swarm->room_count = (unsigned)atoi(words[5]);
    swarm->user_count = (unsigned)atoi(words[6]);
    swarm->linked = atoi(words[7]) != 0;
    swarm->rooms = topics_new(swarm->room_count, "room:");
    swarm->users = topics_new(swarm->user_count, "user:u");
    player->tabs = tabs_new(swarm, player->streams);
    player->posts = posts_new(swarm);
    player->upstream = upstream_new(swarm);
}

int main(int count, char **words)
{
    static struct player player;

    if (count != 8) die("usage: swarm SOCKET PATH SEED STREAMS ROOMS USERS LINKED");
    proc_descriptor_limit();
    world_create(&player, words);
    player.source.ready = on_command;
    loop_add(&player.swarm.loop, &player.source, take_player(words[1]), EPOLLIN);
    for (;;) {
        player.swarm.now_ms = clock_now_ns() / 1000000;
        tabs_tick(player.tabs);
        posts_tick(player.posts);
        upstream_tick(player.upstream);
        loop_turn(&player.swarm.loop, TURN_MS);
    }
}
