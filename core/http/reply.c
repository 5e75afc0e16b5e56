/* A short answer is one sendmsg of head and body, straight from where they lie;
 * only what the socket does not take is copied. */
#include "http/reply.h"

#include <errno.h>

#include "http/request.h"
#include "http/response.h"

/* Sends in one call; returns how many bytes were taken, -1 if the connection is closed now. */
static ssize_t send_pieces(struct conn *conn, struct iovec *pieces, size_t count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    ssize_t sent = sendmsg(conn_fd(conn), &message, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (sent < 0)
        conn_close(conn, "reset");
    else
        conn_http(conn)->counters.bytes_out += (uint64_t)sent;
    return sent;
}

static void keep_unsent(struct conn *conn, struct bytes piece, size_t *sent)
{
    size_t skip = *sent < piece.size ? *sent : piece.size;
    buf_add(&conn->request->unsent, piece.data + skip, piece.size - skip);
    *sent -= skip;
}

static void send_answer(struct conn *conn, struct bytes head, struct bytes body)
{
    struct request *request = conn->request;
    struct iovec pieces[2] = {{(void *)head.data, head.size}, {(void *)body.data, body.size}};
    ssize_t sent = send_pieces(conn, pieces, body.size ? 2 : 1);
    if (sent < 0) return;
    if ((size_t)sent == head.size + body.size) {
        request_answered(conn);
        return;
    }
    size_t taken = (size_t)sent;
    keep_unsent(conn, head, &taken);
    keep_unsent(conn, body, &taken);
    conn->state = CONN_SENDING;
    watch_set(&conn->watch, WATCH_WRITE);
    clock_after(conn_http(conn)->clock, &request->timer, conn_http(conn)->limits.stall_timeout_ms);
}

void reply_resume(struct conn *conn)
{
    struct request *request = conn->request;
    struct buf *unsent = &request->unsent;
    struct iovec piece = {unsent->data + request->unsent_from, unsent->size - request->unsent_from};
    ssize_t sent = send_pieces(conn, &piece, 1);
    if (sent <= 0) return;
    request->unsent_from += (size_t)sent;
    if (request->unsent_from < unsent->size) {
        clock_after(conn_http(conn)->clock, &request->timer,
                    conn_http(conn)->limits.stall_timeout_ms);
        return;
    }
    buf_destroy(unsent);
    request->unsent_from = 0;
    clock_cancel(conn_http(conn)->clock, &request->timer);
    request_answered(conn);
}

static void send_response(struct conn *conn, const struct http_response *response)
{
    struct http *http = conn_http(conn);
    struct request *request = conn->request;
    request->closing |= response->close || conn->listener->closed;
    struct response_head head = {
        .status = response->status,
        .headers = response->headers,
        .header_count = response->header_count,
        .sized = true,
        .body_size = response->body.size,
        .close = request->closing,
        .date = http_date(http),
    };
    buf_clear(&http->output);
    response_write(&http->output, &head);
    http->counters.responses[response->status / 100 % 6]++;
    bool bodiless = request->is_head || !response_has_body(response->status);
    send_answer(conn, buf_bytes(&http->output), bodiless ? BYTES("") : response->body);
}

void reply_refuse(struct conn *conn, const struct http_fault *fault)
{
    struct buf body = BUF_EMPTY;
    struct http_header headers[] = {{BYTES("content-type"), BYTES("application/json")},
                                    {BYTES("cache-control"), BYTES("no-store")}};
    response_error(&body, fault->code, fault->message);
    send_response(conn,
                  &(struct http_response){fault->status, headers, 2, buf_bytes(&body), false});
    buf_destroy(&body);
}

void reply_respond(struct exchange *exchange, const struct http_response *response)
{
    static const struct http_fault unsound = {500, "internal", "the answer was not sound"};
    struct conn *conn = CONTAINER(exchange, struct request, exchange)->conn;
    exchange->gone = NULL;
    if (conn->state == CONN_CLOSED) return;
    CHECK(conn->state == CONN_ANSWERING);
    if (response_is_sound(response->headers, response->header_count)) {
        send_response(conn, response);
        return;
    }
    LOG(conn_http(conn)->log, LOG_ERROR, "answer refused: a header with a line break",
        F_BYTES("path", exchange->request.path));
    reply_refuse(conn, &unsound);
}

void reply_continue(struct conn *conn)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec piece = {(void *)text, sizeof(text) - 1};
    /* A fresh socket takes 25 bytes; if it does not, the client goes on by its own time-out. */
    send_pieces(conn, &piece, 1);
}
