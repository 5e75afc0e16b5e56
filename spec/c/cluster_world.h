/* cluster_world: nodes of a cluster in one process, each with its own clock, on one real
 * redis-server: the real cluster and scripts. Between them stands a port whose network is
 * played here - delays, cuts, nodes that are stopped or die - in time that is virtual for the
 * server, too: where a script asks for TIME it reads a key instead.
 *
 * Who includes it says before what a node has beside its cluster, `struct own`, and behind what is to
 * be done with it. */
#pragma once

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <hiredis/hiredis.h>

#include "base/buf.h"
#include "base/dict.h"
#include "cluster/cluster.h"
#include "cluster/scripts.h"
#include "ports/later.h"
#include "unit.h"

enum { NODES = 3, STEP_US = 5000, WORDS_MAX = 1024 };

static const uint64_t SERVER_US =
    UINT64_C(1700000000000000); /* the server's clock at the beginning */

struct node;

/* A command on its way: waits to be run, then for its answer to arrive. */
struct redis_call {
    struct list link;
    redis_done_f *done;
    void *owner;
    struct buf words; /* one behind the other */
    size_t sizes[WORDS_MAX], count;
    uint64_t run_us, due_us;
    redisReply *reply;
    const char *code;
    bool cancelled;
};

struct message {
    struct list link;
    uint64_t due_us;
    bool subscribed; /* that the channel is, else what came on it */
    struct buf channel, payload;
};

struct peer {
    struct redis base;
    const struct redis_events *events;
    void *owner;
    struct node *node;
    struct list calls, messages;
    struct dict channels; /* that it has subscribed */
    uint64_t up_us;     /* when it will be up */
    uint64_t run_us, due_us, message_us;
    bool up, cut;
};

struct node {
    struct clock clock;
    struct random random;
    struct log log;
    struct redis_opener opener;
    struct peer *peer;
    struct cluster *cluster;
    struct own own; /* of the world that is built on this one */
    struct later later;
    uint64_t chance, offset_us, turn_us, awake_us;
    bool dead;
};

static struct node nodes[NODES];
static uint64_t world_us;
static uint64_t delay_us; /* of a message each way, at most */
static uint64_t dice;
static int process_of_server; /* its run_id */
static int64_t clock_set_us;  /* by how much the server's clock was set */
static int scripts_run, errors_logged;
static redisContext *commands, *mail;
static pid_t server_pid;
static char folder[] = "/tmp/sluice-cluster-XXXXXX";

/* What the test wants to know of each command that was run. */
static void (*on_run)(const struct redis_call *call);

/* Does a message on this channel get lost on its way to one node, without a word? */
static bool (*is_dropped)(struct bytes channel);

static struct bytes word_of(const struct redis_call *call, size_t index)
{
    size_t at = 0;
    for (size_t i = 0; i < index; i++) at += call->sizes[i];
    return bytes_run(call->words.data + at, call->sizes[index]);
}

/* ---- the server ---- */

static redisContext *connect_server(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/socket", folder);
    for (int i = 0; i < 1000; i++) {
        redisContext *context = redisConnectUnix(path);
        if (context && !context->err) return context;
        redisFree(context);
        poll(NULL, 0, 20); /* it is on its way */
    }
    fail_msg("redis-server does not come");
    return NULL;
}

static int begin_server(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    server_pid = fork();
    if (server_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (chdir(folder) != 0 || !freopen("log", "w", stdout)) _exit(1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", "socket", "--save",
               "", "--enable-debug-command", "yes", (char *)NULL);
        _exit(1);
    }
    commands = connect_server();
    mail = connect_server();
    freeReplyObject(redisCommand(mail, "PSUBSCRIBE sluice:*"));
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    char path[64];
    redisFree(commands);
    redisFree(mail);
    kill(server_pid, SIGKILL);
    waitpid(server_pid, NULL, 0);
    static const char *const files[] = {"socket", "log", "dump.rdb", ""};
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        remove(path);
    }
    return 0;
}

static redisReply *ask_server(const char *command)
{
    redisReply *reply = redisCommand(commands, command);
    assert_non_null(reply);
    return reply;
}

static void tell_server(const char *command)
{
    redisReply *reply = ask_server(command);
    if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s: %s", command, reply->str);
    freeReplyObject(reply);
}

/* ---- the network ---- */

static uint64_t some_delay_us(void)
{
    return delay_us ? draw_below(&dice, delay_us) : 0;
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void post_message(struct peer *peer, bool subscribed, struct bytes channel,
                         struct bytes payload)
{
    struct message *message = xcalloc(1, sizeof(*message));
    message->subscribed = subscribed;
    buf_add_bytes(&message->channel, channel);
    buf_add_bytes(&message->payload, payload);
    peer->message_us = message->due_us = later_of(peer->message_us, world_us + some_delay_us());
    list_append(&peer->messages, &message->link);
}

static struct bytes text_of(const redisReply *reply)
{
    return bytes_run(reply->str, (size_t)reply->len);
}

/* What scripts published has arrived before the answer to a ping. */
static void collect_mail(void)
{
    redisAppendCommand(mail, "PING");
    for (;;) {
        redisReply *reply = NULL;
        assert_int_equal(redisGetReply(mail, (void **)&reply), REDIS_OK);
        const bool message = reply->type == REDIS_REPLY_ARRAY && reply->elements == 4;
        for (int i = 0; message && i < NODES; i++) {
            struct peer *peer = nodes[i].peer;
            if (!peer || !peer->up || peer->cut) continue;
            if (!dict_get(&peer->channels, text_of(reply->element[2]))) continue;
            if (is_dropped && is_dropped(text_of(reply->element[2]))) continue;
            post_message(peer, false, text_of(reply->element[2]), text_of(reply->element[3]));
        }
        freeReplyObject(reply);
        if (!message) return;
    }
}

/* The script with the clock that is played. */
static void change_clock(struct bytes script, struct buf *out)
{
    static const char real[] = "redis.call(\"TIME\")",
                      played[] = "redis.call(\"LRANGE\", \"clock\", 0, 1)";
    const char *at = memmem(script.data, script.size, real, strlen(real));
    if (!at) {
        buf_add_bytes(out, script);
        return;
    }
    buf_add(out, script.data, (size_t)(at - script.data));
    buf_add_text(out, played);
    at += strlen(real);
    buf_add(out, at, (size_t)(script.data + script.size - at));
}

static redisReply *run_words(const struct redis_call *call)
{
    const char *words[WORDS_MAX];
    size_t sizes[WORDS_MAX];
    struct buf script = BUF_EMPTY;
    size_t at = 0;
    for (size_t i = 0; i < call->count; i++) {
        words[i] = call->words.data + at;
        sizes[i] = call->sizes[i];
        at += sizes[i];
    }
    const size_t text = bytes_is(word_of(call, 0), "SCRIPT") ? 2 : 1;
    if (text == 2 || bytes_is(word_of(call, 0), "EVAL")) {
        change_clock(word_of(call, text), &script);
        words[text] = script.data;
        sizes[text] = script.size;
    }
    const uint64_t us = SERVER_US + world_us + (uint64_t)clock_set_us;
    redisAppendCommand(commands, "DEL clock");
    redisAppendCommand(commands, "RPUSH clock %llu %llu", (unsigned long long)(us / 1000000),
                       (unsigned long long)(us % 1000000));
    redisAppendCommandArgv(commands, (int)call->count, words, sizes);
    redisReply *reply = NULL;
    for (int i = 0; i < 3; i++) {
        freeReplyObject(reply);
        assert_int_equal(redisGetReply(commands, (void **)&reply), REDIS_OK);
    }
    buf_destroy(&script);
    return reply;
}

static void run_call(struct peer *peer, struct redis_call *call)
{
    if (bytes_is(word_of(call, 0), "INFO")) {
        call->reply = redisCommand(commands, "ECHO run_id:%040d\r\n", process_of_server);
    } else {
        if (bytes_is(word_of(call, 0), "EVALSHA")) scripts_run++;
        call->reply = run_words(call);
        collect_mail();
    }
    peer->due_us = call->due_us = later_of(peer->due_us, world_us + some_delay_us());
    if (on_run) on_run(call);
}

static struct redis_value *value_of(const redisReply *reply, struct redis_value *value)
{
    *value = (struct redis_value){.kind = REDIS_NIL};
    if (reply->type == REDIS_REPLY_INTEGER) {
        value->kind = REDIS_NUMBER;
        value->number = reply->integer;
    } else if (reply->type == REDIS_REPLY_ARRAY) {
        struct redis_value *items = xcalloc(reply->elements + 1, sizeof(*items));
        for (size_t i = 0; i < reply->elements; i++) value_of(reply->element[i], &items[i]);
        value->kind = REDIS_LIST;
        value->items = items;
        value->count = reply->elements;
    } else if (reply->type != REDIS_REPLY_NIL) {
        value->kind = reply->type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_TEXT;
        value->text = text_of(reply);
    }
    return value;
}

static void free_value(const struct redis_value *value)
{
    for (size_t i = 0; i < value->count; i++) free_value(&value->items[i]);
    xfree((void *)(uintptr_t)value->items);
}

static void free_call(struct redis_call *call)
{
    list_remove(&call->link);
    buf_destroy(&call->words);
    freeReplyObject(call->reply);
    xfree(call);
}

static void answer_call(struct redis_call *call, const char *code)
{
    struct redis_value value = {.kind = REDIS_NIL};
    struct redis_answer answer = {.code = code, .sentence = code};
    if (!code && call->reply->type == REDIS_REPLY_ERROR) {
        answer.code = "error";
        answer.sentence = call->reply->str;
    } else if (!code) {
        answer.value = value_of(call->reply, &value);
    }
    list_remove(&call->link);
    if (!call->cancelled) call->done(call->owner, &answer);
    free_value(&value);
    free_call(call);
}

static void free_message(struct message *message)
{
    list_remove(&message->link);
    buf_destroy(&message->channel);
    buf_destroy(&message->payload);
    xfree(message);
}

static void drop_messages(struct peer *peer)
{
    while (!list_empty(&peer->messages))
        free_message(CONTAINER(peer->messages.next, struct message, link));
}

/* What was sent on a connection that is lost, and arrives all the same; nobody hears an answer. */
static struct list strays;

static void run_strays(void)
{
    LIST_EACH(link, &strays)
    {
        struct redis_call *call = CONTAINER(link, struct redis_call, link);
        if (call->run_us > world_us) continue;
        struct peer nobody = {.due_us = 0};
        run_call(&nobody, call);
        free_call(call);
    }
}

static void drop_strays(void)
{
    while (!list_empty(&strays)) free_call(CONTAINER(strays.next, struct redis_call, link));
}

static void go_astray(const struct redis_call *call, uint64_t run_us)
{
    struct redis_call *stray = xcalloc(1, sizeof(*stray));
    buf_add_bytes(&stray->words, buf_bytes(&call->words));
    memcpy(stray->sizes, call->sizes, sizeof(stray->sizes));
    stray->count = call->count;
    stray->run_us = run_us;
    list_append(&strays, &stray->link);
}

/* The connections are lost; the node hears of it when it is awake. What was sent may have been
 * done, or be done up to three seconds later. */
static void cut(struct node *node, uint64_t away_ms)
{
    struct peer *peer = node->peer;
    if (peer->up && !peer->cut) {
        uint64_t run_us = world_us + draw_below(&dice, 2) * draw_below(&dice, 3000000);
        LIST_EACH(link, &peer->calls)
        {
            struct redis_call *call = CONTAINER(link, struct redis_call, link);
            if (call->reply || call->code) continue;
            if (draw_below(&dice, 3) == 0) break;
            go_astray(call, run_us);
        }
        peer->cut = true;
    }
    peer->up_us = later_of(peer->up_us, world_us + away_ms * 1000);
}

static void hear_cut(struct peer *peer)
{
    struct list lost;
    list_create(&lost);
    list_move(&lost, &peer->calls);
    peer->up = peer->cut = false;
    dict_destroy(&peer->channels);
    drop_messages(peer);
    while (!list_empty(&lost)) answer_call(CONTAINER(lost.next, struct redis_call, link), "lost");
    peer->events->down(peer->owner, "it was cut");
}

/* ---- the port ---- */

static struct redis_call *peer_start(struct redis *redis, const struct bytes *words, size_t count,
                                     redis_done_f *done, void *owner)
{
    struct peer *peer = CONTAINER(redis, struct peer, base);
    struct redis_call *call = xcalloc(1, sizeof(*call));
    assert_true(count <= WORDS_MAX);
    call->done = done;
    call->owner = owner;
    call->count = count;
    for (size_t i = 0; i < count; i++) {
        buf_add_bytes(&call->words, words[i]);
        call->sizes[i] = words[i].size;
    }
    if (!peer->up) call->code = "away";
    peer->run_us = call->run_us = later_of(peer->run_us, world_us + some_delay_us());
    list_append(&peer->calls, &call->link);
    return call;
}

static void peer_cancel(struct redis *redis, struct redis_call *call)
{
    (void)redis;
    call->cancelled = true;
}

static void peer_subscribe(struct redis *redis, const struct bytes *channels, size_t count)
{
    struct peer *peer = CONTAINER(redis, struct peer, base);
    for (size_t i = 0; i < count; i++) {
        dict_set(&peer->channels, channels[i], peer);
        post_message(peer, true, channels[i], BYTES(""));
    }
}

static void peer_unsubscribe(struct redis *redis, const struct bytes *channels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dict_remove(&CONTAINER(redis, struct peer, base)->channels, channels[i]);
}

static void peer_subscribe_pattern(struct redis *redis, struct bytes pattern)
{
    (void)redis, (void)pattern;
}

static bool peer_is_up(const struct redis *redis)
{
    return CONTAINER(redis, struct peer, base)->up;
}

static void peer_restart(struct redis *redis, const char *why)
{
    (void)why;
    cut(CONTAINER(redis, struct peer, base)->node, 100);
}

static void peer_close(struct redis *redis)
{
    struct peer *peer = CONTAINER(redis, struct peer, base);
    while (!list_empty(&peer->calls))
        free_call(CONTAINER(peer->calls.next, struct redis_call, link));
    drop_messages(peer);
    dict_destroy(&peer->channels);
    peer->node->peer = NULL;
    xfree(peer);
}

static const struct redis_ops peer_ops = {
    peer_start, peer_cancel,  peer_subscribe, peer_unsubscribe, peer_subscribe_pattern,
    peer_is_up, peer_restart, peer_close};

static struct redis *open_peer(struct redis_opener *opener, struct bytes url,
                               const struct redis_events *events, void *owner, struct buf *error)
{
    (void)url, (void)error;
    struct node *node = CONTAINER(opener, struct node, opener);
    struct peer *peer = xcalloc(1, sizeof(*peer));
    peer->base.ops = &peer_ops;
    peer->events = events;
    peer->owner = owner;
    peer->node = node;
    list_create(&peer->calls);
    list_create(&peer->messages);
    node->peer = peer;
    return &peer->base;
}

/* ---- nodes ---- */

/* What is built on this world does: with the ports of a node that begins; when one ends, before its cluster goes; at the
 * beginning of a turn that is late; and what must hold at every moment. */
static void own_begin(struct node *node, const struct cluster_ports *ports);
static void own_end(struct node *node);
static void own_wake(struct node *node);
static void check_world(void);

/* A clock does not say whose it is. */
static uint64_t read_us_0(void)
{
    return world_us + nodes[0].offset_us;
}

static uint64_t read_us_1(void)
{
    return world_us + nodes[1].offset_us;
}

static uint64_t read_us_2(void)
{
    return world_us + nodes[2].offset_us;
}

static uint64_t (*const read_us[NODES])(void) = {read_us_0, read_us_1, read_us_2};

static uint64_t next_chance(struct random *random)
{
    return draw(&CONTAINER(random, struct node, random)->chance);
}

static void count_errors(struct log *log, enum log_level level, const char *message,
                         const struct log_field *fields, size_t count)
{
    (void)log, (void)message, (void)fields, (void)count;
    if (level == LOG_ERROR) errors_logged++;
}

static void take_turn(struct node *node, uint64_t us)
{
    node->clock.turn_us = us + node->offset_us;
    node->clock.now_ms = node->clock.turn_us / 1000;
    node->turn_us = us;
}

static void begin_node(struct node *node)
{
    const uint64_t seed = draw(&dice);
    *node = (struct node){.chance = seed, .offset_us = 1000000 + seed % 1000000007};
    node->random.next = next_chance;
    later_create(&node->later);
    node->log = (struct log){LOG_DEBUG, count_errors};
    node->opener.open = open_peer;
    node->clock.read_us = read_us[node - nodes];
    take_turn(node, world_us);
    wheel_create(&node->clock.wheel, node->clock.now_ms);
    const struct cluster_ports ports = {&node->clock, &node->random, &node->log, &node->opener};
    const char *url = "redis://there";
    struct buf error = BUF_EMPTY;
    node->cluster = cluster_new(&ports, &url, 1, BYTES("sluice"), &error);
    own_begin(node, &ports);
}

/* Without a word to anybody. */
static void kill_node(struct node *node)
{
    cut(node, 0);
    node->peer->up = false;
    own_end(node);
    cluster_free(node->cluster);
    assert_int_equal(node->clock.wheel.count, 0);
    node->dead = true;
}

static void hear(struct peer *peer)
{
    struct node *node = peer->node;
    if (peer->cut) hear_cut(peer);
    if (!peer->up && world_us >= peer->up_us) {
        peer->up = true;
        peer->events->up(peer->owner);
    }
    while (!list_empty(&peer->calls) && node->peer) {
        struct redis_call *call = CONTAINER(peer->calls.next, struct redis_call, link);
        if (!call->code && (!call->reply || call->due_us > world_us)) break;
        answer_call(call, call->code);
    }
    while (!list_empty(&peer->messages)) {
        struct message *message = CONTAINER(peer->messages.next, struct message, link);
        if (message->due_us > world_us) break;
        list_remove(&message->link);
        if (message->subscribed)
            peer->events->subscribed(peer->owner, buf_bytes(&message->channel));
        else
            peer->events->message(peer->owner, buf_bytes(&message->channel),
                                  buf_bytes(&message->payload));
        free_message(message);
    }
}

static void play_turn(struct node *node)
{
    if (node->dead || world_us < node->awake_us) return;
    const bool slept = world_us - node->turn_us > 1000000;
    take_turn(node, world_us);
    if (slept) own_wake(node);
    wheel_advance(&node->clock.wheel, node->clock.now_ms);
    hear(node->peer);
    while (later_round(&node->later)) continue;
    wheel_advance(&node->clock.wheel, node->clock.now_ms);
    while (later_round(&node->later)) continue;
}

static void serve(struct peer *peer)
{
    if (!peer || !peer->up || peer->cut) return;
    LIST_EACH(link, &peer->calls)
    {
        struct redis_call *call = CONTAINER(link, struct redis_call, link);
        if (call->reply || call->code) continue;
        if (call->run_us > world_us) return;
        run_call(peer, call);
    }
}

static void pass(uint64_t ms)
{
    for (const uint64_t until_us = world_us + ms * 1000; world_us < until_us;) {
        world_us += STEP_US;
        run_strays();
        for (int i = 0; i < NODES; i++) serve(nodes[i].peer);
        for (int i = 0; i < NODES; i++) play_turn(&nodes[i]);
        check_world();
    }
}


static void stop(struct node *node, uint64_t ms)
{
    node->awake_us = world_us + ms * 1000;
}

static int begin_nodes(void **state)
{
    (void)state;
    dice = 1;
    world_us = 0;
    delay_us = 0;
    clock_set_us = 0;
    process_of_server = 1;
    errors_logged = 0;
    on_run = NULL;
    is_dropped = NULL;
    list_create(&strays);
    tell_server("FLUSHALL");
    for (int i = 0; i < NODES; i++) begin_node(&nodes[i]);
    return 0;
}

static void end_nodes(void)
{
    for (int i = 0; i < NODES; i++)
        if (!nodes[i].dead) kill_node(&nodes[i]);
    drop_strays();
}
