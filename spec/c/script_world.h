/* script_world: a node with one app and its VM, and everything around it in
 * memory: virtual time, clients that ask and read, a fetch port that holds each
 * request until the test answers it, upstream wires that bring what the test
 * sends. Rule files are texts of the test. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/line.h"
#include "engine/databases.h"
#include "engine/generation.h"
#include "engine/node.h"
#include "event/parser.h"
#include "script/vm.h"
#include "script/vm_hook.h"
#include "unit.h"

enum { WORLD_CLIENTS = 64, WORLD_FETCHES = 64, WORLD_WIRES = 16, WORLD_HEADERS = 16 };

/* Somebody who asked for something: an answer, or a stream of events. */
struct client {
    struct exchange exchange;
    struct sink sink;
    struct http_header headers[WORLD_HEADERS];
    char *line, *text, *body; /* what the request points into */
    int status;        /* 0: not answered yet */
    struct buf answer; /* "name: value" lines of the head, an empty line, the body */
    struct sse_parser parser;
    struct buf story; /* a line for each event: type, space, data */
    bool streaming, ended, dead;
};

struct fetch_call {
    fetch_done_f *done;
    void *owner;
    struct buf text; /* "POST url", "name: value" lines, an empty line, the body */
    bool open;
};

struct wire {
    const struct wire_events *events;
    void *owner;
    struct wire **slot;
    char *url;
    bool open;
};

struct world {
    struct clock clock;
    struct later later;
    struct random random;
    struct log log;
    struct order order;
    struct fetch fetch;
    struct transport transport;
    struct gate gate;
    struct databases databases; /* without an opener, until a test gives one */
    struct engine_ports ports;
    struct vm_options options;
    struct vm *vm;
    struct plan *plan;
    struct node *node;
    struct app *app;
    struct buf errors, lines;
    uint64_t chance;
    char folder[64];
    struct client clients[WORLD_CLIENTS];
    int client_count;
    struct fetch_call fetches[WORLD_FETCHES];
    int fetch_count;
    struct wire wires[WORLD_WIRES];
    int wire_count;
};

/* ---- ports ---- */

static inline uint64_t world_random(struct random *random)
{
    return draw(&CONTAINER(random, struct world, random)->chance);
}

static inline void world_log(struct log *log, enum log_level level, const char *message,
                             const struct log_field *fields, size_t count)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct world *world = CONTAINER(log, struct world, log);
    line_write(&world->lines, LINE_PAIRS, 0, levels[level], message, fields, count);
}

static inline struct fetch_call *world_fetch(struct fetch *fetch,
                                             const struct fetch_request *request,
                                             fetch_done_f *done, void *owner)
{
    struct world *world = CONTAINER(fetch, struct world, fetch);
    assert_true(world->fetch_count < WORLD_FETCHES);
    struct fetch_call *call = &world->fetches[world->fetch_count++];
    *call = (struct fetch_call){.done = done, .owner = owner, .open = true};
    buf_printf(&call->text, "%.*s %.*s\n", (int)request->method.size, request->method.data,
               (int)request->url.size, request->url.data);
    for (size_t i = 0; i < request->header_count; i++)
        buf_printf(&call->text, "%.*s: %.*s\n", (int)request->headers[i].name.size,
                   request->headers[i].name.data, (int)request->headers[i].value.size,
                   request->headers[i].value.data);
    buf_add_char(&call->text, '\n');
    buf_add_bytes(&call->text, request->body);
    return call;
}

static inline void world_fetch_cancel(struct fetch *fetch, struct fetch_call *call)
{
    (void)fetch;
    assert_true(call->open);
    call->open = false;
}

static inline void world_wire_open(struct transport *transport,
                                   const struct fetch_request *request,
                                   uint64_t connect_timeout_ms, const struct wire_events *events,
                                   void *owner, struct wire **slot)
{
    struct world *world = CONTAINER(transport, struct world, transport);
    (void)connect_timeout_ms;
    assert_true(world->wire_count < WORLD_WIRES);
    struct wire *wire = &world->wires[world->wire_count++];
    *wire = (struct wire){events, owner, slot, NULL, true};
    struct buf url = BUF_EMPTY;
    buf_add_bytes(&url, request->url);
    wire->url = buf_take(&url);
    *slot = wire;
}

static inline void world_wire_pause(struct transport *transport, struct wire *wire, bool paused)
{
    (void)transport, (void)wire, (void)paused;
}

static inline void world_wire_close(struct transport *transport, struct wire **slot)
{
    (void)transport;
    (*slot)->open = false;
    *slot = NULL;
}

static inline void settle(struct world *world)
{
    while (later_round(&world->later)) continue;
}

static inline void advance(struct world *world, uint64_t ms)
{
    uint64_t until = world->clock.now_ms + ms;
    settle(world);
    while (world->clock.now_ms < until) {
        uint64_t next = wheel_next(&world->clock.wheel);
        uint64_t step = (next < until ? next : until) - world->clock.now_ms;
        world->clock.now_ms += step;
        world->clock.wall_ms += step;
        wheel_advance(&world->clock.wheel, world->clock.now_ms);
        settle(world);
    }
}

/* ---- clients ---- */

static inline size_t client_write(struct sink *sink, const struct iovec *pieces, int count)
{
    struct client *client = CONTAINER(sink, struct client, sink);
    size_t taken = 0;
    for (int i = 0; i < count; i++) {
        sse_parser_feed(&client->parser, bytes_run(pieces[i].iov_base, pieces[i].iov_len));
        taken += pieces[i].iov_len;
    }
    return taken;
}

static inline void client_close(struct sink *sink, const char *why)
{
    (void)why;
    CONTAINER(sink, struct client, sink)->ended = true;
}

static const struct sink_ops CLIENT_SINK = {client_write, client_close};

static inline void client_event(void *owner, const struct sse_event *event)
{
    struct client *client = owner;
    buf_add_bytes(&client->story, event->type);
    buf_add_char(&client->story, ' ');
    buf_add_bytes(&client->story, event->data);
    buf_add_char(&client->story, '\n');
}

static inline void client_retry(void *owner, uint64_t retry_ms)
{
    (void)owner, (void)retry_ms;
}

static const struct sse_parser_events CLIENT_EVENTS = {client_event, client_retry};

static inline void client_respond(struct exchange *exchange, const struct http_response *response)
{
    struct client *client = CONTAINER(exchange, struct client, exchange);
    assert_int_equal(client->status, 0);
    client->status = response->status;
    client->dead = true;
    for (size_t i = 0; i < response->header_count; i++)
        buf_printf(&client->answer, "%.*s: %.*s\n", (int)response->headers[i].name.size,
                   response->headers[i].name.data, (int)response->headers[i].value.size,
                   response->headers[i].value.data);
    buf_add_char(&client->answer, '\n');
    buf_add_bytes(&client->answer, response->body);
}

static inline struct sink *client_stream(struct exchange *exchange, int status,
                                         const struct http_header *headers, size_t header_count)
{
    struct client *client = CONTAINER(exchange, struct client, exchange);
    (void)headers, (void)header_count;
    client->status = status;
    client->streaming = client->dead = true;
    client->sink.ops = &CLIENT_SINK;
    return &client->sink;
}

static const struct exchange_ops CLIENT_OPS = {client_respond, client_stream};

static inline void client_read_headers(struct client *client, const char *headers)
{
    client->text = xstrdup(headers ? headers : "");
    for (char *line = strtok(client->text, "\n"); line; line = strtok(NULL, "\n")) {
        char *colon = strchr(line, ':');
        client->headers[client->exchange.request.header_count++] = (struct http_header){
            bytes_run(line, (size_t)(colon - line)), bytes_of(colon + 2)};
    }
}

/* Asks, "POST /path?query", with "name: value" lines, and lets the turn end. */
static inline struct client *ask(struct world *world, const char *line, const char *headers,
                                 const char *body)
{
    assert_true(world->client_count < WORLD_CLIENTS);
    struct client *client = &world->clients[world->client_count++];
    *client = (struct client){.exchange.ops = &CLIENT_OPS, .line = xstrdup(line)};
    line = client->line;
    const char *path = strchr(line, ' ') + 1, *query = strchr(path, '?');
    const char *path_end = query ? query : path + strlen(path);
    client->body = xstrdup(body ? body : "");
    sse_parser_create(&client->parser, 1 << 22, &CLIENT_EVENTS, client);
    client->exchange.request = (struct http_request){
        .method = bytes_run(line, (size_t)(path - 1 - line)),
        .path = bytes_run(path, (size_t)(path_end - path)),
        .query = query ? bytes_of(query + 1) : BYTES(""),
        .body = bytes_of(client->body),
        .headers = client->headers,
        .address = BYTES("127.0.0.1"),
        .listener = BYTES("127.0.0.1:8080"),
    };
    client_read_headers(client, headers);
    struct http_handler *handler = node_handler(world->node);
    handler->handle(handler, &client->exchange);
    settle(world);
    return client;
}

static inline const char *answer_of(struct client *client)
{
    return buf_text(&client->answer);
}

/* What it has read since the last time, and forgets. */
static inline const char *story_of(struct client *client)
{
    static char text[4096];
    snprintf(text, sizeof text, "%s", buf_text(&client->story));
    buf_clear(&client->story);
    return text;
}

/* It goes away. */
static inline void leave(struct world *world, struct client *client)
{
    if (client->streaming && !client->ended)
        client->sink.events->gone(client->sink.owner, "closed");
    else if (!client->dead && client->exchange.gone)
        client->exchange.gone(client->exchange.owner);
    client->ended = client->dead = true;
    settle(world);
}

/* ---- the outside ---- */

/* The oldest request that waits; its text must begin with `begin`. */
static inline struct fetch_call *fetch_of(struct world *world, const char *begin)
{
    for (int i = 0; i < world->fetch_count; i++) {
        struct fetch_call *call = &world->fetches[i];
        if (!call->open) continue;
        if (strncmp(buf_text(&call->text), begin, strlen(begin)) != 0)
            fail_msg("waits: [%s], not [%s]", buf_text(&call->text), begin);
        return call;
    }
    fail_msg("no request waits, wanted [%s]", begin);
    return NULL;
}

static inline int fetches_open(const struct world *world)
{
    int open = 0;
    for (int i = 0; i < world->fetch_count; i++) open += world->fetches[i].open;
    return open;
}

static inline void reply(struct world *world, struct fetch_call *call, int status,
                         const char *body)
{
    const struct http_header type = {BYTES("content-type"), BYTES("application/json")};
    const struct fetch_answer answer = {
        .status = status, .headers = &type, .header_count = 1, .body = bytes_of(body)};
    call->open = false;
    call->done(call->owner, &answer);
    settle(world);
}

static inline void no_reply(struct world *world, struct fetch_call *call, const char *code)
{
    const struct fetch_answer answer = {.code = code, .sentence = "nobody listens there"};
    call->open = false;
    call->done(call->owner, &answer);
    settle(world);
}

static inline void wire_accept(struct world *world, struct wire *wire)
{
    const struct wire_head head = {200, BYTES("text/event-stream"), -1};
    wire->events->head(wire->owner, &head);
    settle(world);
}

static inline void wire_send(struct world *world, struct wire *wire, const char *type,
                             const char *data)
{
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "event: %s\ndata: %s\n\n", type, data);
    wire->events->bytes(wire->owner, buf_bytes(&text));
    buf_destroy(&text);
    settle(world);
}

/* ---- life ---- */

static inline struct world *world_new(void)
{
    struct world *world = xcalloc(1, sizeof *world);
    world->clock.now_ms = 1000000;
    world->clock.wall_ms = 1800000000000;
    wheel_create(&world->clock.wheel, world->clock.now_ms);
    later_create(&world->later);
    world->random.next = world_random;
    world->log = (struct log){LOG_DEBUG, world_log};
    order_create(&world->order);
    cursor_epoch_create(&world->order.epoch, 7, (struct hash_key){1, 2}, (struct hash_key){3, 4});
    world->fetch = (struct fetch){world_fetch, world_fetch_cancel};
    world->transport = (struct transport){world_wire_open, world_wire_pause, world_wire_close};
    gate_create(&world->gate, &world->clock, 1000, 1000);
    databases_create(&world->databases, NULL, &world->log);
    world->ports = (struct engine_ports){.clock = &world->clock,
                                         .later = &world->later,
                                         .random = &world->random,
                                         .log = &world->log,
                                         .transport = &world->transport,
                                         .fetch = &world->fetch,
                                         .gate = &world->gate,
                                         .order = &world->order,
                                         .databases = &world->databases};
    world->options = (struct vm_options){.ports = &world->ports,
                                         .scripts_dir = "scripts",
                                         .memory_bytes = 32 << 20,
                                         .slice_ms = 100,
                                         .deadline_ms = 5000,
                                         .tasks_max = 1000,
                                         .background_max = 100};
    strcpy(world->folder, "/tmp/sluice-unit-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    return world;
}

static inline void world_write(struct world *world, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", world->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline bool world_try(struct world *world, const char *rules)
{
    char path[128];
    snprintf(path, sizeof path, "%s/rules.lua", world->folder);
    world_write(world, "rules.lua", rules);
    world->vm = vm_new(&world->options);
    world->plan = vm_load(world->vm, path, &world->errors);
    return world->plan != NULL;
}

static inline void world_make_node(struct world *world)
{
    static const struct engine_limits limits = {
        .streams = 100,
        .links = 100,
        .hub = {.forgotten_topics = 100, .topics = 1000, .windows = 100},
        .audience_permits = 1000,
        .store_entries = 1000,
        .presence_entries = 100,
        .store_bytes = 1 << 20};
    world->node = node_new(&world->ports, &limits, NULL);
}

/* Its app runs these rules. */
static inline void world_begin(struct world *world, const char *rules)
{
    if (!world_try(world, rules)) fail_msg("%s", buf_text(&world->errors));
    world_make_node(world);
    struct generation *generation =
        generation_new(world->plan, vm_hooks(world->vm), &world->later, NULL, NULL);
    world->app = node_add_app(world->node, generation, &world->errors);
    if (!world->app) fail_msg("%s", buf_text(&world->errors));
    vm_bind(world->vm, world->app);
    settle(world);
}

static inline struct world *world_of(const char *rules)
{
    struct world *world = world_new();
    world_begin(world, rules);
    return world;
}

static inline void client_forget(struct client *client)
{
    sse_parser_destroy(&client->parser);
    buf_destroy(&client->answer);
    buf_destroy(&client->story);
    xfree(client->line);
    xfree(client->text);
    xfree(client->body);
}

/* Everybody leaves; nothing may stay behind. Its VM and plan may be others' (then NULL here), which go
 * with the node. */
static inline void world_free(struct world *world)
{
    char command[128];
    for (int i = 0; i < world->client_count; i++) leave(world, &world->clients[i]);
    if (world->node) {
        node_drain(world->node, 0);
        settle(world);
        assert_true(node_idle(world->node));
    }
    advance(world, 0);
    if (world->vm) vm_free(world->vm);
    settle(world);
    if (world->node) node_free(world->node);
    settle(world);
    if (world->plan) plan_free(world->plan);
    for (int i = 0; i < world->client_count; i++) client_forget(&world->clients[i]);
    assert_int_equal(fetches_open(world), 0);
    for (int i = 0; i < world->fetch_count; i++) buf_destroy(&world->fetches[i].text);
    for (int i = 0; i < world->wire_count; i++) {
        assert_false(world->wires[i].open);
        xfree(world->wires[i].url);
    }
    gate_destroy(&world->gate);
    databases_destroy(&world->databases);
    buf_destroy(&world->errors);
    buf_destroy(&world->lines);
    assert_int_equal(world->clock.wheel.count, 0);
    snprintf(command, sizeof command, "rm -r %s", world->folder);
    assert_int_equal(system(command), 0);
    xfree(world);
    assert_int_equal(atom_live(), 0);
    assert_int_equal(alloc_live(), 0);
}

static inline void assert_has(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part)) return;
    print_error("[%s]\nlacks [%s]\n", text, part);
    _fail(file, line);
}

#define assert_contains(text, part) assert_has((text), (part), __FILE__, __LINE__)
#define assert_logged(world, part) assert_contains(buf_text(&(world)->lines), (part))
