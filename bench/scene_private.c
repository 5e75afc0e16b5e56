#include "scene.h"

#include "clock.h"
#include "die.h"
#include "loop.h"
#include "publisher.h"
#include "report.h"
#include "streams.h"

static void check_answers(const struct publisher *publisher)
{
    if (publisher->refused) die("a post was answered %d", publisher->refused_with);
}

/* Publishes to the streams in turn: each `rounds` times, or (0) for so many seconds. */
static void publish(const struct options *options, struct publisher *publisher,
                    struct streams *streams, unsigned rounds)
{
    uint64_t start = publisher->asked;
    uint64_t due = streams->deliveries;
    uint64_t limit = (uint64_t)rounds * options->streams;
    uint64_t start_ns = clock_now_ns();
    uint64_t now_ns = start_ns;

    while (limit ? publisher->asked - start < limit
                 : (double)(now_ns - start_ns) < options->seconds * 1e9) {
        while ((!limit || publisher->asked - start < limit) &&
               publisher_post(publisher, (unsigned)(publisher->asked % options->streams), now_ns)) {
        }
        publisher_flush(publisher);
        loop_turn(publisher->loop, 1000);
        check_answers(publisher);
        now_ns = clock_now_ns();
    }
    publisher_await(publisher);
    check_answers(publisher);
    streams_await(streams, due + publisher->asked - start);
}

static void print(const struct options *options, const struct streams *streams,
                  const struct window *window)
{
    double deliveries = (double)streams->deliveries;

    report_begin("private");
    report_number("streams", options->streams);
    report_number("deliveries", deliveries);
    report_number("bytes_per_delivery", (double)streams->bytes / deliveries);
    report_number("resyncs", (double)streams->resyncs);
    report_window(window, deliveries);
    report_latency(streams->latency);
    report_end();
}

void scene_private(const struct options *options)
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
        .connections = options->connections,
        .depth = options->depth,
    };

    loop_create(&loop);
    streams_open(&streams, options->streams);
    publisher_open(&publisher);
    publish(options, &publisher, &streams, 1); /* memory that only the first one asks for */
    streams_reset(&streams);

    window_begin(&window, options->server);
    publish(options, &publisher, &streams, 0);
    window_end(&window);
    print(options, &streams, &window);
}
