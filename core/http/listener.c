/* Options that accepted sockets inherit on Linux are set once, on the listening
 * socket: TCP_NODELAY (what is written is whole) and TCP_USER_TIMEOUT (a peer that
 * does not acknowledge for stall_timeout is gone, streams included). So a
 * connection costs accept4 and its own reads and writes.
 *
 * Out of descriptors, a level-triggered listener would spin. The reserve is given
 * up for a moment to accept the connection and hang up on it, which empties the
 * backlog and tells the client something. */
#include "http/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/conn.h"
#include "http/request.h"
#include "http/response.h"
#include "http/socket.h"

enum { ACCEPT_BATCH = 64 };

/* -- accepting ------------------------------------------------------------- */

/* A short farewell, as far as the socket takes it; the request is read first, lest the kernel
 * reset the connection over unread bytes. */
static void turn_away(struct http *http, int fd, enum http_refusal why, const char *message)
{
    static const struct http_header headers[] = {{BYTES("content-type"), BYTES("application/json")},
                                                 {BYTES("cache-control"), BYTES("no-store")},
                                                 {BYTES("retry-after"), BYTES("5")}};
    struct buf body = BUF_EMPTY;
    response_error(&body, "full", message);
    struct response_head head = {.status = 503,
                                 .headers = headers,
                                 .header_count = 3,
                                 .sized = true,
                                 .body_size = body.size,
                                 .close = true,
                                 .date = http_date(http)};
    buf_clear(&http->output);
    response_write(&http->output, &head);
    buf_add_bytes(&http->output, buf_bytes(&body));
    ssize_t got = recv(fd, http->input, HTTP_INPUT_BYTES, 0);
    ssize_t sent = send(fd, http->output.data, http->output.size, MSG_NOSIGNAL);
    (void)got, (void)sent;
    close(fd);
    buf_destroy(&body);
    http->counters.refused[why]++;
}

static void out_of_files(struct listener *listener, int error)
{
    struct http *http = listener->http;
    if (!http->out_of_files)
        LOG(http->log, LOG_ERROR, "connection refused: no descriptor left",
            F_TEXT("listener", listener->bound), F_TEXT("error", strerror(error)));
    http->out_of_files = true;
    http->counters.refused[HTTP_REFUSED_FILES]++;
    if (http->reserve_fd >= 0) close(http->reserve_fd);
    int fd = accept4(watch_fd(&listener->watch), NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    http->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Among the connections of its address; *place NULL: they are not counted. False: there are as many as
 * may be. */
static bool find_place(struct http *http, const struct sockaddr *peer, struct kind **place)
{
    const uint32_t most = http->limits.max_per_address;
    char text[PROXIES_ADDRESS_BYTES];
    uint8_t network[16];
    *place = NULL;
    if (!most || !address_network(peer, network)) return true;
    address_write_peer(peer, text);
    if (proxies_trust(&http->proxies, bytes_of(text))) return true;
    *place = kinds_enter(&http->addresses, bytes_run((const char *)network, sizeof(network)), most);
    return *place != NULL;
}

/* Accepts one; false: there is none, or none can be had now. */
static bool accept_one(struct listener *listener)
{
    struct http *http = listener->http;
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    struct sockaddr *name = (struct sockaddr *)&peer;
    int fd = accept4(watch_fd(&listener->watch), name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            out_of_files(listener, errno);
        return errno == ECONNABORTED || errno == EINTR;
    }
    http->out_of_files = false;
    if (http->counters.open >= http->limits.max_connections) {
        turn_away(http, fd, HTTP_REFUSED_FULL, "too many connections are open");
        return true;
    }
    struct kind *place;
    if (!find_place(http, name, &place)) {
        turn_away(http, fd, HTTP_REFUSED_ADDRESS, "your address has too many connections open");
        return true;
    }
    struct conn *conn = conn_new(listener, fd);
    conn->place = place;
    request_begin(conn, name);
    return true;
}

static void on_ready(struct watch *watch, int events)
{
    (void)events;
    struct listener *listener = CONTAINER(watch, struct listener, watch);
    /* A handler may close its listener. */
    for (int i = 0; i < ACCEPT_BATCH && !listener->closed; i++)
        if (!accept_one(listener)) break;
}

/* -- opening --------------------------------------------------------------- */

static void set_option(int fd, int level, int option, int value)
{
    /* None of them is needed to serve. */
    setsockopt(fd, level, option, &value, sizeof(value));
}

static void limit(const struct http *http, int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)http->limits.stall_timeout_ms);
}

static struct listener *begin(struct http *http, int fd, const char *text,
                              const struct address *address, struct http_handler *handler)
{
    struct listener *listener = xcalloc(1, sizeof(*listener));
    struct buf bound = BUF_EMPTY;
    listener->http = http;
    listener->handler = handler;
    listener->name = xstrdup(text);
    listener->address = *address;
    list_create(&listener->conns);
    list_append(&http->listeners, &listener->node);
    address_write(address, &bound);
    listener->bound = buf_take(&bound);
    if (address->name.ss_family != AF_UNIX) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        limit(http, fd);
    }
    watch_create(&listener->watch, http->loop, fd, on_ready);
    watch_set(&listener->watch, WATCH_READ);
    return listener;
}

static struct listener *open_new(struct http *http, const char *text, enum socket_use use,
                                 struct http_handler *handler, struct buf *error)
{
    struct address address;
    const int fd = socket_open(text, use, &address, error);
    if (fd < 0) return NULL;
    struct listener *listener = begin(http, fd, text, &address, handler);
    socket_file_note(&listener->file, &address);
    return listener;
}

struct listener *listener_open(struct http *http, const char *text, struct http_handler *handler,
                               struct buf *error)
{
    return open_new(http, text, SOCKET_LISTEN, handler, error);
}

struct listener *listener_share(struct http *http, const char *text, struct http_handler *handler,
                                struct buf *error)
{
    return open_new(http, text, SOCKET_SHARE, handler, error);
}

struct listener *listener_take(struct http *http, int fd, const char *text,
                               struct http_handler *handler, struct buf *error)
{
    struct address address = {.size = sizeof(address.name)};
    int type = 0, listens = 0;
    socklen_t size = sizeof(int);
    const bool good = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
                      getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
                      type == SOCK_STREAM && listens &&
                      getsockname(fd, (struct sockaddr *)&address.name, &address.size) == 0;
    if (!good) {
        buf_printf(error, "cannot listen on %s: what was passed is no stream socket that listens",
                   text);
        close(fd);
        return NULL;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return begin(http, fd, text, &address, handler); /* the file is not ours to remove */
}

void listener_trust(struct listener *listener)
{
    listener->trusted = true;
}

void listener_limit(struct listener *listener)
{
    if (!listener->closed && listener->address.name.ss_family != AF_UNIX)
        limit(listener->http, watch_fd(&listener->watch));
}

/* -- closing --------------------------------------------------------------- */

static void free_if_done(struct listener *listener)
{
    if (!listener->closed || listener->held) return;
    list_remove(&listener->node);
    xfree(listener->name);
    xfree(listener->bound);
    xfree(listener);
}

static void stop_listening(struct listener *listener)
{
    if (listener->closed) return;
    listener->closed = true;
    socket_file_remove(&listener->file, &listener->address);
    watch_stop(&listener->watch);
    close(watch_fd(&listener->watch));
}

void listener_close(struct listener *listener)
{
    stop_listening(listener);
    LIST_EACH(node, &listener->conns)
    {
        struct conn *conn = CONTAINER(node, struct conn, node);
        if (!conn->is_stream) request_drain(conn);
    }
    free_if_done(listener);
}

void listener_abort(struct listener *listener)
{
    stop_listening(listener);
    LIST_EACH(node, &listener->conns) conn_close(CONTAINER(node, struct conn, node), "shutdown");
    free_if_done(listener);
}

void listener_released(struct listener *listener)
{
    listener->held--;
    free_if_done(listener);
}

struct listener *listener_at(struct list *node)
{
    return CONTAINER(node, struct listener, node);
}

const char *listener_address(const struct listener *listener)
{
    return listener->bound;
}
