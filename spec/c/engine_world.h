/* engine_world: a node with one app and everything around it in memory: rules
 * that answer as the test says, at once or later; upstreams that the test plays;
 * clients; virtual time. At the end nothing may be left.
 *
 * Rules look at all that they were lent whenever they answer or are cancelled: what
 * is gone too early is found by the address sanitizer. */
#pragma once

#include "engine/app.h"
#include "engine/attach.h"
#include "engine/feeds.h"
#include "engine/generation.h"
#include "engine/node.h"
#include "engine/seat.h"
#include "engine_client.h"
#include "engine_plan.h"
#include "event/frame.h"

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_UNKNOWN, ANSWER_WAIT };

/* A call that waits. */
struct running {
    struct list node;
    struct hook_call call;
    hook_done_f *done;
    void *owner;
};

/* An upstream's answer. */
struct wire {
    struct list node;
    struct buf request; /* "url name=value" */
    const struct wire_events *events;
    void *owner;
    struct wire **slot;
    bool answered, paused;
};

struct world {
    struct clock clock;
    struct later later;
    struct random random;
    struct log log;
    struct order order;
    struct gate gate;
    struct transport transport;
    struct files files;
    struct hooks hooks;
    struct engine_ports ports;
    struct node *node;
    struct app *app;
    struct plan *plan, **others; /* others: of a second app, or of reloads */
    size_t other_count;
    struct plan_topic *mine, *open, *news, *secret;
    struct plan_upstream *inbox;
    struct plan_stream *events;
    struct plan_route *post;
    struct list clients, waiting, wires;
    enum answer answers[HOOK_KINDS];
    void (*on_call)(struct world *world, const struct hook_call *call); /* what the rule does */
    const char *names; /* that `topics` gives, space-separated; NULL: the user's own */
    uint64_t expires_wall_ms; /* that `authenticate` gives */
    const struct http_response *response; /* that routes give; NULL: 200 "done" */
    struct buf said;   /* the calls, a word each */
    struct buf faults; /* log lines of level error, and warnings */
    bool wires_open;   /* at once, within open */
    int cancelled;
    uint64_t chance;
};

static const char *const CALL_NAMES[HOOK_KINDS] = {
    [HOOK_AUTHENTICATE] = "authenticate",
    [HOOK_TOPICS] = "topics",
    [HOOK_SUBSCRIBE] = "subscribe",
    [HOOK_FILTER] = "filter",
    [HOOK_AUDIENCE_KEY] = "audience_key",
    [HOOK_AUDIENCE] = "audience",
    [HOOK_SNAPSHOT] = "snapshot",
    [HOOK_KEY] = "key",
    [HOOK_REQUEST] = "request",
    [HOOK_EVENT] = "event",
    [HOOK_AUTHORIZE] = "authorize",
    [HOOK_PUBLISH] = "publish",
    [HOOK_ROUTE] = "route",
    [HOOK_EVERY] = "every",
    [HOOK_CONNECT] = "connect",
    [HOOK_DISCONNECT] = "disconnect",
    [HOOK_PRESENCE] = "presence",
};

/* What was called since the last look. */
#define assert_said(world, words)                                                                  \
    (assert_text(buf_bytes(&(world)->said), words), buf_clear(&(world)->said))

/* ---- rules ---- */

static void say(struct world *world, const struct hook_call *call)
{
    if (world->said.size) buf_add_char(&world->said, ' ');
    buf_add_text(&world->said, CALL_NAMES[call->kind]);
    if (call->kind == HOOK_EVENT)
        buf_printf(&world->said, ":%.*s:%.*s", (int)call->event->type.size, call->event->type.data,
                   (int)call->event->data.size, call->event->data.data);
    if (call->kind == HOOK_SUBSCRIBE)
        buf_printf(&world->said, ":%.*s", (int)call->name.size, call->name.data);
    if (call->kind == HOOK_FILTER)
        buf_printf(&world->said, ":%.*s", (int)frame_data(call->frame).size,
                   frame_data(call->frame).data);
    if (call->kind == HOOK_DISCONNECT) buf_printf(&world->said, ":%s", call->reason);
    if (call->kind == HOOK_PRESENCE)
        buf_printf(&world->said, ":%.*s:%s", (int)call->key.size, call->key.data, call->reason);
}

/* Reads everything that the call lends. */
static uint64_t touch(const struct hook_call *call)
{
    uint64_t sum = call->name.size + call->key.size;
    for (size_t i = 0; i < call->name.size; i++) sum += (unsigned char)call->name.data[i];
    for (size_t i = 0; i < call->key.size; i++) sum += (unsigned char)call->key.data[i];
    if (call->request) sum += (unsigned char)call->request->path.data[0];
    if (call->request && call->request->header_count)
        sum += (unsigned char)call->request->headers[0].value.data[0];
    if (call->seat && seat_identity(call->seat)->user) sum += seat_identity(call->seat)->user->size;
    if (call->who && call->who->user) sum += call->who->user->size;
    if (call->tag) sum += call->tag->size;
    if (call->data) sum += call->data->size;
    if (call->frame) sum += call->frame->size;
    for (size_t i = 0; call->params && i < call->params->count; i++)
        sum += (unsigned char)call->params->values[i].data[0];
    if (call->event)
        for (size_t i = 0; i < call->event->data.size; i++)
            sum += (unsigned char)call->event->data.data[i];
    return sum;
}

static size_t split(const char *text, struct bytes *parts, size_t most)
{
    size_t count = 0;
    while (*text && count < most) {
        size_t size = strcspn(text, " ");
        parts[count++] = bytes_run(text, size);
        text += size + (text[size] != '\0');
    }
    return count;
}

static struct atom *header_atom(const struct hook_call *call, const char *name)
{
    struct bytes value = http_header_get(call->request, name);
    return value.data ? atom_get(value) : NULL;
}

static void answer(struct world *world, const struct hook_call *call, enum outcome outcome,
                   hook_done_f *done, void *owner)
{
    struct hook_result result = {.outcome = outcome};
    struct bytes names[16];
    struct buf text = BUF_EMPTY;
    static const struct http_header kept = {BYTES("x-rule"), BYTES("said")};
    assert_true(touch(call) != UINT64_MAX);
    if (outcome == OUTCOME_YES && call->kind == HOOK_AUTHENTICATE)
        result.who = (struct identity){header_atom(call, "x-user"), header_atom(call, "x-data"),
                                       world->expires_wall_ms};
    if (call->kind == HOOK_TOPICS && world->names)
        result.name_count = split(world->names, names, COUNT(names));
    if (call->kind == HOOK_TOPICS && !world->names) {
        buf_printf(&text, "user:%s", seat_identity(call->seat)->user->text);
        names[result.name_count++] = buf_bytes(&text);
    }
    result.names = names;
    if (call->kind == HOOK_KEY) buf_add_bytes(&text, atom_bytes(seat_identity(call->seat)->user));
    if (call->kind == HOOK_REQUEST)
        buf_printf(&text, "http://up/%.*s?%s", (int)call->key.size, call->key.data,
                   call->data ? call->data->text : "");
    if (call->kind == HOOK_ROUTE && world->response) result.response = *world->response;
    if (call->kind == HOOK_ROUTE && !world->response)
        result.response = (struct http_response){
            .status = 200, .headers = &kept, .header_count = 1, .body = BYTES("done")};
    result.text = buf_bytes(&text);
    struct identity who = result.who;
    done(owner, &result);
    atom_unref(who.user);
    atom_unref(who.data);
    buf_destroy(&text);
}

static struct running *world_call(struct hooks *hooks, const struct hook_call *call,
                                  hook_done_f *done, void *owner)
{
    struct world *world = CONTAINER(hooks, struct world, hooks);
    assert_true(call->hook != 0);
    say(world, call);
    if (world->on_call) world->on_call(world, call);
    if (world->answers[call->kind] == ANSWER_WAIT) {
        struct running *running = xcalloc(1, sizeof(*running));
        *running = (struct running){.call = *call, .done = done, .owner = owner};
        list_append(&world->waiting, &running->node);
        return running;
    }
    answer(world, call, (enum outcome)world->answers[call->kind], done, owner);
    return NULL;
}

static void world_cancel(struct hooks *hooks, struct running *running, bool late)
{
    (void)late;
    struct world *world = CONTAINER(hooks, struct world, hooks);
    assert_true(touch(&running->call) != UINT64_MAX);
    world->cancelled++;
    list_remove(&running->node);
    xfree(running);
}

static inline void settle(struct world *world)
{
    while (later_round(&world->later)) continue;
}

/* Answers the oldest that waits, which must be of this kind. */
static inline void world_answer(struct world *world, enum hook_kind kind, enum outcome outcome)
{
    assert_false(list_empty(&world->waiting));
    struct running *running = CONTAINER(world->waiting.next, struct running, node);
    assert_int_equal(running->call.kind, kind);
    struct running copy = *running;
    list_remove(&running->node);
    xfree(running);
    answer(world, &copy.call, outcome, copy.done, copy.owner);
    settle(world);
}

static inline uint32_t waiting(const struct world *world)
{
    uint32_t count = 0;
    LIST_EACH(node, &world->waiting) count++;
    return count;
}

/* ---- upstreams ---- */

static void wire_free(struct wire *wire)
{
    *wire->slot = NULL;
    list_remove(&wire->node);
    buf_destroy(&wire->request);
    xfree(wire);
}

/* The newest wire that is there; a test with several names them. */
static inline struct wire *newest_wire(struct world *world)
{
    assert_false(list_empty(&world->wires));
    return CONTAINER(world->wires.prev, struct wire, node);
}

static inline void wire_answers(struct wire *wire, int status)
{
    const struct wire_head head = {status, BYTES("text/event-stream"), -1};
    wire->answered = true;
    wire->events->head(wire->owner, &head);
}

static void wire_open(struct transport *transport, const struct fetch_request *request,
                      uint64_t connect_timeout_ms, const struct wire_events *events, void *owner,
                      struct wire **slot)
{
    struct world *world = CONTAINER(transport, struct world, transport);
    struct wire *wire = xcalloc(1, sizeof(*wire));
    (void)connect_timeout_ms;
    *wire = (struct wire){.events = events, .owner = owner, .slot = slot};
    buf_add_bytes(&wire->request, request->url);
    for (size_t i = 0; i < request->header_count; i++)
        buf_printf(&wire->request, " %.*s=%.*s", (int)request->headers[i].name.size,
                   request->headers[i].name.data, (int)request->headers[i].value.size,
                   request->headers[i].value.data);
    list_append(&world->wires, &wire->node);
    *slot = wire;
    if (world->wires_open) wire_answers(wire, 200);
}

static void wire_pause(struct transport *transport, struct wire *wire, bool paused)
{
    (void)transport;
    wire->paused = paused;
}

static void wire_close(struct transport *transport, struct wire **slot)
{
    (void)transport;
    if (*slot) wire_free(*slot);
}

/* Events as they stand in the stream; several in one piece come in one call. */
static inline void wire_sends(struct world *world, struct wire *wire, const char *bytes)
{
    wire->events->bytes(wire->owner, bytes_of(bytes));
    settle(world);
}

static inline void wire_ends(struct world *world, struct wire *wire)
{
    const struct wire_events *events = wire->events;
    void *owner = wire->owner;
    wire_free(wire);
    events->end(owner, "network", "cut");
    settle(world);
}

/* ---- time, chance, the log ---- */

static uint64_t world_random(struct random *random)
{
    return draw(&CONTAINER(random, struct world, random)->chance);
}

static void world_log(struct log *log, enum log_level level, const char *message,
                      const struct log_field *fields, size_t count)
{
    struct world *world = CONTAINER(log, struct world, log);
    (void)fields, (void)count;
    if (level == LOG_ERROR) buf_printf(&world->faults, "%s\n", message);
}

static inline void advance(struct world *world, uint64_t ms)
{
    uint64_t until = world->clock.now_ms + ms;
    settle(world);
    while (world->clock.now_ms < until) {
        uint64_t next = wheel_next(&world->clock.wheel);
        if (next > until) next = until;
        world->clock.wall_ms += next - world->clock.now_ms;
        world->clock.now_ms = next;
        wheel_advance(&world->clock.wheel, next);
        settle(world);
    }
}

/* ---- the plan ---- */

/* What most tests need. */
static inline void make_plan(struct world *world)
{
    struct plan *plan = world->plan = plan_new(BYTES("app"));
    world->mine = make_topic(plan, "user:{user}");
    world->news = make_topic(plan, "news");
    world->open = make_topic(plan, "open:{room}");
    world->open->subscribe = HOOK_SUBSCRIBE + 1;
    world->secret = make_topic(plan, "secret:{room}");
    world->secret->filter = HOOK_FILTER + 1;
    world->secret->options.filtered = true;
    world->inbox = make_upstream(plan, "inbox", world->mine);
    world->events = make_stream(plan, "events", "/events");
    world->events->at.identity = HOOK_AUTHENTICATE + 1;
    world->events->topics = HOOK_TOPICS + 1;
    make_upstreams(world->events, world->inbox);
    world->post = make_route(plan, "post", "POST", "/rooms/{room}");
    world->post->at.identity = HOOK_AUTHENTICATE + 1;
}

/* ---- life ---- */

static void world_serve(struct files *files, const char *directory, struct bytes path,
                        const char *cache_control, struct exchange *exchange)
{
    struct buf body = BUF_EMPTY;
    (void)files, (void)cache_control;
    buf_printf(&body, "%s|%.*s", directory, (int)path.size, path.data);
    const struct http_response response = {.status = 200, .body = buf_bytes(&body)};
    exchange->ops->respond(exchange, &response);
    buf_destroy(&body);
}

static const struct engine_limits LIMITS = {
    .streams = 50,
    .links = 20,
    .hub = {.forgotten_topics = 100, .topics = 100, .windows = 100},
    .audience_permits = 1000,
    .store_entries = 100,
    .store_bytes = 10000,
    .presence_entries = 4,
    .explain = {.triggers = 20, .decisions = 50}};

static inline struct world *world_new(void)
{
    struct world *world = xcalloc(1, sizeof(*world));
    world->clock = (struct clock){.now_ms = 1000, .wall_ms = 1000000};
    wheel_create(&world->clock.wheel, world->clock.now_ms);
    later_create(&world->later);
    world->random.next = world_random;
    world->log = (struct log){LOG_DEBUG, world_log};
    cursor_epoch_create(&world->order.epoch, 7, (struct hash_key){1, 2}, (struct hash_key){3, 4});
    order_create(&world->order);
    gate_create(&world->gate, &world->clock, 1000, 100);
    world->transport = (struct transport){wire_open, wire_pause, wire_close};
    world->files.serve = world_serve;
    world->hooks = (struct hooks){.call = world_call, .cancel = world_cancel};
    list_create(&world->clients);
    list_create(&world->waiting);
    list_create(&world->wires);
    make_plan(world);
    world->ports = (struct engine_ports){.clock = &world->clock,
                                         .later = &world->later,
                                         .random = &world->random,
                                         .log = &world->log,
                                         .transport = &world->transport,
                                         .gate = &world->gate,
                                         .order = &world->order};
    return world;
}

/* A plan besides the first; the world's to free. */
static inline struct plan *another_plan(struct world *world, struct bytes app)
{
    world->others = xrealloc(world->others, (world->other_count + 1) * sizeof(struct plan *));
    return world->others[world->other_count++] = plan_new(app);
}

/* An app of this plan, or NULL and why not. */
static inline struct app *add_app(struct world *world, struct plan *plan, struct buf *errors)
{
    struct generation *generation =
        generation_new(plan, &world->hooks, &world->later, NULL, NULL);
    struct app *app = node_add_app(world->node, generation, errors);
    if (!app) generation_unref(generation);
    return app;
}

/* The plan stands; the node begins. */
static inline void world_start(struct world *world, const struct engine_limits *limits)
{
    struct buf errors = BUF_EMPTY;
    world->node = node_new(&world->ports, limits ? limits : &LIMITS, &world->files);
    world->app = add_app(world, world->plan, &errors);
    assert_non_null(world->app);
    buf_destroy(&errors);
}

static inline struct client *request(struct world *world, const char *method, const char *path,
                                     const char *query, const char *headers)
{
    struct client *client = client_new(node_handler(world->node), method, path, query, headers);
    list_append(&world->clients, &client->node);
    settle(world);
    return client;
}

/* A tab of this user on /events. */
static inline struct client *connect_tab(struct world *world, const char *user)
{
    char headers[100];
    snprintf(headers, sizeof(headers), "x-user: %s", user);
    return request(world, "GET", "/events", NULL, headers);
}

static inline void emit(struct world *world, const char *name, const char *data)
{
    const struct app_emit item = {.name = bytes_of(name),
                                  .emit = {.type = BYTES("t"), .data = bytes_of(data)}};
    app_emit(world->app, &item, 1);
    settle(world);
}

struct lease_count {
    uint32_t leases, links;
};

static void count_leases(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                         struct link *link)
{
    struct lease_count *count = ctx;
    (void)upstream, (void)key;
    count->leases += link_leases(link);
    count->links++;
}

static inline uint32_t leases(struct world *world)
{
    struct lease_count count = {0, 0};
    app_links_each(world->app, count_leases, &count);
    assert_int_equal(count.links, node_links(world->node));
    return count.leases;
}

static inline uint32_t streams(const struct world *world)
{
    return node_counters(world->node)->streams;
}

/* Everybody goes, the node drains; nothing may be left. */
static inline void world_free(struct world *world)
{
    for (size_t i = 0; i < HOOK_KINDS; i++)
        if (world->answers[i] == ANSWER_WAIT) world->answers[i] = ANSWER_YES;
    world->on_call = NULL;
    LIST_EACH(node, &world->clients) client_free(CONTAINER(node, struct client, node));
    settle(world);
    node_drain(world->node, 0);
    while (!list_empty(&world->waiting))
        world_answer(world, CONTAINER(world->waiting.next, struct running, node)->call.kind,
                     OUTCOME_YES);
    settle(world);
    assert_true(node_idle(world->node));
    assert_int_equal(streams(world), 0);
    assert_int_equal(node_links(world->node), 0);
    assert_true(list_empty(&world->wires));
    node_free(world->node);
    plan_free(world->plan);
    for (size_t i = 0; i < world->other_count; i++) plan_free(world->others[i]);
    xfree(world->others);
    gate_destroy(&world->gate);
    settle(world);
    buf_destroy(&world->said);
    assert_text(buf_bytes(&world->faults), "");
    buf_destroy(&world->faults);
    assert_int_equal(world->clock.wheel.count, 0);
    xfree(world);
    assert_int_equal(frame_live(), 0);
    assert_int_equal(atom_live(), 0);
    assert_int_equal(alloc_live(), 0);
}
