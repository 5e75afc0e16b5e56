#include "rig/redis.h"

#include <fnmatch.h>
#include <string.h>

#include "base/alloc.h"

static void call_free(struct redis_call *call)
{
    list_remove(&call->node);
    later_cancel(&call->_away);
    for (size_t i = 0; i < call->count; i++) buf_destroy(&call->words[i]);
    xfree(call->words);
    xfree(call);
}

static void finish(struct redis_call *call, const struct redis_answer *answer)
{
    redis_done_f *done = call->_done;
    void *owner = call->_owner;
    call_free(call);
    done(owner, answer);
}

static void on_away(struct job *job)
{
    static const struct redis_answer away = {.code = "away", .sentence = "the server is away"};
    finish(CONTAINER(job, struct redis_call, _away), &away);
}

static struct redis_call *start(struct redis *redis, const struct bytes *words, size_t count,
                                redis_done_f *done, void *owner)
{
    struct redis_server *server = CONTAINER(redis, struct redis_server, redis);
    struct redises *redises = server->redises;
    struct redis_call *call = xcalloc(1, sizeof *call);
    call->server = server;
    call->_done = done;
    call->_owner = owner;
    job_create(&call->_away, on_away);
    if (server->up) {
        call->number = ++redises->made;
        call->words = xcalloc(count, sizeof(struct buf));
        call->count = count;
        for (size_t i = 0; i < count; i++) buf_add_bytes(&call->words[i], words[i]);
    } else {
        later_post(redises->_later, LATER_SOON, &call->_away);
    }
    list_append(&redises->calls, &call->node);
    return call;
}

static void cancel(struct redis *redis, struct redis_call *call)
{
    (void)redis;
    call_free(call);
}

/* ---- channels ---- */

static void subscription_free(struct subscription *subscription)
{
    list_remove(&subscription->node);
    xfree(subscription->name);
    xfree(subscription);
}

static void forget_subscriptions(struct redis_server *server)
{
    LIST_EACH(node, &server->subscriptions)
        subscription_free(CONTAINER(node, struct subscription, node));
}

static void add(struct redis *redis, struct bytes name, bool pattern)
{
    struct redis_server *server = CONTAINER(redis, struct redis_server, redis);
    struct subscription *subscription = xcalloc(1, sizeof *subscription);
    struct buf text = BUF_EMPTY;
    buf_add_bytes(&text, name);
    subscription->name = buf_take(&text);
    subscription->pattern = pattern;
    list_append(&server->subscriptions, &subscription->node);
    later_post(server->redises->_later, LATER_SOON, &server->_news);
}

static void subscribe(struct redis *redis, const struct bytes *channels, size_t count)
{
    for (size_t i = 0; i < count; i++) add(redis, channels[i], false);
}

static void subscribe_pattern(struct redis *redis, struct bytes pattern)
{
    add(redis, pattern, true);
}

static void unsubscribe(struct redis *redis, const struct bytes *channels, size_t count)
{
    struct redis_server *server = CONTAINER(redis, struct redis_server, redis);
    for (size_t i = 0; i < count; i++)
        LIST_EACH(node, &server->subscriptions) {
            struct subscription *subscription = CONTAINER(node, struct subscription, node);
            if (!subscription->pattern && bytes_is(channels[i], subscription->name))
                subscription_free(subscription);
        }
}

static bool takes(const struct subscription *subscription, const char *channel)
{
    if (!subscription->told) return false;
    return subscription->pattern ? fnmatch(subscription->name, channel, 0) == 0
                                 : strcmp(subscription->name, channel) == 0;
}

uint32_t redises_publish(struct redises *redises, const char *channel, struct bytes payload)
{
    uint32_t taken = 0;
    LIST_EACH(at, &redises->servers) {
        struct redis_server *server = CONTAINER(at, struct redis_server, node);
        LIST_EACH(node, &server->subscriptions) {
            if (!takes(CONTAINER(node, struct subscription, node), channel)) continue;
            server->_events->message(server->_owner, bytes_of(channel), payload);
            taken++;
        }
    }
    return taken;
}

/* ---- connections ---- */

static void tell_news(struct job *job)
{
    struct redis_server *server = CONTAINER(job, struct redis_server, _news);
    if (server->redises->down) return;
    server->up = true;
    if (!server->told) {
        server->told = true;
        server->_events->up(server->_owner);
    }
    LIST_EACH(node, &server->subscriptions) {
        struct subscription *subscription = CONTAINER(node, struct subscription, node);
        if (subscription->told) continue;
        subscription->told = true;
        server->_events->subscribed(server->_owner, bytes_of(subscription->name));
    }
}

static void lose(struct redis_server *server, const char *why)
{
    static const struct redis_answer lost = {.code = "lost", .sentence = "the connection was lost"};
    if (!server->up) return;
    server->up = false;
    LIST_EACH(node, &server->redises->calls) {
        struct redis_call *call = CONTAINER(node, struct redis_call, node);
        if (call->server == server && call->number) finish(call, &lost);
    }
    forget_subscriptions(server);
    if (!server->told) return;
    server->told = false;
    server->_events->down(server->_owner, why);
}

void redises_set_down(struct redises *redises, bool down)
{
    redises->down = down;
    LIST_EACH(node, &redises->servers) {
        struct redis_server *server = CONTAINER(node, struct redis_server, node);
        if (down)
            lose(server, "the spec said so");
        else
            later_post(redises->_later, LATER_SOON, &server->_news);
    }
}

static void restart(struct redis *redis, const char *why)
{
    struct redis_server *server = CONTAINER(redis, struct redis_server, redis);
    lose(server, why);
    later_post(server->redises->_later, LATER_SOON, &server->_news);
}

static bool is_up(const struct redis *redis)
{
    return CONTAINER(redis, struct redis_server, redis)->up;
}

static void close_server(struct redis *redis)
{
    struct redis_server *server = CONTAINER(redis, struct redis_server, redis);
    LIST_EACH(node, &server->redises->calls) {
        struct redis_call *call = CONTAINER(node, struct redis_call, node);
        if (call->server == server) call_free(call);
    }
    forget_subscriptions(server);
    later_cancel(&server->_news);
    list_remove(&server->node);
    xfree(server->url);
    xfree(server);
}

static const struct redis_ops ops = {.start = start,
                                     .cancel = cancel,
                                     .subscribe = subscribe,
                                     .unsubscribe = unsubscribe,
                                     .subscribe_pattern = subscribe_pattern,
                                     .is_up = is_up,
                                     .restart = restart,
                                     .close = close_server};

static struct redis *open_server(struct redis_opener *opener, struct bytes url,
                                 const struct redis_events *events, void *owner, struct buf *error)
{
    struct redises *redises = CONTAINER(opener, struct redises, opener);
    struct buf text = BUF_EMPTY;
    buf_add_bytes(&text, url);
    if (strstr(buf_text(&text), ":bad")) { /* what a spec needs of bad urls */
        buf_add_text(error, "a port is a number from 1 to 65535, and not \"bad\"");
        buf_destroy(&text);
        return NULL;
    }
    struct redis_server *server = xcalloc(1, sizeof *server);
    server->redis.ops = &ops;
    server->redises = redises;
    server->url = buf_take(&text);
    server->up = !redises->down; /* which its owner hears later */
    server->_events = events;
    server->_owner = owner;
    list_create(&server->subscriptions);
    job_create(&server->_news, tell_news);
    list_append(&redises->servers, &server->node);
    later_post(redises->_later, LATER_SOON, &server->_news);
    return &server->redis;
}

void redises_create(struct redises *redises, struct later *later)
{
    *redises = (struct redises){.opener = {.open = open_server}, ._later = later};
    list_create(&redises->servers);
    list_create(&redises->calls);
}

bool redises_answer(struct redises *redises, uint64_t number, const struct redis_answer *answer)
{
    LIST_EACH(node, &redises->calls) {
        struct redis_call *call = CONTAINER(node, struct redis_call, node);
        if (call->number != number) continue;
        finish(call, answer);
        return true;
    }
    return false;
}
