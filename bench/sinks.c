/*
 * sinks: a hub with a million subscribers whose sinks are in memory: what a subscriber and
 * a delivery cost without a socket, and that their number is bounded by memory alone. It
 * runs the hub that serves production, with explain (engine/explain.h) behind its journal; a
 * sink takes all bytes at once and counts them.
 *
 *   sinks SUBSCRIBERS ROUNDS [own | participants]
 *
 * Every subscriber has a user and the topic `all`; with `own` also a topic of its own. With
 * `participants` messages go to the own topics of five of them: first there are these five alone,
 * then all; the figure is what a message costs among all by what it costs among the five.
 * Prints one JSON object, as load does.
 */

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "engine/explain.h"
#include "hub/hub.h"
#include "hub/subscriber.h"

#include "clock.h"
#include "die.h"
#include "proc.h"
#include "report.h"
#include "window.h"

static struct {
    struct clock clock;
    struct later later;
    struct random random;
    struct log log;
    struct order order;
    struct verdicts verdicts; /* nobody asks: no topic is filtered */
    struct explain explain;
    struct hub *hub;
    uint64_t drawn;
    uint64_t bytes;
} world;

static const struct topic_options a_topic = {.history_size = 256, .history_ttl_ms = 60000};
static const struct subscriber_options a_subscriber = {
    .queue_frames = 256,
    .queue_bytes = 1 << 20,
    .stall_ms = 30000,
    .heartbeat_ms = 20000,
    .retry_ms = 3000,
    .verdict_ms = 2000,
    .replay_max = 300,
};

static size_t take_all(struct sink *sink, const struct iovec *pieces, int count)
{
    size_t size = 0;

    (void)sink;
    for (int i = 0; i < count; i++) size += pieces[i].iov_len;
    world.bytes += size;
    return size;
}

static void close_sink(struct sink *sink, const char *why)
{
    (void)sink;
    (void)why;
}

static const struct sink_ops memory_ops = {.write = take_all, .close = close_sink};

static void subscriber_gone(void *owner, enum end_reason reason)
{
    (void)owner;
    die("a subscriber ended: %s", end_reason_name(reason));
}

static const struct subscriber_events subscriber_events = {.ended = subscriber_gone};

static uint64_t draw(struct random *random)
{
    (void)random;
    return world.drawn += UINT64_C(0x9e3779b97f4a7c15);
}

static void drop_line(struct log *log, enum log_level level, const char *message,
                      const struct log_field *fields, size_t count)
{
    (void)log, (void)level, (void)message, (void)fields, (void)count;
}

static void create_world(void)
{
    static struct hub_ports ports;
    static const struct hub_limits limits = {
        .forgotten_topics = 65536, .topics = 4000000, .windows = 1000};
    static const struct explain_limits explain_limits = {.triggers = 1024, .decisions = 16384};
    struct hash_key key = {1, 2};

    hash_seed(key);
    world.clock.now_ms = clock_now_ns() / 1000000;
    wheel_create(&world.clock.wheel, world.clock.now_ms);
    later_create(&world.later);
    world.random.next = draw;
    world.log = (struct log){.level = LOG_ERROR, .write = drop_line};
    cursor_epoch_create(&world.order.epoch, 1, key, key);
    order_create(&world.order);
    explain_create(&world.explain, &explain_limits, &world.clock, NULL);
    ports = (struct hub_ports){.clock = &world.clock,
                               .later = &world.later,
                               .random = &world.random,
                               .log = &world.log,
                               .order = &world.order,
                               .verdicts = &world.verdicts,
                               .journal = explain_journal(&world.explain)};
    world.hub = hub_new(&ports, &limits);
}

/* A turn of the server's loop. */
static void turn(void)
{
    while (later_round(&world.later)) {
    }
    world.clock.now_ms = clock_now_ns() / 1000000;
    wheel_advance(&world.clock.wheel, world.clock.now_ms);
}

static void join(struct subscriber *subscriber, const char *name)
{
    struct topic *topic = hub_topic(world.hub, bytes_of(name), &a_topic);

    if (!topic) die("the hub takes no more topics");
    subscriber_join(subscriber, topic);
}

static void subscribe(struct sink *sink, unsigned number, int own)
{
    char user[32], name[48];

    snprintf(user, sizeof user, "user%u", number);
    snprintf(name, sizeof name, "user:%s", user);

    struct atom *atom = atom_of(user);

    sink->ops = &memory_ops;
    struct subscriber *subscriber =
        subscriber_new(world.hub, &a_subscriber, sink, atom, NULL, &subscriber_events, sink);
    atom_unref(atom);
    join(subscriber, "all");
    if (own) join(subscriber, name);
    subscriber_start(subscriber, bytes_of(""));
}

/* Their pages are not the hub's: they are there before the first measure. */
static struct sink *new_sinks(unsigned count)
{
    struct sink *sinks = zalloc(count, sizeof *sinks);

    memset(sinks, 1, count * sizeof *sinks);
    return sinks;
}

static void subscribe_some(struct sink *sinks, unsigned from, unsigned to, int own)
{
    for (unsigned i = from; i < to; i++) {
        subscribe(&sinks[i], i, own);
        if (i % 1000 == 999) turn();
    }
    turn();
}

static void subscribe_all(unsigned count, int own)
{
    struct sink *sinks = new_sinks(count);
    double before = (double)proc_pss_bytes((unsigned)getpid());
    subscribe_some(sinks, 0, count, own);
    double after = (double)proc_pss_bytes((unsigned)getpid());

    report_number("streams", count);
    report_number("bytes_per_stream", (after - before) / count);
}

static const char data[] =
    "t=0000000000000000 "
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000";

static void deliver(unsigned rounds)
{
    struct emit emit = {.type = bytes_of("tick"), .data = bytes_of(data)};
    struct topic *all = hub_topic_find(world.hub, bytes_of("all"));
    struct window window = {.seconds = 0};
    uint64_t start = hub_counters(world.hub)->delivered;

    world.bytes = 0;
    window_begin(&window, (unsigned)getpid());
    for (unsigned i = 0; i < rounds; i++) {
        topic_emit(all, &emit);
        turn();
    }
    window_end(&window);

    double deliveries = (double)(hub_counters(world.hub)->delivered - start);

    if (!hub_idle(world.hub)) die("the hub is not idle after a turn");
    report_number("deliveries", deliveries);
    report_number("bytes_per_delivery", (double)world.bytes / deliveries);
    report_number("seconds", window.seconds);
    report_number("server_cpu_s", window.server_cpu_s);
    report_number("per_cpu_s", deliveries / window.server_cpu_s);
}

/* ---- participants ---- */

enum { PARTICIPANTS = 5, WINDOWS = 5 };

/* Messages to the five: each emitted on their own topics, as a rule does that knows who takes part. */
static void send_messages(unsigned rounds)
{
    struct emit emit = {.type = bytes_of("chatmessage.new"), .data = bytes_of(data)};

    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned n = 0; n < PARTICIPANTS; n++) {
            char name[48];

            snprintf(name, sizeof name, "user:user%u", n);
            topic_emit(hub_topic_find(world.hub, bytes_of(name)), &emit);
        }
        turn();
    }
}

/* CPU time of a message: the least of some windows, so that what else the machine does is left out. Taken as
 * the generator's, which this process is as well: that is not counted in ticks. */
static double message_cost_ns(unsigned rounds)
{
    double least = 0;

    for (unsigned i = 0; i < WINDOWS; i++) {
        struct window window = {.seconds = 0};

        window_begin(&window, (unsigned)getpid());
        send_messages(rounds / WINDOWS);
        window_end(&window);
        double cost = window.generator_cpu_s * 1e9 / (rounds / WINDOWS);
        if (i == 0 || cost < least) least = cost;
    }
    return least;
}

static void message_participants(unsigned count, unsigned rounds)
{
    struct sink *sinks = new_sinks(count);
    struct window window = {.seconds = 0};

    subscribe_some(sinks, 0, PARTICIPANTS, 1);
    send_messages(rounds / WINDOWS); /* warm */
    double alone = message_cost_ns(rounds);
    subscribe_some(sinks, PARTICIPANTS, count, 1);
    uint64_t start = hub_counters(world.hub)->delivered;
    window_begin(&window, (unsigned)getpid());
    double among = message_cost_ns(rounds);
    window_end(&window);
    double deliveries = (double)(hub_counters(world.hub)->delivered - start);

    if (deliveries != (double)(rounds / WINDOWS * WINDOWS) * PARTICIPANTS)
        die("a message went to others than its participants");
    report_number("streams", count);
    report_number("deliveries", deliveries);
    report_number("message_alone_ns", alone);
    report_number("message_ns", among);
    report_number("times_the_cost", among / alone);
    report_number("seconds", window.seconds);
    report_number("server_cpu_s", window.server_cpu_s);
}

int main(int argc, char **argv)
{
    if (argc < 3) die("usage: sinks SUBSCRIBERS ROUNDS [own | participants]");
    unsigned count = (unsigned)atoi(argv[1]), rounds = (unsigned)atoi(argv[2]);

    create_world();
    report_begin("sinks");
    if (argc > 3 && strcmp(argv[3], "participants") == 0) {
        message_participants(count, rounds);
    } else {
        subscribe_all(count, argc > 3);
        deliver(rounds);
    }
    report_end();
    return 0;
}
