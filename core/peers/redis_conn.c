#include "peers/redis_conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"

enum { READ_BYTES = 64 * 1024, KEPT_BYTES = 256 * 1024 };

enum greeting { AUTH, SETNAME, SELECT, ROLE, PING };
static const char *const greeting_names[] = {"AUTH", "CLIENT SETNAME", "SELECT", "ROLE", "PING"};

static void lose(struct redis_conn *conn, const char *code, const char *why)
{
    char kept[256]; /* `why` may be what the stopping frees */
    snprintf(kept, sizeof(kept), "%s", why);
    redis_conn_stop(conn);
    conn->_events->lost(conn, code, kept);
}

/* ---- out ---- */

static void watch_interest(struct redis_conn *conn)
{
    watch_set(&conn->_watch,
              (conn->_held ? 0 : WATCH_READ) | (conn->_sent < conn->_out.size ? WATCH_WRITE : 0));
}

static void flush(struct redis_conn *conn)
{
    struct buf *out = &conn->_out;
    while (conn->_sent < out->size) {
        ssize_t sent = send(conn->_fd, out->data + conn->_sent, out->size - conn->_sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        /* What is wrong with the socket, reading says, behind what came. */
        conn->_sent = sent < 0 ? out->size : conn->_sent + (size_t)sent;
    }
    if (conn->_sent == out->size) {
        conn->_sent = 0;
        buf_clear(out);
        if (out->capacity > KEPT_BYTES) buf_destroy(out);
    } else if (conn->_sent > out->size / 2) {
        buf_consume(out, conn->_sent);
        conn->_sent = 0;
    }
    watch_interest(conn);
}

static void run_flush(struct job *job)
{
    struct redis_conn *conn = CONTAINER(job, struct redis_conn, _flush);
    if (conn->_fd >= 0) flush(conn);
}

static size_t digits(size_t number)
{
    size_t count = 1;
    while (number >= 10) number /= 10, count++;
    return count;
}

size_t redis_conn_command_size(const struct bytes *words, size_t count)
{
    size_t size = 1 + digits(count) + 2;
    for (size_t i = 0; i < count; i++) size += 1 + digits(words[i].size) + 2 + words[i].size + 2;
    return size;
}

static void add_number(struct buf *out, char mark, size_t number)
{
    char text[24];
    size_t at = sizeof(text);
    text[--at] = '\n';
    text[--at] = '\r';
    do text[--at] = (char)('0' + number % 10);
    while (number /= 10);
    text[--at] = mark;
    buf_add(out, text + at, sizeof(text) - at);
}

size_t redis_conn_send(struct redis_conn *conn, const struct bytes *words, size_t count)
{
    struct buf *out = &conn->_out;
    const size_t before = out->size;
    add_number(out, '*', count);
    for (size_t i = 0; i < count; i++) {
        add_number(out, '$', words[i].size);
        buf_add_bytes(out, words[i]);
        buf_add(out, "\r\n", 2);
    }
    later_post(loop_later(conn->_loop), LATER_SOON, &conn->_flush);
    return out->size - before;
}

/* ---- the greeting ---- */

static void say(struct redis_conn *conn, enum greeting greeting, const struct bytes *words,
                size_t count)
{
    conn->_greetings[conn->_said++] = (uint8_t)greeting;
    redis_conn_send(conn, words, count);
}

static void greet(struct redis_conn *conn)
{
    const struct redis_place *place = &conn->_place;
    conn->_said = conn->_heard = 0;
    struct bytes user = bytes_of(place->user), password = bytes_of(place->password);
    if (place->user)
        say(conn, AUTH, (struct bytes[]){BYTES("AUTH"), user, password}, 3);
    else if (place->password)
        say(conn, AUTH, (struct bytes[]){BYTES("AUTH"), password}, 2);
    say(conn, SETNAME, (struct bytes[]){BYTES("CLIENT"), BYTES("SETNAME"), BYTES("sluice")}, 3);
    if (place->database) {
        char number[16];
        snprintf(number, sizeof(number), "%d", place->database);
        say(conn, SELECT, (struct bytes[]){BYTES("SELECT"), bytes_of(number)}, 2);
    }
    if (place->master) say(conn, ROLE, (struct bytes[]){BYTES("ROLE")}, 1);
    say(conn, PING, (struct bytes[]){BYTES("PING")}, 1);
}

static bool begins(struct bytes text, const char *word)
{
    return text.size >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}

/* Whether a server's word says that it does not take us, and not that it is not ready. */
static bool is_refusal(enum greeting greeting, struct bytes text)
{
    return greeting == AUTH || begins(text, "NOAUTH") || begins(text, "NOPERM") ||
           begins(text, "WRONGPASS");
}

static void hear(struct redis_conn *conn, const struct redis_value *value)
{
    const enum greeting greeting = conn->_greetings[conn->_heard++];
    char why[256];
    /* An access list may forbid a name: it is for people. */
    if (value->kind == REDIS_ERROR && greeting != SETNAME) {
        snprintf(why, sizeof(why), "%s was answered with: %.*s", greeting_names[greeting],
                 (int)value->text.size, value->text.data);
        lose(conn, is_refusal(greeting, value->text) ? "refused" : "lost", why);
        return;
    }
    if (greeting == ROLE && (value->kind != REDIS_LIST || value->count < 1 ||
                             !bytes_is(value->items[0].text, "master"))) {
        lose(conn, "lost", "the server is not the master");
        return;
    }
    if (greeting != PING) return;
    conn->state = REDIS_CONN_READY;
    clock_cancel(loop_clock(conn->_loop), &conn->_limit);
    conn->_events->ready(conn);
}

/* ---- in ---- */

static bool on_value(void *owner, const struct redis_value *value, size_t size,
                     struct arena *arena)
{
    struct redis_conn *conn = owner;
    const int fd = conn->_fd;
    if (conn->state == REDIS_CONN_GREETING)
        hear(conn, value);
    else
        conn->_events->value(conn, value, size, arena);
    return conn->_fd == fd && fd >= 0;
}

/* Reads until there is nothing more, but not for ever; true: there is nothing more. */
static bool read_on(struct redis_conn *conn)
{
    static char bytes[READ_BYTES]; /* of the one thread; nothing here waits with it */
    const int fd = conn->_fd;
    for (size_t read = 0; read < REDIS_CONN_TURN_BYTES && conn->_fd == fd && !conn->_held;) {
        ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
        if (size <= 0) {
            lose(conn, "lost", size ? strerror(errno) : "the server closed the connection");
            return true;
        }
        read += (size_t)size;
        const char *why = NULL;
        if (!redis_reader_feed(&conn->_reader, bytes_run(bytes, (size_t)size), on_value, conn,
                               &why)) {
            lose(conn, "lost", why);
            return true;
        }
    }
    return conn->_fd != fd;
}

/* A value that ends the other connection asks for what this one has: not from within itself. */
static bool read_socket(struct redis_conn *conn)
{
    if (conn->_reading) return true;
    conn->_reading = true;
    const bool all = read_on(conn);
    conn->_reading = false;
    return all;
}

static void on_ready(struct watch *watch, int events)
{
    struct redis_conn *conn = CONTAINER(watch, struct redis_conn, _watch);
    const int fd = conn->_fd;
    if (events & WATCH_READ) read_socket(conn);
    if (events & WATCH_WRITE && conn->_fd == fd && fd >= 0) flush(conn);
}

void redis_conn_hold(struct redis_conn *conn, bool held)
{
    if (conn->_held == held) return;
    conn->_held = held;
    if (conn->_fd >= 0) watch_interest(conn);
}

bool redis_conn_look(struct redis_conn *conn)
{
    if (conn->state == REDIS_CONN_DIALLING) redis_dial_look(&conn->_dial);
    if (conn->_fd < 0) return true;
    return !conn->_held && read_socket(conn);
}

/* ---- its life ---- */

static void on_dialled(struct redis_dial *dial, int fd, const char *why)
{
    struct redis_conn *conn = CONTAINER(dial, struct redis_conn, _dial);
    if (fd < 0) {
        lose(conn, "lost", why);
        return;
    }
    conn->_fd = fd;
    conn->state = REDIS_CONN_GREETING;
    watch_create(&conn->_watch, conn->_loop, fd, on_ready);
    redis_reader_create(&conn->_reader, conn->_arenas);
    greet(conn);
    watch_interest(conn);
}

/* Who slept looks first, and gives the server its time again, once. */
static void on_limit(struct timer *timer)
{
    struct redis_conn *conn = CONTAINER(timer, struct redis_conn, _limit);
    const uint64_t due_ms = timer->due_ms, now_ms = loop_clock(conn->_loop)->now_ms;
    const enum redis_conn_state state = conn->state;
    redis_conn_look(conn);
    if (timer_armed(timer) || conn->state == REDIS_CONN_CLOSED || conn->state == REDIS_CONN_READY)
        return;
    const bool late = now_ms - due_ms > REDIS_CONN_LATE_MS || conn->state != state;
    if (late && !conn->_excused) {
        conn->_excused = true;
        clock_after(loop_clock(conn->_loop), timer, conn->_timeout_ms);
        return;
    }
    char why[96];
    snprintf(why, sizeof(why), "%s within %.1f s",
             state == REDIS_CONN_DIALLING ? "no connection" : "the server did not answer a greeting",
             (double)conn->_timeout_ms / 1000);
    lose(conn, "timeout", why);
}

void redis_conn_create(struct redis_conn *conn, struct loop *loop, struct arenas *arenas,
                       const struct redis_conn_events *events)
{
    *conn = (struct redis_conn){._events = events, ._loop = loop, ._arenas = arenas, ._fd = -1};
    redis_dial_create(&conn->_dial, loop, on_dialled);
    job_create(&conn->_flush, run_flush);
    timer_init(&conn->_limit, on_limit);
}

void redis_conn_start(struct redis_conn *conn, const struct redis_place *place,
                      uint64_t timeout_ms)
{
    CHECK(conn->state == REDIS_CONN_CLOSED);
    conn->state = REDIS_CONN_DIALLING;
    conn->_place = *place;
    conn->_timeout_ms = timeout_ms;
    conn->_excused = false;
    clock_after(loop_clock(conn->_loop), &conn->_limit, timeout_ms);
    redis_dial_start(&conn->_dial, place->path, place->host, place->port);
}

void redis_conn_stop(struct redis_conn *conn)
{
    redis_dial_stop(&conn->_dial);
    clock_cancel(loop_clock(conn->_loop), &conn->_limit);
    later_cancel(&conn->_flush);
    if (conn->_fd >= 0) {
        watch_stop(&conn->_watch);
        close(conn->_fd);
    }
    conn->_fd = -1;
    redis_reader_destroy(&conn->_reader);
    buf_destroy(&conn->_out);
    conn->_sent = 0;
    conn->_held = false;
    conn->state = REDIS_CONN_CLOSED;
}

void redis_conn_drop(struct redis_conn *conn)
{
    /* close() alone leaves it to the kernel, which tries on for a minute or two (tcp(7), tcp_orphan_retries). */
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (conn->_fd >= 0) setsockopt(conn->_fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    redis_conn_stop(conn);
}
