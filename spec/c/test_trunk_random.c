/* Random schedules over three nodes and one real Redis: publishes on all, topics that come and go, connections that are
 * cut, messages that get lost, nodes that are stopped or die, a server that is restarted or flushed. Everybody
 * who has a topic gets all of it in order, or is told. */
#include "trunk_world.h"

enum { ROUNDS = 60, STEPS = 250 };

static struct {
    unsigned cuts, stops, kills, begun, flushes, restarts, dropped, listened, left;
} faults;

static unsigned drop_one_in;

static bool drop_some(struct bytes channel)
{
    static const char kind[] = "sluice:topic:";
    if (channel.size < strlen(kind) || memcmp(channel.data, kind, strlen(kind)) != 0) return false;
    if (!drop_one_in || draw_below(&dice, drop_one_in)) return false;
    faults.dropped++;
    return true;
}

static struct node *some_node(void)
{
    return &nodes[draw_below(&dice, NODES)];
}

static void listen_or_leave(struct node *node)
{
    const int topic = (int)draw_below(&dice, TOPICS);
    struct topic_of *of = &node->own.topics[topic];
    if (!of->open) {
        listen_to(node, topic);
        faults.listened++;
    } else if (draw_below(&dice, 3) == 0) {
        leave_topic(of);
        faults.left++;
    }
}

static void restart_server(void)
{
    process_of_server++;
    if (draw_below(&dice, 2)) tell_server("FLUSHALL");
    for (int i = 0; i < NODES; i++)
        if (!nodes[i].dead) cut(&nodes[i], draw_below(&dice, 500));
    drop_strays(); /* they were the other process's */
    faults.restarts++;
}

static void take_step(void)
{
    struct node *node = some_node();
    const uint64_t what = draw_below(&dice, 100);
    if (node->dead) {
        if (what < 20) {
            begin_node(node);
            faults.begun++;
        }
    } else if (world_us < node->awake_us) {
        return;
    } else if (what < 60) {
        publish_some(node, 1 + (uint32_t)draw_below(&dice, 4));
    } else if (what < 80) {
        listen_or_leave(node);
    } else if (what < 86) {
        cut(node, draw_below(&dice, 800));
        faults.cuts++;
    } else if (what < 89) {
        stop(node, draw_below(&dice, 3000));
        faults.stops++;
    } else if (what < 90) {
        kill_node(node);
        faults.kills++;
    } else if (what == 90 && draw_below(&dice, 3) == 0) {
        tell_server("FLUSHALL");
        faults.flushes++;
    } else if (what == 91 && draw_below(&dice, 3) == 0) {
        restart_server();
    }
}

static void play(uint64_t seed)
{
    void *state = NULL;
    begin_world(&state);
    dice = seed;
    drop_one_in = seed % 3 == 0 ? 40 : 0;
    in_order = !drop_one_in;
    is_dropped = drop_some;
    delay_us = 20000;
    if (seed % 5 == 0) trunk_limits = (struct trunk_limits){20, 1 << 20};
    for (int i = 0; i < STEPS; i++) {
        take_step();
        pass(5 + draw_below(&dice, 60));
    }
    drop_one_in = 0;
    for (int i = 0; i < NODES; i++)
        if (nodes[i].dead) begin_node(&nodes[i]);
    pass(8000);
    for (int topic = 0; topic < TOPICS; topic++) /* a hole at the very end shows with the next trigger */
        publish_some(&nodes[0], 8);
    pass(3000);
    check_end();
    end_nodes();
}

static void everybody_gets_all_or_is_told(void **state)
{
    (void)state;
    const char *seeds = getenv("SEEDS"), *first = getenv("SEED");
    const uint64_t from = first ? strtoull(first, NULL, 10) : 1;
    const uint64_t rounds = seeds ? strtoull(seeds, NULL, 10) : ROUNDS;
    for (uint64_t seed = from; seed < from + rounds; seed++) play(seed);
    printf("      %llu schedules ran: %u publishes, %u refused, %u unknown; %u received, %u loads of %u, %u of them "
           "anew, %u told of an epoch; %u cuts, %u dropped, %u stops, %u kills, %u flushes, %u restarts, %u listened "
           "to, %u left\n",
           (unsigned long long)rounds, counts.published, counts.unpublished, counts.unknown,
           counts.received, counts.loads, counts.loaded, counts.anew, counts.epochs, faults.cuts,
           faults.dropped, faults.stops, faults.kills, faults.flushes, faults.restarts,
           faults.listened, faults.left);
    if (first) return;
    const unsigned all[] = {counts.published, counts.unpublished, counts.unknown,  counts.received,
                            counts.loads,     counts.loaded,      counts.anew,     counts.epochs,
                            counts.heard,     faults.cuts,        faults.dropped,  faults.stops,
                            faults.kills,     faults.flushes,     faults.restarts, faults.listened,
                            faults.left};
    for (size_t i = 0; i < COUNT(all); i++) assert_true(all[i] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everybody_gets_all_or_is_told)};
    return cmocka_run_group_tests(tests, begin_server, end_server);
}
