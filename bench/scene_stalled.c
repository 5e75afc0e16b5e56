#include "scene.h"

#include <sys/socket.h>

#include "clock.h"
#include "die.h"
#include "loop.h"
#include "proc.h"
#include "publisher.h"
#include "report.h"
#include "streams.h"

struct half {
    struct window window;
    double deliveries;
    double bytes; /* that the server has more at its end than at its begin */
};

static void play_round(const struct options *options, struct publisher *publisher,
                       struct streams *streams)
{
    uint64_t due = streams->deliveries + (uint64_t)options->streams * options->posts;

    for (unsigned i = 0; i < options->posts; i++)
        if (!publisher_post(publisher, i, clock_now_ns())) die("the depth is less than the posts");
    publisher_flush(publisher);
    streams_await(streams, due);
    publisher_await(publisher);
    if (publisher->refused) die("a post was answered %d", publisher->refused_with);
}

/* So many rounds; the figures are of the last quarter, when the backlog is there. */
static void play_half(const struct options *options, struct publisher *publisher,
                      struct streams *streams, unsigned rounds, struct half *half)
{
    double before = (double)proc_pss_bytes(options->server);

    for (unsigned i = 0; i < rounds; i++) {
        if (i == rounds - rounds / 4) {
            streams_reset(streams);
            window_begin(&half->window, options->server);
        }
        play_round(options, publisher, streams);
    }
    window_end(&half->window);
    half->deliveries = (double)streams->deliveries;
    half->bytes = (double)proc_pss_bytes(options->server) - before;
}

/* One more of the streams, whose socket is never read. */
static void open_stalled(const struct options *options)
{
    char request[2048];
    int room = 4096;
    const struct request stream = {.host = options->host, .path = options->stream_path};
    size_t length = request_write(&stream, options->streams, 0, request, sizeof request);
    int fd = net_connect_any(&options->targets, options->streams);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) < 0) die_errno("setsockopt");
    if (net_send(fd, request, length) < 0) die_errno("asking for a stream");
}

static void print(const struct options *options, const struct half *without, const struct half *with)
{
    double plain = without->window.server_cpu_s / without->deliveries;

    report_begin("stalled");
    report_number("streams", options->streams);
    report_number("deliveries", with->deliveries);
    report_window(&with->window, with->deliveries);
    report_number("without_per_cpu_s", 1 / plain);
    report_number("times_the_cost", with->window.server_cpu_s / with->deliveries / plain);
    report_number("more_bytes", with->bytes - without->bytes);
    report_end();
}

void scene_stalled(const struct options *options)
{
    struct half without = {.bytes = 0}, with = {.bytes = 0};
    struct loop loop;
    struct streams streams = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->stream_path},
        .await_ready = options->await_ready,
    };
    struct publisher publisher = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->post_path, .body = options->post_body},
        .connections = 1,
        .depth = options->posts,
    };
    unsigned rounds = (unsigned)(options->seconds * options->rate / options->posts);

    loop_create(&loop);
    streams_open(&streams, options->streams);
    publisher_open(&publisher);
    play_half(options, &publisher, &streams, rounds / 4 + 4, &without); /* fills histories */
    play_half(options, &publisher, &streams, rounds, &without);
    open_stalled(options);
    play_half(options, &publisher, &streams, rounds, &with);
    print(options, &without, &with);
}
