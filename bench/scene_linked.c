#include "scene.h"

#include "clock.h"
#include "die.h"
#include "feed.h"
#include "loop.h"
#include "report.h"
#include "streams.h"

enum { LINKS_PATIENCE_S = 60 };

static void await_links(struct feed *feed)
{
    uint64_t start_ns = clock_now_ns();

    while (feed->live < feed->users) {
        loop_turn(feed->loop, 100);
        if (clock_seconds_since(start_ns) > LINKS_PATIENCE_S)
            die("only %u of %u links opened", feed->live, feed->users);
    }
}

/* One event to each link in turn, one a link under way, for so many seconds. */
static void send_flat_out(struct feed *feed, struct streams *streams, double seconds)
{
    uint64_t start = streams->deliveries;
    uint64_t sent = 0;
    uint64_t start_ns = clock_now_ns();
    uint64_t now_ns = start_ns;

    while ((double)(now_ns - start_ns) < seconds * 1e9) {
        for (; sent - (streams->deliveries - start) < feed->users; sent++)
            feed_send(feed, (unsigned)(sent % feed->users), now_ns);
        loop_turn(feed->loop, 1000);
        now_ns = clock_now_ns();
    }
    streams_await(streams, start + sent);
}

/* Events at a fixed rate. Each is stamped with the time at which it was due, not with the one at
 * which it left, so that a server that falls behind cannot make its latency look better. */
static void send_at_rate(struct feed *feed, struct streams *streams, double rate, double seconds)
{
    uint64_t start = streams->deliveries;
    uint64_t total = (uint64_t)(rate * seconds);
    uint64_t start_ns = clock_now_ns();

    for (uint64_t sent = 0; sent < total;) {
        uint64_t due_ns = start_ns + (uint64_t)((double)sent / rate * 1e9);

        if (clock_now_ns() >= due_ns)
            feed_send(feed, (unsigned)(sent++ % feed->users), due_ns);
        else
            loop_turn(feed->loop, 0);
    }
    streams_await(streams, start + total);
}

void scene_linked(const struct options *options)
{
    static struct latency latency;
    struct loop loop;
    struct window window = {.seconds = 0};
    struct feed feed = {
        .loop = &loop,
        .users = options->streams,
        .payload = options->feed_payload,
    };
    struct streams streams = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->stream_path},
        .await_ready = options->await_ready,
        .sample_every = 1,
        .latency = &latency,
    };

    loop_create(&loop);
    feed_open(&feed, options->feed_port);
    streams_open(&streams, options->streams);
    await_links(&feed);
    send_flat_out(&feed, &streams, 0.2); /* memory that only the first ones ask for */
    streams_reset(&streams);

    window_begin(&window, options->server);
    send_flat_out(&feed, &streams, options->seconds);
    window_end(&window);

    report_begin("linked");
    report_number("streams", options->streams);
    report_number("deliveries", (double)streams.deliveries);
    report_number("bytes_per_delivery", (double)streams.bytes / (double)streams.deliveries);
    report_window(&window, (double)streams.deliveries);
    streams_reset(&streams);
    send_at_rate(&feed, &streams, options->rate, options->seconds);
    report_number("resyncs", (double)streams.resyncs);
    report_number("rate", options->rate);
    report_number("links_accepted", (double)feed.accepted);
    report_latency(&latency);
    report_end();
}
