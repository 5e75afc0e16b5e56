/* What the connections bring is put into a queue, and told by a job: so whoever is told may do anything,
 * also end the server, and never stands within a read. What a command is answered without the server -
 * away, full, lost - goes through the same queue, so that the order is that of the header.
 *
 * is_up is what was told; whether something may be sent is the state. Between the two, commands are
 * answered "away". */
#include "peers/redis_server.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "peers/redis_calls.h"
#include "peers/redis_names.h"
#include "peers/redis_push.h"
#include "peers/redis_queue.h"
#include "peers/redis_retry.h"
#include "peers/redis_sentinel.h"

enum {
    TOLD_AT_ONCE = 256,
    MORE_MS = 5 /* until a socket that has more is looked at again */
};

enum state { WAITING, ASKING, CONNECTING, STANDING };
static const char *const state_names[] = {"waiting", "asking", "connecting", "up"};

struct server {
    struct redis redis;
    struct list node;
    struct loop *loop;
    const struct redis_peer_limits *limits;
    struct redis_url url;
    const struct redis_events *events;
    void *owner;
    enum state state;
    struct arenas arenas;
    struct redis_queue queue;
    struct redis_conn commands, channels;
    struct redis_names names; /* for the connection for channels */
    struct redis_sentinel sentinel;
    struct redis_calls calls;
    struct redis_owed owed; /* by the connection for channels */
    struct redis_retry row; /* of failures */
    struct timer retry, silence;
    struct job tell;
    bool told_up, telling, failing, closed;
    bool excused; /* the last look at the silence was late */
    char why[256];
    struct redis_peer_status counted;
};

static struct clock *clock_of(const struct server *server)
{
    return loop_clock(server->loop);
}

static uint64_t now_ms(const struct server *server)
{
    return clock_read_us(clock_of(server)) / 1000;
}

static struct redis_item *add(struct server *server, enum redis_item_kind kind,
                              struct arena *arena, size_t size)
{
    later_post(loop_later(server->loop), LATER_SOON, &server->tell);
    return redis_queue_add(&server->queue, kind, arena, size);
}

/* Who reads faster than it is told reads nothing for a while. */
static void hold(struct server *server)
{
    const bool much = server->queue.bytes > REDIS_PEER_UNTOLD_BYTES;
    redis_conn_hold(&server->commands, much);
    redis_conn_hold(&server->channels, much);
}

/* ---- calls ---- */

static void answer(struct server *server, struct redis_call *call, const char *code,
                   const char *sentence)
{
    struct redis_item *item = add(server, REDIS_ITEM_ANSWER, NULL, 0);
    item->call = call;
    item->answer =
        (struct redis_answer){.code = code, .sentence = redis_item_text(item, sentence)};
}

/* All that waits: what waited too long hears "timeout". */
static void answer_all(struct server *server, const char *code, const char *why)
{
    const uint64_t now = now_ms(server), limit = server->limits->timeout_ms;
    for (struct redis_call *call; (call = redis_calls_take(&server->calls));) {
        const bool overdue = !strcmp(code, "timeout") && call->since_ms + limit <= now;
        if (call->done)
            answer(server, call, overdue ? "timeout" : "lost", why);
        else
            xfree(call);
    }
}

/* ---- up and down ---- */

static void connect_to(struct server *server, const char *path, const char *host, uint16_t port)
{
    const struct redis_url *url = &server->url;
    const struct redis_place place = {
        .path = path,
        .host = host,
        .port = port,
        .user = url->user,
        .password = url->password,
        .database = url->database,
        .master = url->kind == REDIS_URL_SENTINEL,
    };
    server->state = CONNECTING;
    redis_conn_start(&server->commands, &place, server->limits->connect_timeout_ms);
    redis_conn_start(&server->channels, &place, server->limits->connect_timeout_ms);
}

static void try_it(struct server *server)
{
    const struct redis_url *url = &server->url;
    const struct redis_peer_limits *limits = server->limits;
    if (url->kind == REDIS_URL_SENTINEL) {
        server->state = ASKING;
        redis_sentinel_start(&server->sentinel, limits->connect_timeout_ms, limits->timeout_ms);
    } else {
        connect_to(server, url->path, url->hosts[0].name, url->hosts[0].port);
    }
}

static void on_retry(struct timer *timer)
{
    try_it(CONTAINER(timer, struct server, retry));
}

static void shut(struct server *server, void (*end)(struct redis_conn *))
{
    end(&server->commands);
    end(&server->channels);
    redis_names_forget(&server->names);
    redis_sentinel_stop(&server->sentinel);
    clock_cancel(clock_of(server), &server->silence);
    clock_cancel(clock_of(server), &server->retry);
}

/* What the other connection, which stands, has still brought. */
static void read_all(struct server *server)
{
    server->failing = true;
    redis_conn_look(&server->commands);
    redis_conn_look(&server->channels);
    server->failing = false;
}

/* The one way down, from wherever. What is answered with an error shall not be done minutes later. */
static void fail(struct server *server, const char *code, const char *why)
{
    if (server->failing) return;
    if (server->state == STANDING) read_all(server);
    snprintf(server->why, sizeof(server->why), "%s", why);
    const bool stood = server->state == STANDING;
    redis_retry_failed(&server->row, clock_of(server)->now_ms, stood, code,
                       loop_log(server->loop), server->url.shown, server->why);
    shut(server, redis_conn_drop);
    server->state = WAITING;
    if (!strcmp(code, "timeout")) server->counted.timeouts++;
    if (stood) {
        server->counted.losts++;
        answer_all(server, code, server->why);
        struct redis_item *item = add(server, REDIS_ITEM_DOWN, NULL, 0);
        item->answer.sentence = redis_item_text(item, server->why);
    } else {
        server->counted.failures++;
    }
    clock_after(clock_of(server), &server->retry,
                redis_retry_wait_ms(&server->row, loop_random(server->loop)));
}

static void stand(struct server *server)
{
    server->state = STANDING;
    server->owed = (struct redis_owed){0};
    server->excused = false;
    server->counted.ups++;
    redis_retry_stands(&server->row, clock_of(server)->now_ms, loop_log(server->loop),
                       server->url.shown);
    add(server, REDIS_ITEM_UP, NULL, 0);
}

static void on_found(struct redis_sentinel *sentinel, const char *why)
{
    struct server *server = CONTAINER(sentinel, struct server, sentinel);
    if (why)
        fail(server, "lost", why);
    else
        connect_to(server, NULL, sentinel->host, sentinel->port);
}

static void ready(struct server *server)
{
    if (server->commands.state == REDIS_CONN_READY && server->channels.state == REDIS_CONN_READY)
        stand(server);
}

/* ---- the connection for commands ---- */

static void on_command_ready(struct redis_conn *conn)
{
    ready(CONTAINER(conn, struct server, commands));
}

static void on_command_lost(struct redis_conn *conn, const char *code, const char *why)
{
    fail(CONTAINER(conn, struct server, commands), code, why);
}

static bool is_no_master(const struct server *server, const struct redis_value *value)
{
    return server->url.kind == REDIS_URL_SENTINEL && value->kind == REDIS_ERROR &&
           value->text.size >= 8 && memcmp(value->text.data, "READONLY", 8) == 0;
}

static void on_answer(struct redis_conn *conn, const struct redis_value *value, size_t size,
                      struct arena *arena)
{
    struct server *server = CONTAINER(conn, struct server, commands);
    struct redis_call *call = redis_calls_take(&server->calls);
    if (!call) {
        fail(server, "lost", "the server answered what nobody asked");
        return;
    }
    if (value->kind == REDIS_ERROR) server->counted.errors++;
    if (call->done) {
        struct redis_item *item = add(server, REDIS_ITEM_ANSWER, arena, size);
        item->call = call;
        if (value->kind == REDIS_ERROR)
            item->answer = (struct redis_answer){.code = "error", .sentence = value->text.data};
        else
            item->answer = (struct redis_answer){.value = value};
        hold(server);
    } else {
        xfree(call);
    }
    if (is_no_master(server, value)) fail(server, "lost", "the server is not the master any more");
}

/* ---- the connection for channels ---- */

static void on_channel_ready(struct redis_conn *conn)
{
    ready(CONTAINER(conn, struct server, channels));
}

static void on_channel_lost(struct redis_conn *conn, const char *code, const char *why)
{
    fail(CONTAINER(conn, struct server, channels), code, why);
}

static void on_push(struct redis_conn *conn, const struct redis_value *value, size_t size,
                    struct arena *arena)
{
    struct server *server = CONTAINER(conn, struct server, channels);
    struct bytes channel, payload;
    struct redis_item *item;
    switch (redis_push_read(value, &channel, &payload)) {
    case REDIS_PUSH_MESSAGE:
        item = add(server, REDIS_ITEM_MESSAGE, arena, size);
        item->channel = channel;
        item->payload = payload;
        server->counted.messages++;
        hold(server);
        break;
    case REDIS_PUSH_SUBSCRIBED:
        redis_owed_confirm(&server->owed);
        add(server, REDIS_ITEM_SUBSCRIBED, arena, size)->channel = channel;
        break;
    case REDIS_PUSH_UNSUBSCRIBED:
        redis_owed_confirm(&server->owed);
        break;
    case REDIS_PUSH_ERROR:
        fail(server, "refused", payload.data);
        break;
    case REDIS_PUSH_STRANGE:
        fail(server, "lost", "the server sent what is no message");
        break;
    }
}

/* ---- silence ---- */

/* Since when the oldest thing that was asked waits; UINT64_MAX: nothing does. */
static uint64_t waits_since_ms(struct server *server)
{
    const uint64_t call_ms = redis_calls_since_ms(&server->calls),
                   owed_ms = redis_owed_since_ms(&server->owed, clock_of(server)->now_ms);
    return call_ms < owed_ms ? call_ms : owed_ms;
}

static void watch_silence(struct server *server)
{
    if (timer_armed(&server->silence)) return; /* for something older */
    const uint64_t since_ms = waits_since_ms(server);
    if (since_ms == UINT64_MAX) return;
    wheel_arm(&clock_of(server)->wheel, &server->silence, since_ms + server->limits->timeout_ms);
}

static void on_silence(struct timer *timer)
{
    struct server *server = CONTAINER(timer, struct server, silence);
    const uint64_t limit = server->limits->timeout_ms, due_ms = timer->due_ms;
    const bool commands_read = redis_conn_look(&server->commands);
    const bool read = redis_conn_look(&server->channels) && commands_read;
    if (server->state != STANDING) return;
    const uint64_t since_ms = waits_since_ms(server), now = clock_of(server)->now_ms;
    const bool late = now - due_ms > REDIS_CONN_LATE_MS && !server->excused;
    if (since_ms == UINT64_MAX || since_ms + limit > now) {
        server->excused = false;
        watch_silence(server);
    } else if (!read) {
        clock_after(clock_of(server), timer, MORE_MS);
    } else if (late) {
        server->excused = true; /* it was we who slept */
        clock_after(clock_of(server), timer, limit / 2 + 1);
    } else {
        char why[64];
        snprintf(why, sizeof(why), "no answer within %.1f s", (double)limit / 1000);
        fail(server, "timeout", why);
    }
}

/* ---- telling ---- */

static void free_server(struct server *server)
{
    redis_queue_destroy(&server->queue);
    for (struct redis_call *call; (call = redis_calls_take(&server->calls));) xfree(call);
    arenas_destroy(&server->arenas);
    redis_url_destroy(&server->url);
    xfree(server);
}

static void tell(struct job *job)
{
    struct server *server = CONTAINER(job, struct server, tell);
    server->telling = true;
    for (int i = 0; i < TOLD_AT_ONCE && !server->closed; i++) {
        struct redis_item *item = redis_queue_take(&server->queue);
        if (!item) break;
        if (item->kind == REDIS_ITEM_UP) server->told_up = true;
        if (item->kind == REDIS_ITEM_DOWN) server->told_up = false;
        redis_item_tell(item, server->events, server->owner);
        redis_item_free(&server->queue, item);
    }
    server->telling = false;
    if (server->closed) {
        free_server(server);
        return;
    }
    hold(server);
    if (server->queue.count) later_post(loop_later(server->loop), LATER_SOON, job);
}

/* ---- the port ---- */

static struct server *of(const struct redis *redis)
{
    return CONTAINER(redis, struct server, redis);
}

static struct redis_call *start(struct redis *redis, const struct bytes *words, size_t count,
                                redis_done_f *done, void *owner)
{
    struct server *server = of(redis);
    const struct redis_peer_limits *limits = server->limits;
    const size_t size = redis_conn_command_size(words, count);
    struct redis_call *call = redis_call_new(done, owner, size, now_ms(server));
    if (!server->told_up || server->state != STANDING) {
        server->counted.refused++;
        answer(server, call, "away", "the Redis server is away");
    } else if (server->calls.count >= limits->calls || server->calls.bytes + size > limits->bytes) {
        server->counted.refused++;
        answer(server, call, "full", "too many commands wait for the Redis server");
    } else {
        redis_conn_send(&server->commands, words, count);
        redis_calls_add(&server->calls, call);
        server->counted.commands++;
        watch_silence(server);
    }
    return call;
}

/* Its answer comes, or is in the queue, and frees it. */
static void cancel(struct redis *redis, struct redis_call *call)
{
    (void)redis;
    call->done = NULL;
}

static void say(struct redis *redis, const char *word, const struct bytes *channels, size_t count)
{
    struct server *server = of(redis);
    if (!server->told_up || server->state != STANDING) return;
    for (size_t i = 0; i < count; i++) redis_names_add(&server->names, word, channels[i]);
    redis_owed_ask(&server->owed, count);
    watch_silence(server);
}

static void subscribe(struct redis *redis, const struct bytes *channels, size_t count)
{
    say(redis, "SUBSCRIBE", channels, count);
}

static void unsubscribe(struct redis *redis, const struct bytes *channels, size_t count)
{
    say(redis, "UNSUBSCRIBE", channels, count);
}

static void subscribe_pattern(struct redis *redis, struct bytes pattern)
{
    say(redis, "PSUBSCRIBE", &pattern, 1);
}

static bool is_up(const struct redis *redis)
{
    return of(redis)->told_up;
}

static void restart(struct redis *redis, const char *why)
{
    struct server *server = of(redis);
    if (server->state == STANDING) fail(server, "asked", why);
}

static void close_server(struct redis *redis)
{
    struct server *server = of(redis);
    shut(server, redis_conn_stop);
    later_cancel(&server->tell);
    list_remove(&server->node);
    server->closed = true;
    if (!server->telling) free_server(server);
}

static const struct redis_ops ops = {
    .start = start,
    .cancel = cancel,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
    .subscribe_pattern = subscribe_pattern,
    .is_up = is_up,
    .restart = restart,
    .close = close_server,
};

struct redis *redis_server_open(struct loop *loop, const struct redis_peer_limits *limits,
                                struct list *servers, struct bytes url,
                                const struct redis_events *events, void *owner, struct buf *error)
{
    static const struct redis_conn_events commands = {on_command_ready, on_answer, on_command_lost};
    static const struct redis_conn_events channels = {on_channel_ready, on_push, on_channel_lost};
    struct redis_url place;
    if (!redis_url_create(&place, url, error)) return NULL;
    struct server *server = xcalloc(1, sizeof(*server));
    server->redis.ops = &ops;
    server->loop = loop;
    server->limits = limits;
    server->url = place;
    server->events = events;
    server->owner = owner;
    list_create(&server->node);
    list_append(servers, &server->node);
    redis_calls_create(&server->calls);
    arenas_create(&server->arenas);
    redis_queue_create(&server->queue, &server->arenas);
    redis_conn_create(&server->commands, loop, &server->arenas, &commands);
    redis_conn_create(&server->channels, loop, &server->arenas, &channels);
    redis_names_create(&server->names, loop, &server->channels);
    redis_sentinel_create(&server->sentinel, loop, &server->arenas, &server->url, on_found);
    timer_init(&server->retry, on_retry);
    timer_init(&server->silence, on_silence);
    job_create(&server->tell, tell);
    if (!limits->idle) try_it(server);
    return &server->redis;
}

void redis_server_status(const struct list *node, struct redis_peer_status *status)
{
    const struct server *server = CONTAINER(node, struct server, node);
    *status = server->counted;
    status->redis = &server->redis;
    status->server = server->url.shown;
    status->why = server->why;
    status->state = state_names[server->state];
    status->calls = server->calls.count;
    status->bytes = server->calls.bytes;
    status->untold_bytes = server->queue.bytes;
}
