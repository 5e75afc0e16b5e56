/* trunk_world: topics of nodes in the cluster's world, and what each of them must get.
 *
 * What the server ran is the truth: every trigger of a topic with its place and its epoch, in order. A node that has
 * a topic stands in it at a *next* trigger, which must be the next to come, unless it is told that something is
 * missing: by a load that says so, or by another epoch, in which the next is that epoch's first. */
#pragma once

#include "base/bytes.h"
#include "cluster/trunk.h"

enum { TOPICS = 4, TRUTH_MAX = 20000 };

struct node;

struct topic_of {
    struct node *node;
    int topic;
    struct trunk_topic *open; /* NULL: not listened to */
    bool live;
    uint32_t next;
};

struct own {
    struct trunk *trunk;
    struct topic_of topics[TOPICS];
    uint64_t newest; /* place that was handed on, in this epoch */
};

#include "cluster_world.h"

static const char *const names[TOPICS] = {"app:none", "app:three", "app:many", "app:room"};
static const uint32_t histories[TOPICS] = {0, 3, 200, 200};

static struct truth {
    struct {
        uint64_t place;
        uint32_t serial; /* of its publishing */
        char epoch[17];
    } items[TRUTH_MAX];
    uint32_t count;
} truths[TOPICS];

static struct counts {
    unsigned published, unpublished, unknown, received, loads, loaded, anew, epochs, heard;
} counts;

static uint32_t serials;
static bool serial_done[TRUTH_MAX * TOPICS]; /* answered as published */
static bool in_order; /* nothing was dropped, so places rise over all topics */

static uint32_t first_after(const struct truth *truth, uint64_t place)
{
    uint32_t i = 0;
    while (i < truth->count && truth->items[i].place <= place) i++;
    return i;
}

/* ---- what the server ran ---- */

static int topic_named(struct bytes name)
{
    for (int i = 0; i < TOPICS; i++)
        if (bytes_is(name, names[i])) return i;
    fail_msg("a topic that is none");
    return 0;
}

static void note_run(const struct redis_call *call)
{
    enum { FIRST = 12, WORDS = 5 };
    const redisReply *reply = call->reply;
    if (call->count < FIRST + WORDS || !bytes_is(word_of(call, 0), "EVALSHA")) return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) return;
    if (!bytes_is(text_of(reply->element[0]), "new")) return;
    assert_int_equal(reply->elements - 1, (call->count - FIRST) / WORDS);
    for (size_t i = 0; i + 1 < reply->elements; i++) {
        struct truth *truth = &truths[topic_named(word_of(call, FIRST + i * WORDS))];
        const struct bytes parcel = word_of(call, FIRST + i * WORDS + 1);
        const uint32_t at = truth->count++;
        assert_true(at < TRUTH_MAX);
        truth->items[at].place = strtoull(reply->element[i + 1]->str, NULL, 10);
        truth->items[at].serial = (uint32_t)strtoul(parcel.data, NULL, 10);
        memcpy(truth->items[at].epoch, word_of(call, 4).data, 16);
        if (at) assert_true(truth->items[at].place > truth->items[at - 1].place);
    }
}

/* ---- what nodes are told ---- */

static void take(struct topic_of *of, const struct trunk_message *message)
{
    const struct truth *truth = &truths[of->topic];
    if (of->next >= truth->count || truth->items[of->next].place != message->place)
        fail_msg("node %d, %s: place %llu, and the next was %llu", (int)(of->node - nodes), names[of->topic],
                 (unsigned long long)message->place,
                 of->next < truth->count ? (unsigned long long)truth->items[of->next].place : 0);
    assert_int_equal(truth->items[of->next].serial, strtoul(message->parcel.data, NULL, 10));
    of->next++;
}

static void on_receive(void *owner, const struct trunk_message *message)
{
    struct topic_of *of = owner;
    assert_true(of->live);
    take(of, message);
    if (in_order) assert_true(message->place > of->node->own.newest);
    if (message->place > of->node->own.newest) of->node->own.newest = message->place;
    counts.received++;
}

static void on_load(void *owner, const struct trunk_load *load)
{
    struct topic_of *of = owner;
    assert_true(!of->live == !load->resync);
    counts.loads++;
    counts.anew += load->resync != NULL;
    of->live = true;
    of->next = first_after(&truths[of->topic], load->lost);
    for (size_t i = 0; i < load->count; i++) take(of, &load->messages[i]);
    counts.loaded += (unsigned)load->count;
    /* Nothing that was heard is missing: what is newer comes. */
    const struct truth *truth = &truths[of->topic];
    if (of->next < truth->count) assert_true(truth->items[of->next].place > of->node->own.newest || !in_order);
}

static void on_broken(void *owner, const char *reason)
{
    struct topic_of *of = owner;
    const struct bytes epoch = cluster_epoch(of->node->cluster, 0);
    const struct truth *truth = &truths[of->topic];
    assert_string_equal(reason, "epoch");
    assert_true(of->live);
    uint32_t next = 0;
    while (next < truth->count && memcmp(truth->items[next].epoch, epoch.data, 16) != 0) next++;
    of->next = next;
    counts.epochs++;
}

static uint32_t history_of(void *owner)
{
    const struct topic_of *of = owner;
    return histories[of->topic];
}

static void on_retain(void *owner, const struct trunk_message *message)
{
    (void)owner, (void)message; /* nothing is retained here */
}

static const struct trunk_topic_events topic_events = {on_broken, on_load, on_receive, history_of,
                                                       on_retain};

static void on_heard(void *owner, uint32_t server, uint64_t place)
{
    struct node *node = owner;
    assert_int_equal(server, 0);
    counts.heard++;
    if (place > node->own.newest) node->own.newest = place;
    for (int i = 0; in_order && i < TOPICS; i++) { /* what got lost without a word shows with the next one only */
        const struct topic_of *of = &node->own.topics[i];
        const struct truth *truth = &truths[i];
        if (!of->live || of->next >= truth->count) continue;
        if (truth->items[of->next].place <= place && trunk_topic_live(of->open))
            fail_msg("node %d heard %llu, and %s has not had %llu", (int)(node - nodes),
                     (unsigned long long)place, names[i],
                     (unsigned long long)truth->items[of->next].place);
    }
}

static void on_epoch(void *owner, uint32_t server)
{
    struct node *node = owner;
    node->own.newest = cluster_start(node->cluster, server);
}

static void on_server(void *owner, uint32_t server)
{
    (void)owner, (void)server;
}

static const struct trunk_events trunk_events = {on_heard, on_epoch, on_server, on_server};

/* ---- what nodes do ---- */

static struct trunk_limits trunk_limits = {1000, 1 << 20};

static void own_begin(struct node *node, const struct cluster_ports *ports)
{
    node->own = (struct own){.trunk = trunk_new(node->cluster, ports, &node->later, &trunk_limits,
                                                &trunk_events, node)};
    for (int i = 0; i < TOPICS; i++)
        node->own.topics[i] = (struct topic_of){.node = node, .topic = i};
}

static void listen_to(struct node *node, int topic)
{
    struct topic_of *of = &node->own.topics[topic];
    of->open = trunk_topic_open(node->own.trunk, bytes_of(names[topic]), &topic_events, of);
    of->live = false;
}

static void leave_topic(struct topic_of *of)
{
    trunk_topic_close(of->open);
    of->open = NULL;
    of->live = false;
}

static void own_end(struct node *node)
{
    for (int i = 0; i < TOPICS; i++)
        if (node->own.topics[i].open) leave_topic(&node->own.topics[i]);
    trunk_free(node->own.trunk);
}

static void own_wake(struct node *node)
{
    (void)node;
}

static void check_world(void)
{
}

static struct publish {
    uint32_t first, count;
} publishes[TRUTH_MAX];

static void on_published(void *owner, const struct trunk_answer *answer)
{
    struct publish *publish = owner;
    const bool unknown =
        answer->code && (strcmp(answer->code, "lost") == 0 || strcmp(answer->code, "timeout") == 0);
    for (uint32_t i = 0; i < publish->count; i++) serial_done[publish->first + i] = !answer->code;
    *(answer->code ? unknown ? &counts.unknown : &counts.unpublished : &counts.published) += 1;
}

/* Some triggers in one step. */
static void publish_some(struct node *node, uint32_t count)
{
    struct trunk_item items[8];
    char parcels[8][16];
    const struct trunk_terms terms = {.record_ttl_ms = 0};
    struct publish *publish = &publishes[serials];
    *publish = (struct publish){serials, count};
    for (uint32_t i = 0; i < count; i++) {
        const int topic = (int)draw_below(&dice, TOPICS);
        const int size = snprintf(parcels[i], sizeof(parcels[i]), "%u", serials++);
        items[i] = (struct trunk_item){.topic = bytes_of(names[topic]),
                                       .parcel = bytes_run(parcels[i], (size_t)size + 1),
                                       .history_size = histories[topic],
                                       .history_ttl_ms = 3600000};
    }
    trunk_publish(node->own.trunk, 0, items, count, &terms, on_published, publish);
}

static int begin_world(void **state)
{
    for (int i = 0; i < TOPICS; i++) truths[i].count = 0;
    serials = 0;
    memset(serial_done, 0, sizeof(serial_done));
    in_order = true;
    trunk_limits = (struct trunk_limits){1000, 1 << 20};
    const int begun = begin_nodes(state);
    on_run = note_run;
    return begun;
}

/* Everybody who listens has everything, and what was answered as published was, once. */
static void check_end(void)
{
    static unsigned char seen[TRUTH_MAX * TOPICS];
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < TOPICS; i++) {
        for (uint32_t at = 0; at < truths[i].count; at++) seen[truths[i].items[at].serial]++;
        for (int n = 0; n < NODES; n++) {
            const struct topic_of *of = &nodes[n].own.topics[i];
            if (nodes[n].dead || !of->open) continue;
            assert_true(of->live && trunk_topic_live(of->open));
            assert_int_equal(of->next, truths[i].count);
        }
    }
    for (int n = 0; n < NODES; n++) {
        if (nodes[n].dead) continue;
        const struct trunk_counters *counted = trunk_counters(nodes[n].own.trunk);
        assert_true(counted->filled <= counted->holes);
    }
    for (uint32_t serial = 0; serial < serials; serial++) {
        assert_true(seen[serial] <= 1);
        if (serial_done[serial]) assert_int_equal(seen[serial], 1);
    }
}
