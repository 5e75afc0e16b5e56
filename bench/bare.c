/*
 * bare: the least that a server can do, the floor that every figure is a ratio to. It has
 * no topics, no history, no queues, no scripting; it answers a stream's headers and a
 * `ready` event, keeps the socket, and on a POST send()s one prebuilt frame to each socket
 * that it concerns, stamped with the post's time.
 *
 *   GET  /events?user=N   a stream
 *   GET  /linked?user=N   a stream whose user has an upstream link too (relay.h)
 *   POST /publish         one frame to every stream
 *   POST /publish?user=N  one frame to that stream
 *   POST /burst?n=K       K frames to every stream
 *
 * Plain, it makes one system call a frame and a post's answer. With --joining it sends at
 * once what waits for a socket: a burst's K frames, the answers to the posts of one read.
 *
 * Sockets are blocking: a full one holds everything up, which costs time and no CPU, and
 * CPU is what is measured.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "die.h"
#include "loop.h"
#include "net.h"
#include "proc.h"
#include "relay.h"
#include "stamp.h"

enum { USERS = 1 << 20, READ_BYTES = 64 * 1024, FRAMES_MAX = 1000, ANSWERS_BYTES = 32 * 1024 };

struct conn {
    struct source source;
    unsigned user;  /* of a stream */
    unsigned place; /* of a stream in bare.streams */
    uint8_t is_stream;
    struct relay *relay;
    char *rest; /* the beginning of a request that is not complete yet */
    size_t rest_length;
};

static struct {
    struct loop loop;
    struct source listener;
    struct conn **streams;
    struct conn **by_user;
    unsigned count;
    int joining;
    int has_feed;
    struct sockaddr_in feed;
    char *frames; /* FRAMES_MAX times the frame */
    size_t frame_length;
    size_t digits_at; /* where a frame's stamp is */
    char answers[ANSWERS_BYTES];
    size_t answers_length;
} bare;

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n"
    "event: ready\ndata: {\"resumed\":false,\"missed\":null}\n\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static const char refusal[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/* A frame as sluice's: an id, a name, 100 bytes of data. */
static void build_frames(void)
{
    char frame[256];
    int length = snprintf(frame, sizeof frame, "id: 0123456789abcdef0123456789abcdef\nevent: tick\ndata: ");

    bare.digits_at = (size_t)length + 2;
    length += snprintf(frame + length, sizeof frame - (size_t)length, "t=%016d %081d\n\n", 0, 0);
    bare.frame_length = (size_t)length;
    bare.frames = zalloc(FRAMES_MAX, bare.frame_length);
    for (int i = 0; i < FRAMES_MAX; i++)
        memcpy(bare.frames + (size_t)i * bare.frame_length, frame, bare.frame_length);
}

static void stamp_frames(const char *body, size_t length, unsigned count)
{
    const char *digits = stamp_find(body, length);

    for (unsigned i = 0; digits && i < count; i++)
        memcpy(bare.frames + i * bare.frame_length + bare.digits_at, digits, STAMP_DIGITS);
}

/* A failed send is a stream that has gone; its own event closes it. */
static void send_frames(struct conn *conn, unsigned count)
{
    net_send(conn->source.fd, bare.frames, count * bare.frame_length);
}

static void publish(struct conn *only, unsigned frames)
{
    unsigned rounds = bare.joining ? 1 : frames;
    unsigned at_once = bare.joining ? frames : 1;

    for (unsigned round = 0; round < rounds; round++) {
        if (only) {
            send_frames(only, at_once);
            continue;
        }
        for (unsigned i = 0; i < bare.count; i++) send_frames(bare.streams[i], at_once);
    }
}

static void relay_to_stream(void *owner, unsigned events, const char *data, size_t length)
{
    unsigned count = events < FRAMES_MAX ? events : FRAMES_MAX;

    if (data) stamp_frames(data, length, count);
    publish(owner, count);
}

static void close_conn(struct conn *conn)
{
    if (conn->is_stream) {
        struct conn *last = bare.streams[--bare.count];

        bare.streams[conn->place] = last;
        last->place = conn->place;
        if (bare.by_user[conn->user] == conn) bare.by_user[conn->user] = NULL;
    }
    if (conn->relay) relay_close(conn->relay);
    loop_close(&bare.loop, &conn->source);
    free(conn->rest);
    free(conn);
}

static void flush_answers(struct conn *conn)
{
    if (bare.answers_length) net_send(conn->source.fd, bare.answers, bare.answers_length);
    bare.answers_length = 0;
}

static void say(struct conn *conn, const char *text, size_t length)
{
    if (bare.answers_length + length > ANSWERS_BYTES) flush_answers(conn);
    memcpy(bare.answers + bare.answers_length, text, length);
    bare.answers_length += length;
    if (!bare.joining) flush_answers(conn);
}

static unsigned query_number(const char *head, const char *name, unsigned otherwise)
{
    const char *line_end = strstr(head, "\r\n");
    const char *found = memmem(head, (size_t)(line_end - head), name, strlen(name));

    return found ? (unsigned)strtoul(found + strlen(name), NULL, 10) : otherwise;
}

static void begin_stream(struct conn *conn, const char *head)
{
    conn->user = query_number(head, "user=", 0) % USERS;
    conn->place = bare.count;
    conn->is_stream = 1;
    bare.streams[bare.count++] = conn;
    bare.by_user[conn->user] = conn;
    net_send(conn->source.fd, stream_head, sizeof stream_head - 1);
    if (bare.has_feed && strncmp(head, "GET /linked", 11) == 0)
        conn->relay = relay_open(&bare.loop, &bare.feed, conn->user, relay_to_stream, conn);
}

static void answer_post(struct conn *conn, const char *head, const char *body, size_t length)
{
    unsigned frames = query_number(head, "n=", 1);
    unsigned user = query_number(head, "user=", USERS);
    struct conn *only = user < USERS ? bare.by_user[user] : NULL;

    if (frames > FRAMES_MAX || (user < USERS && !only)) {
        say(conn, refusal, sizeof refusal - 1);
        return;
    }
    stamp_frames(body, length, bare.joining ? frames : 1);
    publish(only, frames);
    say(conn, answer, sizeof answer - 1);
}

/* Takes one request from the text (NUL-terminated); returns its length, 0 if incomplete. */
static size_t take_request(struct conn *conn, const char *text, size_t length)
{
    const char *head_end = strstr(text, "\r\n\r\n");

    if (!head_end) return 0;

    size_t head_length = (size_t)(head_end + 4 - text);
    const char *field = memmem(text, head_length, "Content-Length: ", 16);
    size_t body_length = field ? strtoul(field + 16, NULL, 10) : 0;

    if (head_length + body_length > length) return 0;
    if (strncmp(text, "GET ", 4) == 0)
        begin_stream(conn, text);
    else
        answer_post(conn, text, text + head_length, body_length);
    return head_length + body_length;
}

static void keep_rest(struct conn *conn, const char *rest, size_t length)
{
    if (length == 0) return;
    conn->rest = zalloc(1, length);
    conn->rest_length = length;
    memcpy(conn->rest, rest, length);
}

static size_t take_rest(struct conn *conn, char *buffer)
{
    size_t length = conn->rest_length;

    if (length) memcpy(buffer, conn->rest, length);
    free(conn->rest);
    conn->rest = NULL;
    conn->rest_length = 0;
    return length;
}

static void conn_ready(struct source *source, uint32_t events)
{
    static char buffer[READ_BYTES + 1];
    struct conn *conn = (struct conn *)source;
    size_t length = take_rest(conn, buffer);
    size_t done = 0, taken;
    ssize_t got = recv(source->fd, buffer + length, READ_BYTES - length, MSG_DONTWAIT);

    (void)events;
    if (got <= 0) {
        close_conn(conn);
        return;
    }
    length += (size_t)got;
    buffer[length] = '\0';
    while ((taken = take_request(conn, buffer + done, length - done))) done += taken;
    flush_answers(conn);
    keep_rest(conn, buffer + done, length - done);
}

static void listener_ready(struct source *source, uint32_t events)
{
    int fd;

    (void)events;
    while ((fd = net_accept(source->fd)) >= 0) {
        struct conn *conn = zalloc(1, sizeof *conn);

        conn->source.ready = conn_ready;
        loop_add(&bare.loop, &conn->source, fd, EPOLLIN);
    }
}

int main(int argc, char **argv)
{
    unsigned port = 0;
    int letter;

    while ((letter = getopt(argc, argv, "p:f:j")) != -1) {
        if (letter == 'p')
            port = (unsigned)atoi(optarg);
        else if (letter == 'j')
            bare.joining = 1;
        else if (letter == 'f')
            bare.feed = net_address(optarg), bare.has_feed = 1;
        else
            die("usage: bare -p PORT [-j (joining)] [-f ADDRESS:PORT (the upstream of /linked)]");
    }
    proc_descriptor_limit();
    build_frames();
    bare.streams = zalloc(USERS, sizeof(struct conn *));
    bare.by_user = zalloc(USERS, sizeof(struct conn *));
    loop_create(&bare.loop);
    bare.listener.ready = listener_ready;
    loop_add(&bare.loop, &bare.listener, net_listen(port), EPOLLIN);
    for (;;) loop_turn(&bare.loop, -1);
}
