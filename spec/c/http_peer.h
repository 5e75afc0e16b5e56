/* http_peer: a scripted HTTP/1.1 server on loopback, in the loop of the test.
 * It reads requests and hands each to the test's `answer`, which says what it
 * wants whenever it wants: whole answers, halves, or the end. */
#pragma once

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/list.h"
#include "loop/watch.h"
#include "unit.h"

struct server {
    struct watch watch;
    int port;
    int accepted; /* connections, in all */
    struct list conns;
};

struct conn {
    struct watch watch;
    struct list node;
    struct server *server;
    struct buf in;    /* one request, while `answer` runs NUL-terminated */
    struct buf out;   /* what the socket did not take */
    bool close_after; /* what is in `out` */
};

static struct loop *loop;
static struct server here, there; /* two origins */
static struct conn *last_conn;    /* the one that asked last; NULL once it is gone */
static void (*answer)(struct conn *conn);
static const char *greeting; /* said at once to whoever connects */

static void conn_close(struct conn *conn)
{
    if (last_conn == conn) last_conn = NULL;
    watch_stop(&conn->watch);
    close(watch_fd(&conn->watch));
    list_remove(&conn->node);
    buf_destroy(&conn->in);
    buf_destroy(&conn->out);
    xfree(conn);
}

static void conn_flush(struct conn *conn)
{
    ssize_t took = send(watch_fd(&conn->watch), conn->out.data, conn->out.size, MSG_NOSIGNAL);
    if (took > 0) buf_consume(&conn->out, (size_t)took);
    watch_set(&conn->watch, WATCH_READ | (conn->out.size ? WATCH_WRITE : 0));
    if (conn->out.size == 0 && conn->close_after) conn_close(conn);
}

static void conn_send_bytes(struct conn *conn, const char *data, size_t size)
{
    buf_add(&conn->out, data, size);
    conn_flush(conn);
}

static void conn_send(struct conn *conn, const char *text)
{
    conn_send_bytes(conn, text, strlen(text));
}

static void conn_end(struct conn *conn)
{
    conn->close_after = true;
    conn_flush(conn);
}

/* A whole answer; `headers` end with CRLF each. */
static void reply(struct conn *conn, int status, const char *headers, const char *body)
{
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "HTTP/1.1 %d Word\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
               strlen(body), body);
    conn_send_bytes(conn, text.data, text.size);
    buf_destroy(&text);
}

static inline bool request_is(struct conn *conn, const char *line)
{
    return strncmp(conn->in.data, line, strlen(line)) == 0;
}

static inline bool request_has(struct conn *conn, const char *text)
{
    return strstr(conn->in.data, text) != NULL;
}

static bool request_whole(struct conn *conn)
{
    const char *text = buf_text(&conn->in);
    const char *end = strstr(text, "\r\n\r\n");
    if (!end) return false;
    const char *length = strcasestr(text, "\r\ncontent-length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return conn->in.size >= (size_t)(end - text) + 4 + body;
}

static void on_conn(struct watch *watch, int events)
{
    struct conn *conn = CONTAINER(watch, struct conn, watch);
    if (events & WATCH_WRITE) {
        conn_flush(conn);
        return;
    }
    char *room = buf_reserve(&conn->in, 65536);
    ssize_t took = recv(watch_fd(watch), room, 65536, 0);
    if (took <= 0) {
        conn_close(conn);
        return;
    }
    conn->in.size += (size_t)took;
    if (!request_whole(conn)) return;
    last_conn = conn;
    answer(conn);
    if (last_conn == conn) buf_clear(&conn->in);
}

static void on_accept(struct watch *watch, int events)
{
    (void)events;
    struct server *server = CONTAINER(watch, struct server, watch);
    int fd = accept(watch_fd(watch), NULL, NULL);
    if (fd < 0) return;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    server->accepted++;
    struct conn *conn = xcalloc(1, sizeof(*conn));
    conn->server = server;
    list_append(&server->conns, &conn->node);
    watch_create(&conn->watch, loop, fd, on_conn);
    watch_set(&conn->watch, WATCH_READ);
    if (greeting) conn_send(conn, greeting);
}

static void server_start(struct server *server)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    server->accepted = 0;
    list_create(&server->conns);
    watch_create(&server->watch, loop, fd, on_accept);
    watch_set(&server->watch, WATCH_READ);
}

static void server_stop(struct server *server)
{
    while (!list_empty(&server->conns))
        conn_close(CONTAINER(server->conns.next, struct conn, node));
    watch_stop(&server->watch);
    close(watch_fd(&server->watch));
}

/* "http://127.0.0.1:PORT/path" in memory that the next but three call overwrites. */
static const char *url_of(const struct server *server, const char *path)
{
    static char urls[4][256];
    static int turn;
    char *url = urls[turn++ % 4];
    snprintf(url, sizeof(urls[0]), "http://127.0.0.1:%d%s", server->port, path);
    return url;
}

static bool time_is_up;

static void on_time_up(struct timer *timer)
{
    (void)timer;
    time_is_up = true;
}

/* Turns the loop until the flag is set; false after ms without. */
static bool wait_for(const bool *flag, uint64_t ms)
{
    struct timer limit;
    memset(&limit, 0, sizeof(limit));
    timer_init(&limit, on_time_up);
    time_is_up = false;
    clock_after(loop_clock(loop), &limit, ms);
    while (!*flag && !time_is_up) loop_turn(loop, true);
    clock_cancel(loop_clock(loop), &limit);
    return *flag;
}

static void turn_for(uint64_t ms)
{
    const bool never = false;
    wait_for(&never, ms);
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}
