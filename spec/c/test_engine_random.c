/* Random schedules over the engine: whoever comes, goes, answers, breaks, reloads or drains in
 * whatever order, leases are those of the subscribers, nothing is seen twice or out of order,
 * nothing is looked at after it is gone, and at the end nothing is left. */
#include "engine/farewell.h"
#include "engine/reload.h"
#include "engine_world.h"

enum { SCHEDULES = 2000, STEPS = 150, TABS = 12, USERS = 3 };

static struct world *world;
static uint64_t chance;
static uint64_t seed, sent;
static bool leased; /* the stream of the rules at hand has an upstream */

/* How often each thing happened; a nought is a schedule that shows nothing. */
enum seen {
    LIVE, REFUSED, CUT, LATE, CANCELLED, RESYNCS, RESUMED, REOPENED, RELOADS, ENDED_BY_RELOAD,
    KICKED, STALLED, VISITS, UNHEARD, SEEN
};
static const char *const SEEN_NAMES[SEEN] = {
    "live", "refused", "cut", "late answers", "cancelled", "resyncs", "resumed", "reopened links",
    "reloads", "ended by a reload", "kicked", "stalled", "visits", "drained while a rule waits"};
static uint64_t seen[SEEN];

static struct tab {
    struct client *client;
    char user[8];
    uint64_t last; /* the number of the newest trigger that it got */
    bool stalled;
} tabs[TABS];

static uint64_t below(uint64_t limit)
{
    return draw_below(&chance, limit);
}

/* ---- what tabs get ---- */

/* Reads the numbers that came; they only rise. */
static void read_tab(struct tab *tab)
{
    const struct buf *story = &tab->client->story;
    if (!story->size) return;
    for (const char *at = story->data, *end = at + story->size; at < end;
         at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1) {
        if (end - at > 7 && memcmp(at, "resync ", 7) == 0) seen[RESYNCS]++;
        if (end - at > 24 && memcmp(at, "ready {\"resumed\":true", 21) == 0) seen[RESUMED]++;
        if (at[0] != 't' || at[1] != ' ') continue;
        uint64_t number = strtoull(at + 2, NULL, 10);
        if (number <= tab->last)
            fail_msg("seed %lu: %lu after %lu", (unsigned long)seed, (unsigned long)number,
                     (unsigned long)tab->last);
        tab->last = number;
    }
    client_forget(tab->client);
}

static void look(void)
{
    uint32_t asked = 0;
    const uint32_t subscribers = hub_counters(app_hub(world->app))->subscribers;
    for (size_t i = 0; i < TABS; i++)
        if (tabs[i].client) read_tab(&tabs[i]);
    LIST_EACH(node, &world->waiting) {
        const struct hook_call *call = &CONTAINER(node, struct running, node)->call;
        if (call->kind == HOOK_KEY && seat_subscriber(call->seat)) asked++;
    }
    const uint32_t want = leased ? subscribers - asked : 0, have = leases(world);
    if (have != want)
        fail_msg("seed %lu: %u leases of %u subscribers", (unsigned long)seed, have, want);
}

/* ---- the steps ---- */

static void connect(void)
{
    static const char *const queries[] = {"", "", "topic=open:1", "topic=open:1&topic=open:2",
                                          "topic=news", "tag=0123456789abcdef"};
    struct tab *tab = &tabs[below(TABS)];
    char query[200], headers[100];
    if (tab->client && tab->client->state <= CLIENT_STREAM && below(2)) return;
    const bool resumes = tab->client && tab->client->parser.last_id.size && below(4);
    if (!resumes) snprintf(tab->user, sizeof(tab->user), "u%d", (int)below(USERS));
    if (!resumes) tab->last = 0;
    snprintf(query, sizeof(query), "%s", queries[below(COUNT(queries))]);
    if (resumes)
        snprintf(query, sizeof(query), "last_event_id=%.*s", (int)tab->client->parser.last_id.size,
                 tab->client->parser.last_id.data);
    if (tab->client) {
        read_tab(tab);
        client_free(tab->client);
        settle(world);
    }
    snprintf(headers, sizeof(headers), "x-user: %s\nx-data: d%d", tab->user, (int)below(3));
    tab->client = request(world, "GET", "/events", query, headers);
    tab->stalled = false;
    if (tab->client->state == CLIENT_STREAM) seen[LIVE]++;
    if (tab->client->state == CLIENT_ANSWERED) seen[REFUSED]++;
}

static void cut(void)
{
    struct tab *tab = &tabs[below(TABS)];
    if (!tab->client || tab->client->state > CLIENT_STREAM) return;
    seen[CUT]++;
    if (tab->client->state == CLIENT_WAITING) seen[CANCELLED]++;
    client_cut(tab->client);
}

static void stall(void)
{
    struct tab *tab = &tabs[below(TABS)];
    if (!tab->client || tab->client->state != CLIENT_STREAM) return;
    if (tab->stalled)
        client_takes(tab->client, SIZE_MAX);
    else
        tab->client->room = below(300);
    tab->stalled = !tab->stalled;
    seen[STALLED] += tab->stalled;
}

static void visit(void)
{
    static const char headers[] = "x-user: u1\nx-session-tag: 0123456789abcdef";
    struct client *client = request(world, "POST", "/rooms/blue", NULL, headers);
    seen[VISITS]++;
    if (below(2)) client_cut(client);
}

/* Any of those that wait, not the oldest. */
static void answer_one(void)
{
    uint32_t count = waiting(world);
    if (!count) return;
    uint32_t index = (uint32_t)below(count);
    LIST_EACH(node, &world->waiting) {
        if (index--) continue;
        struct running *running = CONTAINER(node, struct running, node), copy = *running;
        const enum outcome outcome = copy.call.kind == HOOK_KEY ? OUTCOME_YES
                                                                : (enum outcome)below(3);
        list_remove(node);
        xfree(running);
        answer(world, &copy.call, outcome, copy.done, copy.owner);
        seen[LATE]++;
        return;
    }
}

static void change_mind(void)
{
    const enum hook_kind kind = (enum hook_kind)below(HOOK_KINDS);
    static const enum answer minds[] = {ANSWER_YES, ANSWER_YES, ANSWER_WAIT, ANSWER_WAIT, ANSWER_NO,
                                        ANSWER_UNKNOWN};
    world->answers[kind] = minds[below(COUNT(minds) - (kind == HOOK_KEY ? 2 : 0))];
}

static void emit_one(void)
{
    static const char *const names[] = {"user:u0", "user:u1", "user:u2", "open:1", "secret:1"};
    char data[24];
    const bool windowed = below(5) == 0;
    snprintf(data, sizeof(data), "%lu", (unsigned long)++sent);
    const struct app_emit item = {
        .name = bytes_of(names[below(COUNT(names))]),
        .emit = {.type = windowed ? BYTES("w") : BYTES("t"),
                 .data = bytes_of(data),
                 .replaces = windowed ? BYTES("k") : (struct bytes){NULL, 0},
                 .within_ms = windowed ? below(500) : 0}};
    if (world->app && app_topic(world->app, item.name, NULL)) app_emit(world->app, &item, 1);
}

static void play_wire(void)
{
    static const int statuses[] = {200, 200, 200, 200, 204, 401, 403, 500, 503};
    uint32_t count = 0;
    LIST_EACH(node, &world->wires) count++;
    if (!count) return;
    uint32_t index = (uint32_t)below(count);
    LIST_EACH(node, &world->wires) {
        if (index--) continue;
        struct wire *wire = CONTAINER(node, struct wire, node);
        if (!wire->answered) {
            wire_answers(wire, statuses[below(COUNT(statuses))]);
        } else if (below(3)) {
            wire_sends(world, wire, "id: 1\nevent: note\ndata: 1\n\nevent: note\ndata: 2\n\n");
        } else {
            seen[REOPENED]++;
            wire_ends(world, wire);
        }
        return;
    }
}

static void kick(void)
{
    char name[8];
    snprintf(name, sizeof(name), "u%d", (int)below(USERS));
    const struct bytes nothing = {NULL, 0};
    seen[KICKED] += app_disconnect(world->app, bytes_of(name), nothing, &(struct farewell){.final = false});
}

/* Rules that lack the filtered topic, the upstream of the stream, or the stream. */
static void reload(void)
{
    const uint64_t lack = below(5);
    struct plan *plan = another_plan(world, BYTES("app"));
    struct plan_topic *mine = make_topic(plan, "user:{user}");
    make_topic(plan, "open:{room}")->subscribe = HOOK_SUBSCRIBE + 1;
    if (lack != 1) {
        struct plan_topic *secret = make_topic(plan, "secret:{room}");
        secret->filter = lack == 2 ? 0 : HOOK_FILTER + 1;
        secret->options.filtered = lack != 2;
    }
    make_route(plan, "post", "POST", "/rooms/{room}")->at.identity = HOOK_AUTHENTICATE + 1;
    struct plan_upstream *inbox = make_upstream(plan, "inbox", below(2) ? mine : NULL);
    if (lack != 3) {
        struct plan_stream *stream = make_stream(plan, "events", "/events");
        stream->at.identity = HOOK_AUTHENTICATE + 1;
        stream->topics = HOOK_TOPICS + 1;
        stream->connect = HOOK_CONNECT + 1;
        stream->disconnect = HOOK_DISCONNECT + 1;
        stream->topics_max = 4;
        if (lack != 4) make_upstreams(stream, inbox);
    }
    leased = lack != 3 && lack != 4;
    reload_app(world->app, generation_new(plan, &world->hooks, &world->later, NULL, NULL));
    seen[RELOADS]++;
}

/* Now and then a rule ends whom it is asked about. */
static void meddle(struct world *of, const struct hook_call *call)
{
    (void)of;
    struct subscriber *subscriber = call->seat ? seat_subscriber(call->seat) : NULL;
    if (subscriber && below(40) == 0) subscriber_end(subscriber, END_KICKED);
}

static void wait_a_while(void)
{
    advance(world, below(3) ? below(200) : below(15000));
}

static void step(void)
{
    static void (*const steps[])(void) = {
        connect,  connect,     connect,  cut,       answer_one, answer_one, answer_one,
        emit_one, emit_one,    emit_one, play_wire, play_wire,  play_wire,  stall,
        visit,    change_mind, wait_a_while,        wait_a_while,           wait_a_while};
    const uint64_t drawn = below(COUNT(steps) * 4);
    if (drawn == 0)
        reload();
    else if (drawn == 1)
        kick();
    else
        steps[drawn % COUNT(steps)]();
    if (below(3)) settle(world); /* else the next falls into the same turn */
}

/* ---- the whole ---- */

static void run(void)
{
    chance = seed;
    sent = 0;
    leased = true;
    memset(tabs, 0, sizeof(tabs));
    world = world_new();
    world->chance = seed;
    world->names = "user:u1 secret:1";
    world->events->connect = HOOK_CONNECT + 1;
    world->events->disconnect = HOOK_DISCONNECT + 1;
    world->on_call = meddle;
    world_start(world, NULL);
    for (int i = 0; i < STEPS; i++) {
        step();
        settle(world);
        look();
    }
    seen[ENDED_BY_RELOAD] += hub_counters(app_hub(world->app))->ended[END_RELOAD];
    if (below(2)) node_drain(world->node, 1000); /* else with everybody there cut first */
    settle(world);
    seen[UNHEARD] += waiting(world) > 0;
    buf_clear(&world->faults);
    world_free(world);
}

static void keeps_its_promises_under_random_schedules(void **state)
{
    (void)state;
    for (seed = 1; seed <= SCHEDULES; seed++) run();
    for (int i = 0; i < SEEN; i++) {
        print_message("  %-28s %lu\n", SEEN_NAMES[i], (unsigned long)seen[i]);
        assert_true(seen[i] > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_its_promises_under_random_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
