#include "scene.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "die.h"
#include "loop.h"
#include "publisher.h"
#include "report.h"
#include "storm.h"

#define LAST_ID "Last-Event-ID: "

enum { ID_BYTES = 256, TIME_MAX = 60 };

/* The last whole id line in front of the first event's data; 0: it is not there yet. */
static int find_id(const char *text, char *id)
{
    const char *data = strstr(text, "\ndata: {\"text\":");
    const char *at = text;
    const char *line = NULL;

    if (!data) data = strstr(text, "\ndata: t=");
    if (!data || !strstr(data + 1, "\n\n")) return 0;
    while ((at = strstr(at, "\nid: ")) && at < data) line = ++at;
    if (!line) die("an event came without an id");
    line += strlen("id: ");

    size_t length = strcspn(line, "\r\n");

    if (length >= ID_BYTES) die("an id is longer than %d bytes", ID_BYTES);
    memcpy(id, line, length);
    id[length] = '\0';
    return 1;
}

static int open_reader(const struct options *options)
{
    char request[2048];
    const struct request stream = {.host = options->host, .path = options->stream_path};
    size_t length = request_write(&stream, 0, 0, request, sizeof request);
    int fd = net_connect_any(&options->targets, 0);

    if (net_send(fd, request, length) < 0) die_errno("asking for a stream");
    return fd;
}

static void read_more(int fd, char *text, size_t size, size_t *length)
{
    ssize_t got = *length + 1 < size ? recv(fd, text + *length, size - *length - 1, 0) : 0;

    if (got <= 0) die("a stream that is to tell an id told none");
    *length += (size_t)got;
    text[*length] = '\0';
}

static void post(struct publisher *publisher, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!publisher_post(publisher, i, 1)) die("the depth is less than the posts");
    }
    publisher_flush(publisher);
    publisher_await(publisher);
    if (publisher->refused) die("a post was answered %d", publisher->refused_with);
}

/* A reader of its own sees one event, and its id. */
static void learn_id(const struct options *options, struct publisher *publisher, char *id)
{
    char text[16 * 1024];
    size_t length = 0;
    int fd = open_reader(options);

    do read_more(fd, text, sizeof text, &length);
    while (!strstr(text, options->await_ready ? "event: ready" : "\r\n\r\n"));
    post(publisher, 1);
    while (!find_id(text, id)) read_more(fd, text, sizeof text, &length);
    close(fd);
}

void scene_resumes(const struct options *options)
{
    static struct latency latency;
    static char header[sizeof LAST_ID + ID_BYTES] = LAST_ID;
    struct loop loop;
    struct window window = {.seconds = 0};
    struct publisher publisher = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->post_path, .body = options->post_body},
        .connections = 1,
        .depth = options->posts,
    };
    struct storm storm = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->stream_path, .header = header},
        .users = options->users,
        .at_once = options->users,
        .limit = options->users,
        .await_events = options->posts,
        .latency = &latency,
    };

    loop_create(&loop);
    publisher_open(&publisher);
    learn_id(options, &publisher, header + strlen(LAST_ID));
    post(&publisher, options->posts);

    window_begin(&window, options->server);
    storm_run(&storm, TIME_MAX);
    window_end(&window);
    if (storm.refused) die("%lu resumes were answered %d", (unsigned long)storm.refused, storm.refused_with);

    report_begin("resumes");
    report_number("resumes", (double)storm.served);
    report_number("deliveries", (double)storm.served * options->posts);
    report_window(&window, (double)storm.served);
    report_latency(&latency);
    report_end();
}
