/* A sink keeps no bytes but its unsent head, so `blocked` is all there is to know
 * of a socket that is full: nothing is tried before epoll says that it is worth
 * it, and a subscriber that is written to meanwhile costs no system call.
 *
 * A write passes on at most JOINED_PIECES while the head is unsent, and at most
 * IOV_MAX otherwise; the rest is "less than all", for which the socket, not being
 * full, comes back in the next turn. */
#include "http/stream.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "http/request.h"
#include "http/response.h"

enum { JOINED_PIECES = 256, MAX_PIECES = 1024, IGNORED_BYTES = 64 * 1024 };

/* Owned by the connection until it is sent. */
struct stream_head {
    struct conn *conn;
    struct job flush;
    bool alone;  /* of a HEAD request: nothing follows */
    bool waited; /* for who writes at the end of this turn */
    size_t size, sent;
    char bytes[];
};

static size_t total(const struct iovec *pieces, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) size += pieces[i].iov_len;
    return size;
}

/* What errno says of a broken socket. TCP_USER_TIMEOUT runs out about when the owner's own patience
 * does, and may be the first; it is the only one that sees a peer which is gone while the kernel's
 * buffer still takes bytes. Then the kernel says why, if it heard anything of the way there: until
 * that time is over, being unreachable is no error to it. */
static const char *failure(void)
{
    switch (errno) {
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
        return "stalled";
    default:
        return "reset";
    }
}

static void drop_head(struct conn *conn)
{
    if (!conn->head) return;
    later_cancel(&conn->head->flush);
    xfree(conn->head);
    conn->head = NULL;
}

static void block(struct conn *conn)
{
    conn->blocked = true;
    watch_set(&conn->watch, WATCH_READ | WATCH_WRITE);
}

/* One system call; returns how many bytes were taken, none if the socket is full or broken. */
static size_t send_pieces(struct conn *conn, const struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(conn_fd(conn), &message, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) conn_close(conn, failure());
        return 0;
    }
    conn_http(conn)->counters.bytes_out += (uint64_t)sent;
    return (size_t)sent;
}

/* Sends what is left of the head, with the pieces behind it; returns how much of them went. */
static size_t send_joined(struct conn *conn, const struct iovec *pieces, int count)
{
    struct stream_head *head = conn->head;
    struct iovec joined[1 + JOINED_PIECES];
    if (count > JOINED_PIECES) count = JOINED_PIECES;
    joined[0] = (struct iovec){head->bytes + head->sent, head->size - head->sent};
    if (count) memcpy(joined + 1, pieces, (size_t)count * sizeof(*pieces));
    size_t sent = send_pieces(conn, joined, 1 + count);
    if (conn->state == CONN_CLOSED) return 0;
    size_t of_head = sent < joined[0].iov_len ? sent : joined[0].iov_len;
    head->sent += of_head;
    if (head->sent == head->size)
        drop_head(conn);
    else
        block(conn);
    return sent - of_head;
}

static size_t write_pieces(struct sink *sink, const struct iovec *pieces, int count)
{
    struct conn *conn = CONTAINER(sink, struct conn, sink);
    if (conn->state == CONN_CLOSED) return 0;
    size_t size = total(pieces, count), sent = 0;
    if (conn->head && conn->head->alone) return size;
    if (!conn->blocked)
        sent = conn->head ? send_joined(conn, pieces, count)
                          : send_pieces(conn, pieces, count < MAX_PIECES ? count : MAX_PIECES);
    if (sent == size || conn->state == CONN_CLOSED) return sent;
    conn->wanted = true;
    if (!conn->blocked) block(conn);
    return sent;
}

/* What the socket does not take of a head now is lost with the connection: a head that was cut
 * short tells the client as much as one that never came. */
static void close_stream(struct sink *sink, const char *why)
{
    struct conn *conn = CONTAINER(sink, struct conn, sink);
    sink->events = NULL;
    if (conn->state == CONN_CLOSED) return;
    if (conn->head && !conn->blocked) send_joined(conn, NULL, 0);
    conn_close(conn, why);
}

static const struct sink_ops ops = {write_pieces, close_stream};

/* Posted when the stream began, before its owner could post a write: it lets that one go first. */
static void on_turn_end(struct job *job)
{
    struct stream_head *head = CONTAINER(job, struct stream_head, flush);
    struct conn *conn = head->conn;
    bool alone = head->alone;
    if (!alone && !head->waited) {
        head->waited = true;
        later_post(conn_http(conn)->later, LATER_LAST, job);
        return;
    }
    send_joined(conn, NULL, 0);
    if (alone) conn_close(conn, "head");
}

static void read_and_ignore(struct conn *conn)
{
    struct http *http = conn_http(conn);
    ssize_t got = recv(conn_fd(conn), http->input, HTTP_INPUT_BYTES, 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) conn_close(conn, failure());
        return;
    }
    conn->ignored_bytes += (uint32_t)got;
    if (got == 0)
        conn_close(conn, "client");
    else if (conn->ignored_bytes > IGNORED_BYTES)
        conn_close(conn, "chatter");
}

static void on_ready(struct watch *watch, int events)
{
    struct conn *conn = CONTAINER(watch, struct conn, watch);
    if (events & WATCH_READ) read_and_ignore(conn);
    if (conn->state == CONN_CLOSED || !(events & WATCH_WRITE) || !conn->blocked) return;
    conn->blocked = false;
    if (conn->head) send_joined(conn, NULL, 0);
    if (conn->state == CONN_CLOSED || conn->blocked) return;
    watch_set(watch, WATCH_READ);
    if (!conn->wanted) return;
    conn->wanted = false;
    conn->sink.events->writable(conn->sink.owner);
}

static struct stream_head *new_head(struct conn *conn, int status,
                                    const struct http_header *headers, size_t count)
{
    struct http *http = conn_http(conn);
    struct response_head response = {
        .status = status,
        .headers = headers,
        .header_count = count,
        .close = true,
        .date = http_date(http),
    };
    buf_clear(&http->output);
    response_write(&http->output, &response);
    struct stream_head *head = xmalloc(sizeof(*head) + http->output.size);
    *head = (struct stream_head){.conn = conn, .size = http->output.size};
    memcpy(head->bytes, http->output.data, http->output.size);
    job_create(&head->flush, on_turn_end);
    return head;
}

struct sink *stream_begin(struct exchange *exchange, int status, const struct http_header *headers,
                          size_t header_count)
{
    struct request *request = CONTAINER(exchange, struct request, exchange);
    struct conn *conn = request->conn;
    struct http *http = conn_http(conn);
    bool alone = request->is_head;
    CHECK(response_is_sound(headers, header_count));
    request_release(conn);
    conn->is_stream = true;
    conn->sink = (struct sink){.ops = &ops};
    if (conn->state == CONN_CLOSED) { /* the client went earlier in this turn */
        conn->why = "client";
        return &conn->sink;
    }
    CHECK(conn->state == CONN_ANSWERING);
    http->counters.streams++;
    http->counters.responses[status / 100 % 6]++;
    conn->state = CONN_STREAMING;
    conn->head = new_head(conn, status, headers, header_count);
    conn->head->alone = alone;
    conn->watch.ready = on_ready;
    watch_set(&conn->watch, WATCH_READ);
    later_post(http->later, LATER_LAST, &conn->head->flush);
    return &conn->sink;
}

void stream_end(struct conn *conn)
{
    drop_head(conn);
}
