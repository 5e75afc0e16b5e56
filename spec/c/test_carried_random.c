/* Two servers, two nodes that hear them in interleavings of their own, and a client that is cut anywhere - in
 * the middle of a frame, of a replay, of a fan-out - and comes back, to the one node or the other, with the id
 * that it saw last. It gets every trigger of its topics once, those of a server in their order, whatever
 * the positions are that the nodes gave them; how often each of it happened is counted. */
#include "carried_world.h"

enum { ROUNDS = 1500, NODES = 2, SERVERS = 2, TOPICS = 4, TRIGGERS = 40 };

static const char *const NAMES[TOPICS] = {"a0", "b0", "a1", "b1"};

enum { CUT, CUT_IN_FRAME, RESUMED, REPLAYED, MOVED, BEHIND, RELOADED, AMID_FAN_OUT, BEATS, JOINED, KINDS };

static const char *const KIND_NAMES[KINDS] = {
    "cut", "cut in a frame", "resumed", "replayed", "moved to the other node", "waited for a node that was behind",
    "loaded anew", "came amid a fan-out", "heartbeats", "had both servers"};

static struct {
    uint64_t chance;
    struct server_log logs[SERVERS];
    struct carrier *nodes[NODES];
    struct tab *tab; /* NULL: it is away */
    int at;          /* the node */
    bool joined[TOPICS];
    struct buf id; /* empty: it has none */
    uint64_t since[SERVERS], last[SERVERS];
    uint8_t got[SERVERS][LOGGED];
    int counts[KINDS];
} model;

static uint64_t below(uint64_t n)
{
    return draw_below(&model.chance, n);
}

static void publish(void)
{
    struct server_log *log = &model.logs[below(SERVERS)];
    const int server = (int)(log - model.logs);
    if (log->count == TRIGGERS) return;
    struct logged *entry = &log->entries[log->count++];
    entry->place = log->place += 1 + below(3);
    strcpy(entry->topic, NAMES[server * 2 + (int)below(2)]);
    snprintf(entry->data, sizeof(entry->data), "%d %d", server, log->count - 1);
}

static bool has(int server, const char *topic)
{
    for (int i = 0; i < TOPICS; i++)
        if (model.joined[i] && strcmp(NAMES[i], topic) == 0) return i / 2 == server;
    return false;
}

/* What the client read. */
static void take_in(void)
{
    struct buf *story = &model.tab->story;
    char *at, *line = story->data;
    int server, index;
    buf_add_char(story, '\0');
    line = story->data;
    for (; (at = strchr(line, '\n')); line = at + 1) {
        *at = '\0';
        assert_null(strstr(line, "resync"));
        if (sscanf(line, "t %d %d", &server, &index) != 2) continue;
        const struct logged *entry = &model.logs[server].entries[index];
        assert_true(has(server, entry->topic));
        assert_int_equal(model.got[server][index]++, 0);
        assert_true(entry->place > model.last[server]);
        model.last[server] = entry->place;
    }
    buf_clear(story);
    const struct buf *id = &model.tab->parser.last_id;
    if (id->size) {
        buf_clear(&model.id);
        buf_add(&model.id, id->data, id->size);
    }
}

static void load_topic(struct carrier *node, int i)
{
    struct topic *topic = topic_of(node->world, NAMES[i]);
    if (topic_is_loaded(topic)) return;
    load_all(topic, &model.logs[i / 2]);
    model.counts[RELOADED]++;
}

/* A client that has no id begins anew: what came until now is not for it. */
static void begin_anew(const struct carrier *node)
{
    memset(model.got, 0, sizeof(model.got));
    for (int i = 0; i < SERVERS; i++)
        model.since[i] = model.last[i] = node->world->order.heard.at[i];
}

static void come(void)
{
    const int at = (int)below(NODES);
    struct carrier *node = model.nodes[at];
    struct world *world = node->world;
    const struct bytes id = buf_bytes(&model.id);
    if (id.size) model.counts[MOVED] += at != model.at;
    while (id.size && order_is_behind_cursor(&world->order, id)) {
        for (uint8_t i = 0; i < SERVERS; i++) hear(node, i, &model.logs[i]);
        model.counts[BEHIND]++;
    }
    model.at = at;
    model.tab = tab_new(world, NULL, NULL, NULL);
    for (int i = 0; i < TOPICS; i++) {
        if (!model.joined[i]) continue;
        subscriber_join(model.tab->subscriber, topic_of(world, NAMES[i]));
        load_topic(node, i);
    }
    model.counts[AMID_FAN_OUT] += !list_empty(&world->hub->fanout.runs);
    if (!id.size) begin_anew(node);
    model.counts[RESUMED] += id.size != 0;
    model.tab->room = below(4) ? SIZE_MAX : below(900);
    subscriber_start(model.tab->subscriber, id);
    if (model.tab->subscriber) model.counts[REPLAYED] += subscriber_queued(model.tab->subscriber) > 2;
}

static void cut(void)
{
    struct tab *tab = model.tab;
    model.counts[CUT]++;
    model.counts[CUT_IN_FRAME] += tab->full;
    take_in();
    if (tab->open) tab->sink.events->gone(tab->sink.owner, "closed"); /* else it had stalled */
    tab->open = false;
    if (below(2)) settle(model.nodes[model.at]->world);
    model.tab = NULL;
}

/* Mostly in the middle of what is fanned out. */
static void beat(struct world *world)
{
    if (below(4) == 0) settle(world);
    world->clock.now_ms += 20000;
    wheel_advance(&world->clock.wheel, world->clock.now_ms);
}

static void step(void)
{
    struct carrier *node = model.nodes[below(NODES)];
    const uint8_t server = (uint8_t)below(SERVERS);
    switch (below(8)) {
    case 0:
    case 1:
        publish();
        break;
    case 2:
    case 3:
        hear(node, server, &model.logs[server]);
        break;
    case 4:
        later_round(&node->world->later);
        break;
    case 5:
        if (!model.tab)
            come();
        else if (below(3) == 0)
            cut();
        break;
    case 6:
        if (model.tab && model.tab->open)
            tab_takes(model.tab, below(3) ? SIZE_MAX : below(300));
        break;
    default:
        if (below(4)) break;
        model.counts[BEATS]++;
        beat(node->world);
    }
}

/* Everything is heard and read: nothing is missing. */
static void finish(void)
{
    if (model.tab && !model.tab->open) cut();
    if (!model.tab) come();
    tab_takes(model.tab, SIZE_MAX);
    for (uint8_t i = 0; i < SERVERS; i++)
        while (hear(model.nodes[model.at], i, &model.logs[i])) continue;
    settle(model.nodes[model.at]->world);
    take_in();
    for (int server = 0; server < SERVERS; server++) {
        for (int i = 0; i < model.logs[server].count; i++) {
            const struct logged *entry = &model.logs[server].entries[i];
            const bool wanted = has(server, entry->topic) && entry->place > model.since[server];
            assert_int_equal(model.got[server][i], wanted);
        }
    }
}

static void round_of(uint64_t seed)
{
    model.chance = seed;
    for (int i = 0; i < SERVERS; i++) model.logs[i] = (struct server_log){.place = 10 + below(50)};
    for (int i = 0; i < NODES; i++) {
        model.nodes[i] = carrier_new(SERVERS);
        model.nodes[i]->world->hub->fanout.step_cost = 1 + (int)below(4);
    }
    model.tab = NULL;
    do
        for (int i = 0; i < TOPICS; i++) model.joined[i] = below(2);
    while (!model.joined[0] && !model.joined[1] && !model.joined[2] && !model.joined[3]);
    model.counts[JOINED] += (model.joined[0] || model.joined[1]) && (model.joined[2] || model.joined[3]);
    for (int steps = 0; steps < 300; steps++) step();
    if (model.tab && below(2)) cut();
    finish();
    for (int i = 0; i < NODES; i++) carrier_free(model.nodes[i]);
    buf_destroy(&model.id);
}

static void nothing_is_doubled_and_nothing_lost(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    const uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
    for (uint64_t i = first; i < first + (seed ? 1 : ROUNDS); i++) {
        if (seed) print_message("seed %llu\n", (unsigned long long)i);
        round_of(i);
    }
    assert_int_equal(frame_live(), 0);
    assert_int_equal(atom_live(), 0);
    assert_int_equal(alloc_live(), 0);
    for (int i = 0; i < KINDS && !seed; i++) {
        print_message("%-36s %d\n", KIND_NAMES[i], model.counts[i]);
        assert_true(model.counts[i] > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_doubled_and_nothing_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
