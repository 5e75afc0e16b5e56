/* A world for tests of http/: the real loop, one listener on a Unix socket, connections made of
 * socketpairs, and a handler that does what the path says. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/conn.h"
#include "http/http.h"
#include "http/listener.h"
#include "http/request.h"
#include "loop/logger.h"

static struct world {
    struct loop *loop;
    struct http *http;
    struct listener *listener;
    struct http_handler handler;
    struct exchange *parked; /* of /later */
    struct sink *sink;       /* of /stream */
    int handled, gone, writable;
    char why[32];
    struct buf seen; /* what the last request was: "GET /a?b [x]" */
} world;

static struct http_limits test_limits(void)
{
    return (struct http_limits){.max_head_bytes = 1024,
                                .max_body_bytes = 2048,
                                .head_timeout_ms = 60000,
                                .body_timeout_ms = 60000,
                                .keepalive_timeout_ms = 60000,
                                .stall_timeout_ms = 60000,
                                .max_connections = 1000};
}

static void answer_text(struct exchange *exchange, int status, struct bytes body)
{
    struct http_header header = {BYTES("Content-Type"), BYTES("text/plain")};
    struct http_response response = {status, &header, 1, body, false};
    exchange->ops->respond(exchange, &response);
}

static void on_sink_writable(void *owner)
{
    (void)owner;
    world.writable++;
}

static void on_sink_gone(void *owner, const char *why)
{
    assert_ptr_equal(owner, &world);
    world.gone++;
    world.sink = NULL;
    snprintf(world.why, sizeof(world.why), "%s", why);
}

static const struct sink_events sink_events = {on_sink_writable, on_sink_gone};

static void on_exchange_gone(void *owner)
{
    assert_ptr_equal(owner, &world);
    world.gone++;
    world.parked = NULL;
}

static void begin_stream(struct exchange *exchange)
{
    struct http_header header = {BYTES("Content-Type"), BYTES("text/event-stream")};
    world.sink = exchange->ops->stream(exchange, 200, &header, 1);
    world.sink->events = &sink_events;
    world.sink->owner = &world;
}

static void park(struct exchange *exchange)
{
    world.parked = exchange;
    exchange->gone = on_exchange_gone;
    exchange->owner = &world;
}

static void handle(struct http_handler *handler, struct exchange *exchange)
{
    (void)handler;
    const struct http_request *request = &exchange->request;
    world.handled++;
    buf_clear(&world.seen);
    buf_printf(&world.seen, "%.*s %.*s?%.*s [%.*s]", (int)request->method.size,
               request->method.data, (int)request->path.size, request->path.data,
               (int)request->query.size, request->query.data, (int)request->body.size,
               request->body.size ? request->body.data : "");
    static char large[1024 * 1024];
    struct http_header broken = {BYTES("X-Bad"), BYTES("a\r\nSet-Cookie: b")};
    if (bytes_is(request->path, "/later")) {
        park(exchange);
    } else if (bytes_is(request->path, "/stream")) {
        begin_stream(exchange);
    } else if (bytes_is(request->path, "/large")) {
        memset(large, 'x', sizeof(large));
        answer_text(exchange, 200, bytes_run(large, sizeof(large)));
    } else if (bytes_is(request->path, "/empty")) {
        answer_text(exchange, 204, BYTES(""));
    } else if (bytes_is(request->path, "/last")) {
        exchange->ops->respond(exchange, &(struct http_response){200, NULL, 0, BYTES("bye"), true});
    } else if (bytes_is(request->path, "/broken")) {
        exchange->ops->respond(exchange,
                               &(struct http_response){200, &broken, 1, BYTES(""), false});
    } else {
        answer_text(exchange, 200, buf_bytes(&world.seen));
    }
}

static void world_open(const struct http_limits *limits)
{
    static unsigned number;
    char address[64];
    struct buf error = BUF_EMPTY;
    snprintf(address, sizeof(address), "unix:/tmp/sluice-test-%d-%u", getpid(), number++);
    world = (struct world){.loop = loop_new()};
    logger_of(loop_log(world.loop))->log.level = LOG_ERROR;
    world.http = http_new(world.loop, limits);
    world.handler.handle = handle;
    world.listener = listener_open(world.http, address, &world.handler, &error);
    assert_non_null(world.listener);
}

static int world_close(void **state)
{
    (void)state;
    http_free(world.http);
    loop_free(world.loop);
    buf_destroy(&world.seen);
    return alloc_live() ? -1 : 0;
}

static int world_set_up(void **state)
{
    (void)state;
    struct http_limits limits = test_limits();
    world_open(&limits);
    return 0;
}

/* -- clients --------------------------------------------------------------- */

static void turns(void)
{
    for (int i = 0; i < 6; i++) loop_turn(world.loop, false);
}

/* The client's end of a new connection. */
__attribute__((unused)) static int client_new(void)
{
    int ends[2];
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    struct conn *conn = conn_new(world.listener, ends[1]);
    request_begin(conn, &local);
    return ends[0];
}

static void client_send(int fd, const char *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void client_say(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

/* Runs the loop and returns all that came; valid until the next call. */
static struct bytes client_read(int fd, bool *closed)
{
    static char text[2 * 1024 * 1024];
    size_t size = 0;
    *closed = false;
    for (int quiet = 0; quiet < 3;) {
        turns();
        ssize_t got = recv(fd, text + size, sizeof(text) - 1 - size, 0);
        if (got > 0) {
            size += (size_t)got;
            continue;
        }
        *closed = got == 0 || errno != EAGAIN;
        if (*closed) break;
        quiet++;
    }
    text[size] = '\0';
    return bytes_run(text, size);
}

static const char *ask(int fd, const char *request, bool *closed)
{
    bool ignored;
    client_say(fd, request);
    return client_read(fd, closed ? closed : &ignored).data;
}

static int status_of(const char *answer)
{
    int status = 0;
    if (sscanf(answer, "HTTP/1.1 %d ", &status) != 1) return 0;
    return status;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end ? end + 4 : "(no answer)";
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_close)
