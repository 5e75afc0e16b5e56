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
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/conn.h"
#include "http/request.h"
#include "http/response.h"

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
static bool find_place(struct http *http, const struct sockaddr *peer, struct crowd_count **place)
{
    const uint32_t most = http->limits.max_per_address;
    char text[PROXIES_ADDRESS_BYTES];
    uint8_t network[16];
    *place = NULL;
    if (!most || !address_network(peer, network)) return true;
    address_write_peer(peer, text);
    if (proxies_trust(&http->proxies, bytes_of(text))) return true;
    *place = crowd_enter(&http->addresses, bytes_run((const char *)network, sizeof(network)), most);
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
    struct crowd_count *place;
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

static int open_socket(const struct http *http, const struct address *address)
{
    int family = address->name.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || family == AF_UNIX) return fd;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    limit(http, fd);
    if (family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address->every);
    return fd;
}

/* A socket file that refuses connections was left behind by a process that is no more. */
static bool is_stale(const struct address *address)
{
    struct stat file;
    if (lstat(address_path(address), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    int status = connect(fd, (const struct sockaddr *)&address->name, address->size);
    bool refused = status != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_socket(int fd, const struct address *address)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->name;
    if (bind(fd, name, address->size) == 0) return 0;
    if (errno != EADDRINUSE || !address_path(address)) return -1;
    if (!is_stale(address)) {
        errno = EADDRINUSE;
        return -1;
    }
    unlink(address_path(address));
    return bind(fd, name, address->size);
}

/* Returns the listening descriptor, or -1 with errno. */
static int listen_at(const struct http *http, struct address *address)
{
    int fd = open_socket(http, address);
    if (fd < 0) return -1;
    if (bind_socket(fd, address) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void explain(struct buf *error, const struct address *address, const char *text, int number)
{
    buf_printf(error, "cannot listen on %s: ", text);
    if (number == EADDRINUSE && address_path(address))
        buf_add_text(error, "another process answers there, or the file is no socket");
    else if (number == EADDRINUSE)
        buf_add_text(error, "the port is taken");
    else if (number == EADDRNOTAVAIL)
        buf_add_text(error, "this machine has no such address");
    else if (number == EACCES && !address_path(address))
        buf_add_text(error, "ports below 1024 need a privilege");
    else
        buf_add_text(error, strerror(number));
}

/* What the kernel made of it: the port, the file. */
static void note_bound(struct listener *listener, int fd)
{
    struct buf bound = BUF_EMPTY;
    struct stat file;
    const char *path = address_path(&listener->address);
    if (!path) {
        listener->address.size = sizeof(listener->address.name);
        getsockname(fd, (struct sockaddr *)&listener->address.name, &listener->address.size);
    } else if (lstat(path, &file) == 0) {
        listener->device = file.st_dev;
        listener->inode = file.st_ino;
    }
    address_write(&listener->address, &bound);
    listener->bound = buf_take(&bound);
}

static struct listener *begin(struct http *http, int fd, const char *text,
                              const struct address *address, struct http_handler *handler)
{
    struct listener *listener = xcalloc(1, sizeof(*listener));
    listener->http = http;
    listener->handler = handler;
    listener->name = xstrdup(text);
    listener->address = *address;
    list_create(&listener->conns);
    list_append(&http->listeners, &listener->node);
    note_bound(listener, fd);
    watch_create(&listener->watch, http->loop, fd, on_ready);
    watch_set(&listener->watch, WATCH_READ);
    return listener;
}

struct listener *listener_open(struct http *http, const char *text, struct http_handler *handler,
                               struct buf *error)
{
    struct address address;
    if (!address_read(&address, text, error)) return NULL;
    int fd = listen_at(http, &address);
    if (fd < 0 && address.every && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        address_every4(&address);
        fd = listen_at(http, &address);
    }
    if (fd < 0) {
        explain(error, &address, text, errno);
        return NULL;
    }
    return begin(http, fd, text, &address, handler);
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
    if (address.name.ss_family != AF_UNIX) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        limit(http, fd);
    }
    struct listener *listener = begin(http, fd, text, &address, handler);
    listener->inode = 0; /* the file is not ours to remove */
    return listener;
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
    struct stat file;
    const char *path = address_path(&listener->address);
    if (listener->closed) return;
    listener->closed = true;
    if (path && lstat(path, &file) == 0 && file.st_dev == listener->device &&
        file.st_ino == listener->inode)
        unlink(path);
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
