/*
 * load: the generator. `load SCENE --target 127.0.0.1:PORT [options]` plays one scene
 * against a server and prints one JSON object; bench/run puts scenes together to a
 * benchmark. One thread, one epoll descriptor; everything that a connection needs lies in
 * its own struct of about a hundred bytes.
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "proc.h"
#include "scene.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char help[] =
    "Usage: load SCENE --target ADDRESS:PORT[,ADDRESS:PORT...] [options]\n"
    "       load ports COUNT                 prints free ports of 127.0.0.1\n"
    "\n"
    "Scenes: idle, fanout, private, publish, connects, resumes, stalled, linked, sequences\n"
    "\n"
    "  --server PID       whose CPU time and memory are measured, descendants included\n"
    "  --others PID,...   whose CPU time counts as well, and is told for each (fanout, private, publish)\n"
    "  --seconds S        how long (2)\n"
    "  --streams N        open streams (1000)\n"
    "  --stream PATH      what they ask for; %d is the stream's number (/events?user=%d)\n"
    "  --open-at WHAT     a stream is open at its `ready` event or its first `byte` (ready)\n"
    "  --post PATH        what is posted to (/publish)\n"
    "  --body TEXT        what is posted; %t is the send time\n"
    "  --header LINE      one more header of a publish\n"
    "  --posts N          posts in a round of fanout; that resumes missed (1)\n"
    "  --frames N         that each post brings to each stream (1)\n"
    "  --connections N    of the publisher (8)\n"
    "  --depth N          requests under way on each (16)\n"
    "  --at-once N        connects under way (64)\n"
    "  --users N          that connects go round (10000)\n"
    "  --feed PORT        where the upstream listens (linked)\n"
    "  --payload TEXT     the data of an upstream event\n"
    "  --rate N           upstream events a second for the latency (5000)\n";

static const struct {
    const char *name;
    void (*play)(const struct options *options);
} scenes[] = {
    {"idle", scene_idle},         {"fanout", scene_fanout}, {"private", scene_private},
    {"publish", scene_publish},   {"connects", scene_connects}, {"resumes", scene_resumes},
    {"stalled", scene_stalled},   {"linked", scene_linked},     {"sequences", scene_sequences},
};

static unsigned count_of(const char *text)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (*end || count == 0 || count > 10000000) die("expected a count, got \"%s\"", text);
    return (unsigned)count;
}

static void read_count(const char *text, void *field)
{
    *(unsigned *)field = count_of(text);
}

static void read_number(const char *text, void *field)
{
    char *end;
    double number = strtod(text, &end);

    if (*end || !(number > 0)) die("expected a number above 0, got \"%s\"", text);
    *(double *)field = number;
}

static void read_others(const char *text, void *field)
{
    struct window_others *others = field;

    do {
        if (others->count == WINDOW_OTHERS) die("more than %d other processes", WINDOW_OTHERS);
        others->pids[others->count++] = (unsigned)strtoul(text, NULL, 10);
        text = strchr(text, ',');
    } while (text++);
}

static void read_text(const char *text, void *field)
{
    *(const char **)field = text;
}

static void read_open_at(const char *text, void *field)
{
    if (strcmp(text, "ready") != 0 && strcmp(text, "byte") != 0)
        die("--open-at is ready or byte, not \"%s\"", text);
    *(unsigned *)field = strcmp(text, "ready") == 0;
}

static const struct {
    const char *name;
    void (*read)(const char *text, void *field);
    size_t field;
} settings[] = {
    {"--target", read_text, offsetof(struct options, host)},
    {"--server", read_count, offsetof(struct options, server)},
    {"--others", read_others, offsetof(struct options, others)},
    {"--seconds", read_number, offsetof(struct options, seconds)},
    {"--streams", read_count, offsetof(struct options, streams)},
    {"--stream", read_text, offsetof(struct options, stream_path)},
    {"--open-at", read_open_at, offsetof(struct options, await_ready)},
    {"--post", read_text, offsetof(struct options, post_path)},
    {"--body", read_text, offsetof(struct options, post_body)},
    {"--header", read_text, offsetof(struct options, header)},
    {"--posts", read_count, offsetof(struct options, posts)},
    {"--frames", read_count, offsetof(struct options, frames)},
    {"--connections", read_count, offsetof(struct options, connections)},
    {"--depth", read_count, offsetof(struct options, depth)},
    {"--at-once", read_count, offsetof(struct options, at_once)},
    {"--users", read_count, offsetof(struct options, users)},
    {"--feed", read_count, offsetof(struct options, feed_port)},
    {"--payload", read_text, offsetof(struct options, feed_payload)},
    {"--rate", read_number, offsetof(struct options, rate)},
};

static void set(struct options *options, const char *name, const char *value)
{
    for (size_t i = 0; i < COUNT(settings); i++) {
        if (strcmp(name, settings[i].name) != 0) continue;
        if (!value) die("%s needs a value", name);
        settings[i].read(value, (char *)options + settings[i].field);
        return;
    }
    die("\"%s\" is not an option; see load --help", name);
}

static struct options read_options(char **words)
{
    struct options options = {
        .streams = 1000,
        .stream_path = "/events?user=%d",
        .await_ready = 1,
        .post_path = "/publish",
        .post_body = "{\"text\":\"%t\"}",
        .posts = 1,
        .frames = 1,
        .connections = 8,
        .depth = 16,
        .at_once = 64,
        .users = 10000,
        .feed_payload = "{\"text\":\"%t\"}",
        .rate = 5000,
        .seconds = 2,
    };

    for (; words[0]; words += 2) set(&options, words[0], words[1]);
    if (!options.host) die("--target is missing");
    options.targets = net_targets(options.host);
    options.host = strndup(options.host, strcspn(options.host, ","));
    return options;
}

/* All sockets stay open until all are bound, so that no port comes twice. */
static void print_ports(unsigned count)
{
    for (unsigned i = 0; i < count; i++) printf("%u\n", net_port(net_listen(0)));
}

static void check_descriptors(const struct options *options)
{
    unsigned spare = 64, limit = proc_descriptor_limit();

    if (options->streams + options->connections + spare > limit)
        die("%u streams need more than the %u descriptors that a process may have",
            options->streams, limit);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    if (strcmp(name, "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (strcmp(name, "ports") == 0) {
        print_ports(argc > 2 ? count_of(argv[2]) : 1);
        return 0;
    }
    for (size_t i = 0; i < COUNT(scenes); i++) {
        if (strcmp(name, scenes[i].name) != 0) continue;
        struct options options = read_options(argv + 2);

        check_descriptors(&options);
        scenes[i].play(&options);
        return 0;
    }
    die("there is no scene \"%s\"; see load --help", name);
}
