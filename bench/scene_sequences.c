/*
 * Sequences: every stream checks its own. Rooms of ROOM_STREAMS streams each, links that carry the
 * rooms' events in turn, each room's numbered from 1, and once a second one for everybody. A
 * stream that is closed, lacks an event or gets one out of its turn or twice ends the program.
 */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "feed.h"
#include "loop.h"
#include "report.h"
#include "stamp.h"
#include "streams.h"

enum { LINKS = 20, ROOM_STREAMS = 10, PATIENCE_S = 60 };

struct seen {
    uint64_t room, everybody; /* the last numbers */
};

static struct seen *seen;
static struct latency latency;

static void check(unsigned number, uint64_t *last, const char *what, uint64_t got)
{
    if (got != *last + 1)
        die("stream %u: after %s event %lu came %lu", number, what, (unsigned long)*last,
            (unsigned long)got);
    *last = got;
}

/* "data: n=12", "data: b=12", "data: t=0000000000000012" */
static void on_data(unsigned number, const char *line, size_t length)
{
    const char *value = line + strlen("data: x=");
    const char kind = length > strlen("data: x=") ? value[-2] : 0;

    if (kind == 'n') check(number, &seen[number].room, "room", strtoull(value, NULL, 10));
    if (kind == 'b') check(number, &seen[number].everybody, "broadcast", strtoull(value, NULL, 10));
    if (kind == 't') latency_add(&latency, stamp_age_ns(value, clock_now_ns()));
}

static void send_one(struct feed *feed, unsigned link, const char *format, unsigned room,
                     uint64_t number, uint64_t due_ns)
{
    char event[128], stamp[STAMP_DIGITS + 1] = "";

    stamp_write(stamp, due_ns);
    int length = snprintf(event, sizeof event, format, room, (unsigned long)number, stamp);
    feed_send_event(feed, link, event, (size_t)length);
}

static void send_at_rate(struct feed *feed, struct streams *streams, const struct options *options)
{
    const unsigned rooms = options->streams / ROOM_STREAMS;
    const uint64_t total = (uint64_t)(options->rate * options->seconds);
    const uint64_t start_ns = clock_now_ns();
    uint64_t sent = 0, broadcasts = 0;

    while (sent < total) {
        const uint64_t due_ns = start_ns + (uint64_t)((double)sent / options->rate * 1e9);
        const unsigned room = (unsigned)(sent % rooms);

        if (clock_now_ns() < due_ns) {
            loop_turn(streams->loop, 0);
            continue;
        }
        if (due_ns - start_ns >= broadcasts * 1000000000u)
            send_one(feed, 0, "event: all\ndata: %u b=%lu\ndata: t=%s\n\n", 0, ++broadcasts, due_ns);
        send_one(feed, room % LINKS, "event: say\ndata: %u n=%lu\ndata: t=%s\n\n", room,
                 sent / rooms + 1, due_ns);
        sent++;
    }
    streams_await(streams, total * ROOM_STREAMS + broadcasts * options->streams);
}

void scene_sequences(const struct options *options)
{
    struct loop loop;
    struct window window = {.seconds = 0};
    struct feed feed = {.loop = &loop, .users = LINKS};
    struct streams streams = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->stream_path},
        .await_ready = 1,
        .on_data = on_data,
    };
    const uint64_t start_ns = clock_now_ns();

    if (options->streams % (ROOM_STREAMS * LINKS) != 0)
        die("sequences needs a multiple of %d streams", ROOM_STREAMS * LINKS);
    seen = zalloc(options->streams, sizeof *seen);
    loop_create(&loop);
    feed_open(&feed, options->feed_port);
    streams_open(&streams, options->streams);
    while (feed.live < LINKS) {
        loop_turn(&loop, 100);
        if (clock_seconds_since(start_ns) > PATIENCE_S) die("only %u links opened", feed.live);
    }
    for (int i = 0; i < 20; i++) loop_turn(&loop, 10); /* what a first opening tells */
    streams_reset(&streams);
    latency_reset(&latency);

    fputs("begun\n", stderr);
    window_begin(&window, options->server);
    send_at_rate(&feed, &streams, options);
    window_end(&window);

    report_begin("sequences");
    report_number("streams", options->streams);
    report_number("deliveries", (double)streams.deliveries);
    report_number("resyncs", (double)streams.resyncs);
    report_number("links_accepted", (double)feed.accepted);
    report_window(&window, (double)streams.deliveries);
    report_latency(&latency);
    report_end();
}
