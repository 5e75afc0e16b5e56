/* redis: the Redis servers that a rig has. Every command of the core's ends up here and waits for what the
 * spec says of it; a server is up as soon as it is opened, and all are down while the spec says so. There are no
 * data: what a command does is what the spec answers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "ports/later.h"
#include "ports/redis.h"

struct redis_call {
    struct list node;
    struct redis_server *server;
    uint64_t number;
    struct buf *words;
    size_t count;
    redis_done_f *_done;
    void *_owner;
    struct job _away;
};

struct redis_server {
    struct redis redis;
    struct list node;
    struct redises *redises;
    char *url;
    bool up, told; /* and its owner was told so */
    struct list subscriptions;
    const struct redis_events *_events;
    void *_owner;
    struct job _news;
};

struct subscription {
    struct list node;
    char *name;
    bool pattern, told;
};

struct redises {
    struct redis_opener opener;
    struct later *_later;
    struct list servers, calls;
    uint64_t made; /* commands so far */
    bool down;
};

void redises_create(struct redises *redises, struct later *later);

/* Answers a call by its number; false: it waits no longer. */
bool redises_answer(struct redises *redises, uint64_t number, const struct redis_answer *answer);

/* Loses all connections, or lets them be made again. */
void redises_set_down(struct redises *redises, bool down);

/* Publishes; how many subscriptions took it. */
uint32_t redises_publish(struct redises *redises, const char *channel, struct bytes payload);
