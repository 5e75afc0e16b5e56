#include "scene.h"

#include "clock.h"
#include "die.h"
#include "loop.h"
#include "publisher.h"
#include "report.h"
#include "streams.h"

static void play_round(const struct options *options, struct publisher *publisher,
                       struct streams *streams)
{
    uint64_t due =
        streams->deliveries + (uint64_t)options->streams * options->posts * options->frames;

    for (unsigned i = 0; i < options->posts; i++)
        if (!publisher_post(publisher, i, clock_now_ns())) die("the depth is less than the posts");
    publisher_flush(publisher);
    streams_await(streams, due);
    publisher_await(publisher);
    if (publisher->refused) die("a post was answered %d", publisher->refused_with);
}

static void print(const struct options *options, const struct streams *streams,
                  const struct window *window, unsigned rounds)
{
    double deliveries = (double)streams->deliveries;

    report_begin("fanout");
    report_number("streams", options->streams);
    report_number("rounds", rounds);
    report_number("deliveries", deliveries);
    report_number("bytes_per_delivery", (double)streams->bytes / deliveries);
    report_number("resyncs", (double)streams->resyncs);
    report_window(window, deliveries);
    report_latency(streams->latency);
    report_end();
}

void scene_fanout(const struct options *options)
{
    static struct latency latency;
    struct loop loop;
    struct window window = {.others = options->others};
    struct streams streams = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->stream_path},
        .await_ready = options->await_ready,
        .sample_every = 16,
        .latency = &latency,
    };
    struct publisher publisher = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->post_path, .body = options->post_body},
        .connections = 1,
        .depth = options->posts,
    };
    unsigned rounds = 0;

    loop_create(&loop);
    streams_open(&streams, options->streams);
    publisher_open(&publisher);
    play_round(options, &publisher, &streams); /* memory that only the first one asks for */
    streams_reset(&streams);

    window_begin(&window, options->server);
    uint64_t start_ns = clock_now_ns();
    do {
        play_round(options, &publisher, &streams);
        rounds++;
    } while (clock_seconds_since(start_ns) < options->seconds);
    window_end(&window);
    print(options, &streams, &window, rounds);
}
