/* The thread of a look-up blocks all signals - the watchdog's and the server's are for the thread that runs
 * Lua - and touches nothing of ours but its own struct, which the loop's thread frees: base/alloc counts without
 * locks. */
#include "peers/redis_dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"

struct lookup {
    struct watch watch;       /* of the pipe's end that is ours */
    struct redis_dial *dial;  /* NULL: nobody waits for it any more */
    int theirs;               /* the thread's end */
    int code;                 /* of getaddrinfo */
    struct addrinfo *found;
    char port[8];
    char host[];
};

enum { ALIVE_IDLE_S = 15, ALIVE_EVERY_S = 5, ALIVE_TIMES = 3 };

static void try_next(struct redis_dial *dial);

static void finish(struct redis_dial *dial, int fd, const char *why)
{
    redis_dial_stop(dial);
    dial->done(dial, fd, why);
}

/* ---- connecting ---- */

static socklen_t size_of(const struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(struct sockaddr_un);
    }
}

static void note(struct redis_dial *dial, int code)
{
    snprintf(dial->_why, sizeof(dial->_why), "cannot connect: %s", strerror(code));
}

static void drop_socket(struct redis_dial *dial)
{
    if (dial->_fd < 0) return;
    watch_stop(&dial->_watch);
    close(dial->_fd);
    dial->_fd = -1;
}

/* A peer's host that went without a word is found by the kernel, where no command is under way. */
static void keep_alive(int fd)
{
    const int on = 1, idle = ALIVE_IDLE_S, every = ALIVE_EVERY_S, times = ALIVE_TIMES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

static void on_connected(struct redis_dial *dial)
{
    int code = 0;
    socklen_t size = sizeof(code);
    if (getsockopt(dial->_fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0) code = errno;
    if (code) {
        note(dial, code);
        drop_socket(dial);
        try_next(dial);
        return;
    }
    watch_stop(&dial->_watch);
    const int fd = dial->_fd;
    dial->_fd = -1;
    if (dial->_addresses[dial->_next - 1].ss_family != AF_UNIX) keep_alive(fd);
    finish(dial, fd, NULL);
}

static void on_ready(struct watch *watch, int events)
{
    (void)events;
    on_connected(CONTAINER(watch, struct redis_dial, _watch));
}

/* False: this address cannot be had. A full backlog of a Unix socket is EAGAIN. */
static bool begin(struct redis_dial *dial, const struct sockaddr_storage *address)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        note(dial, errno);
        return false;
    }
    if (connect(fd, (const struct sockaddr *)address, size_of(address)) < 0 &&
        errno != EINPROGRESS) {
        note(dial, errno);
        close(fd);
        return false;
    }
    dial->_fd = fd;
    watch_create(&dial->_watch, dial->_loop, fd, on_ready);
    watch_set(&dial->_watch, WATCH_WRITE);
    return true;
}

static void try_next(struct redis_dial *dial)
{
    while (dial->_next < dial->_count)
        if (begin(dial, &dial->_addresses[dial->_next++])) return;
    char why[sizeof(dial->_why)];
    memcpy(why, dial->_why, sizeof(why));
    finish(dial, -1, why);
}

static void on_soon(struct timer *timer)
{
    try_next(CONTAINER(timer, struct redis_dial, _soon));
}

/* ---- addresses ---- */

static void add_address(struct redis_dial *dial, const void *address, socklen_t size)
{
    if (dial->_count == DIAL_ADDRESSES) return;
    memcpy(&dial->_addresses[dial->_count++], address, size);
}

static bool add_numeric(struct redis_dial *dial, const char *host, uint16_t port)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, host, &four.sin_addr) == 1)
        add_address(dial, &four, sizeof(four));
    else if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1)
        add_address(dial, &six, sizeof(six));
    else
        return false;
    return true;
}

static void add_path(struct redis_dial *dial, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    add_address(dial, &address, sizeof(address));
}

/* ---- looking up names ---- */

static void *run_lookup(void *owner)
{
    struct lookup *lookup = owner;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    lookup->code = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->found);
    close(lookup->theirs); /* the last that it touches: the loop reads the pipe's end */
    return NULL;
}

static void free_lookup(struct lookup *lookup)
{
    watch_stop(&lookup->watch);
    close(watch_fd(&lookup->watch));
    if (lookup->found) freeaddrinfo(lookup->found);
    xfree(lookup);
}

static void on_looked_up(struct watch *watch, int events)
{
    (void)events;
    struct lookup *lookup = CONTAINER(watch, struct lookup, watch);
    struct redis_dial *dial = lookup->dial;
    if (dial) {
        dial->_lookup = NULL;
        snprintf(dial->_why, sizeof(dial->_why), "the name is not known: %s",
                 lookup->code ? gai_strerror(lookup->code) : "no address");
        for (struct addrinfo *each = lookup->code ? NULL : lookup->found; each; each = each->ai_next)
            add_address(dial, each->ai_addr, each->ai_addrlen);
    }
    free_lookup(lookup);
    if (dial) try_next(dial);
}

/* A thread of its own, not waited for. */
static int start_thread(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&thread, &attributes, run_lookup, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code;
}

static void look_up(struct redis_dial *dial, const char *host, uint16_t port)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        note(dial, errno);
        clock_after(loop_clock(dial->_loop), &dial->_soon, 0);
        return;
    }
    struct lookup *lookup = xcalloc(1, sizeof(*lookup) + strlen(host) + 1);
    strcpy(lookup->host, host);
    snprintf(lookup->port, sizeof(lookup->port), "%u", port);
    lookup->dial = dial;
    lookup->theirs = ends[1];
    watch_create(&lookup->watch, dial->_loop, ends[0], on_looked_up);
    int code = start_thread(lookup);
    if (code) {
        note(dial, code);
        close(ends[1]);
        free_lookup(lookup);
        clock_after(loop_clock(dial->_loop), &dial->_soon, 0);
        return;
    }
    dial->_lookup = lookup;
    watch_set(&lookup->watch, WATCH_READ);
}

/* ---- the dial ---- */

void redis_dial_create(struct redis_dial *dial, struct loop *loop,
                       void (*done)(struct redis_dial *dial, int fd, const char *why))
{
    *dial = (struct redis_dial){._loop = loop, ._fd = -1, .done = done};
    timer_init(&dial->_soon, on_soon);
}

void redis_dial_start(struct redis_dial *dial, const char *path, const char *host, uint16_t port)
{
    redis_dial_stop(dial);
    dial->_count = dial->_next = 0;
    dial->_why[0] = '\0';
    if (path) {
        add_path(dial, path);
    } else if (!strcasecmp(host, "localhost")) {
        add_numeric(dial, "127.0.0.1", port);
        add_numeric(dial, "::1", port);
    } else if (!add_numeric(dial, host, port)) {
        look_up(dial, host, port);
        return;
    }
    clock_after(loop_clock(dial->_loop), &dial->_soon, 0);
}

void redis_dial_stop(struct redis_dial *dial)
{
    clock_cancel(loop_clock(dial->_loop), &dial->_soon);
    drop_socket(dial);
    if (dial->_lookup) dial->_lookup->dial = NULL;
    dial->_lookup = NULL;
}

void redis_dial_look(struct redis_dial *dial)
{
    struct pollfd each = {.fd = dial->_fd, .events = POLLOUT};
    if (dial->_fd >= 0 && poll(&each, 1, 0) == 1) on_connected(dial);
}
