/* The way of a request is one call from the readable socket to the sent answer if
 * its handler answers at once: recv, parse, handle, sendmsg, and nothing is
 * registered, armed or copied on the way.
 *
 * While a handler takes its time the socket is read once more: an end of file
 * tells that nobody waits for the answer, bytes are kept for later and end the
 * reading. A peer that shuts down its sending half while waiting is therefore
 * taken for gone, as nginx and others do.
 *
 * Requests sent ahead are never handled from within respond(), whose caller
 * expects no handler to run: a job does it. */
#include "http/request.h"

#include <errno.h>

#include "base/alloc.h"
#include "http/reply.h"
#include "http/stream.h"

enum {
    LINGER_MS = 2000,
    LINGER_BYTES = 1024 * 1024,
    AHEAD_KEPT_BYTES = 4096,
};

static const struct exchange_ops ops = {reply_respond, stream_begin};

/* -- time ------------------------------------------------------------------ */

static uint64_t patience_ms(const struct request *request, const struct http_limits *limits)
{
    switch (http1_state(request->http1)) {
    case HTTP1_HEAD:
        return limits->head_timeout_ms;
    case HTTP1_BODY:
        return limits->body_timeout_ms;
    default:
        return limits->keepalive_timeout_ms;
    }
}

/* Arms the timer for what the connection waits for now, if it did not already. */
static void settle_reading(struct conn *conn)
{
    struct request *request = conn->request;
    struct http *http = conn_http(conn);
    watch_set(&conn->watch, WATCH_READ);
    uint8_t phase = (uint8_t)http1_state(request->http1);
    if (timer_armed(&request->timer) && request->phase == phase) return;
    request->phase = phase;
    clock_after(http->clock, &request->timer, patience_ms(request, &http->limits));
}

/* -- answering ------------------------------------------------------------- */

static void linger(struct conn *conn)
{
    struct http *http = conn_http(conn);
    shutdown(conn_fd(conn), SHUT_WR);
    conn->state = CONN_LINGERING;
    watch_set(&conn->watch, WATCH_READ);
    clock_after(http->clock, &conn->request->timer, LINGER_MS);
}

void request_answered(struct conn *conn)
{
    struct request *request = conn->request;
    if (request->closing) {
        if (request->lingering)
            linger(conn);
        else
            conn_close(conn, "answered");
        return;
    }
    http1_next(request->http1);
    request->continued = false;
    conn->state = CONN_READING;
    if (request->processing) return;
    if (request->ahead.size)
        later_post(conn_http(conn)->later, LATER_SOON, &request->resume);
    else if (conn->listener->closed)
        conn_close(conn, "drain"); /* the head of its answer was sent before */
    else
        settle_reading(conn);
}

/* Answers what the parser or the clock refused; the connection ends with it. */
static void refuse(struct conn *conn, const struct http_fault *fault)
{
    struct request *request = conn->request;
    struct http_counters *counters = &conn_http(conn)->counters;
    counters->refused[fault->status == 431   ? HTTP_REFUSED_HEAD
                      : fault->status == 413 ? HTTP_REFUSED_BODY
                      : fault->status == 408 ? HTTP_REFUSED_TIMEOUT
                                             : HTTP_REFUSED_MALFORMED]++;
    clock_cancel(conn_http(conn)->clock, &request->timer);
    request->closing = request->lingering = true;
    request->is_head = http1_is_head(request->http1);
    reply_refuse(conn, fault);
}

/* A whole request stands in the parser. */
static void answer(struct conn *conn)
{
    struct request *request = conn->request;
    struct listener *listener = conn->listener;
    clock_cancel(conn_http(conn)->clock, &request->timer);
    conn_http(conn)->counters.requests++;
    request->exchange = (struct exchange){.ops = &ops, .request = *http1_request(request->http1)};
    request->exchange.request.address = bytes_of(request->address);
    bool secure;
    proxies_client(&conn_http(conn)->proxies, &request->exchange.request, request->client, &secure);
    request->exchange.request.address = bytes_of(request->client);
    request->exchange.request.listener = bytes_of(listener->name);
    request->exchange.request.secure = secure;
    request->exchange.request.trusted = listener->trusted;
    request->is_head = http1_is_head(request->http1);
    request->closing = !http1_keeps_alive(request->http1);
    conn->state = CONN_ANSWERING;
    listener->handler->handle(listener->handler, &request->exchange);
    /* A stream's request is given back by now, another's is not. */
    if (conn->state == CONN_ANSWERING) CHECK(request->exchange.gone);
}

/* -- reading --------------------------------------------------------------- */

/* Feeds the parser and has whole requests answered, as long as one can follow another. */
static void take(struct conn *conn, const char *data, size_t size)
{
    struct request *request = conn->request;
    struct http1 *http1 = request->http1;
    request->processing = true;
    while (size && conn->state == CONN_READING) {
        size_t taken = http1_feed(http1, data, size);
        data += taken;
        size -= taken;
        if (http1_state(http1) == HTTP1_DONE)
            answer(conn);
        else if (http1_state(http1) == HTTP1_BAD)
            refuse(conn, http1_fault(http1));
    }
    if (conn->is_stream || conn->state == CONN_CLOSED) return;
    request->processing = false;
    if (conn->state == CONN_ANSWERING || conn->state == CONN_SENDING)
        buf_add(&request->ahead, data, size);
    if (conn->state == CONN_ANSWERING) watch_set(&conn->watch, size ? WATCH_NONE : WATCH_READ);
    if (conn->state != CONN_READING) return;
    if (http1_state(http1) == HTTP1_BODY && http1_expects_continue(http1) && !request->continued) {
        request->continued = true;
        reply_continue(conn);
    }
    if (conn->state == CONN_READING) settle_reading(conn);
}

static void resume(struct job *job)
{
    struct request *request = CONTAINER(job, struct request, resume);
    struct buf ahead = request->ahead;
    request->ahead = BUF_EMPTY;
    take(request->conn, ahead.data, ahead.size);
    buf_destroy(&ahead);
}

static void read_ahead(struct conn *conn, const char *data, size_t size)
{
    buf_add(&conn->request->ahead, data, size);
    watch_set(&conn->watch, WATCH_NONE);
}

static void throw_away(struct conn *conn, size_t size)
{
    conn->ignored_bytes += (uint32_t)size;
    if (conn->ignored_bytes > LINGER_BYTES) conn_close(conn, "refused");
}

static void read_socket(struct conn *conn)
{
    struct http *http = conn_http(conn);
    ssize_t got = recv(conn_fd(conn), http->input, HTTP_INPUT_BYTES, 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) conn_close(conn, "reset");
        return;
    }
    if (got == 0) {
        conn_close(conn, "client");
        return;
    }
    http->counters.bytes_in += (uint64_t)got;
    switch (conn->state) {
    case CONN_READING:
        take(conn, http->input, (size_t)got);
        break;
    case CONN_ANSWERING:
        read_ahead(conn, http->input, (size_t)got);
        break;
    default:
        throw_away(conn, (size_t)got);
        break;
    }
}

static void on_ready(struct watch *watch, int events)
{
    struct conn *conn = CONTAINER(watch, struct conn, watch);
    if (conn->state == CONN_SENDING)
        reply_resume(conn);
    else if (events & WATCH_READ)
        read_socket(conn);
}

static void on_timer(struct timer *timer)
{
    static const struct http_fault late = {408, "timeout", "the request took too long to arrive"};
    struct request *request = CONTAINER(timer, struct request, timer);
    struct conn *conn = request->conn;
    if (conn->state == CONN_SENDING)
        conn_close(conn, "stalled");
    else if (conn->state == CONN_LINGERING)
        conn_close(conn, "refused");
    else if (request->phase == HTTP1_IDLE)
        conn_close(conn, "idle");
    else
        refuse(conn, &late);
}

/* -- life ------------------------------------------------------------------ */

static struct request *obtain(struct http *http)
{
    if (!list_empty(&http->spare)) {
        struct request *request = CONTAINER(http->spare.next, struct request, spare);
        list_remove(&request->spare);
        http->spare_count--;
        return request;
    }
    struct request *request = xcalloc(1, sizeof(*request));
    request->http1 = http1_new(&http->limits);
    timer_init(&request->timer, on_timer);
    job_create(&request->resume, resume);
    list_create(&request->spare);
    return request;
}

static void free_request(struct request *request)
{
    http1_free(request->http1);
    buf_destroy(&request->ahead);
    xfree(request);
}

void request_begin(struct conn *conn, const struct sockaddr *peer)
{
    struct request *request = obtain(conn_http(conn));
    request->conn = conn;
    conn->request = request;
    conn->watch.ready = on_ready;
    address_write_peer(peer, request->address);
    read_socket(conn);
    if (conn->state == CONN_READING) settle_reading(conn);
}

void request_drain(struct conn *conn)
{
    struct request *request = conn->request;
    if (conn->state == CONN_READING && http1_state(request->http1) == HTTP1_IDLE &&
        !job_posted(&request->resume))
        conn_close(conn, "drain");
}

void request_release(struct conn *conn)
{
    struct http *http = conn_http(conn);
    struct request *request = conn->request;
    clock_cancel(http->clock, &request->timer);
    later_cancel(&request->resume);
    buf_destroy(&request->unsent);
    if (http->spare_count == HTTP_SPARE_REQUESTS || request->ahead.capacity > AHEAD_KEPT_BYTES) {
        free_request(request);
        return;
    }
    http1_next(request->http1);
    buf_clear(&request->ahead);
    request->unsent_from = 0;
    request->exchange.gone = NULL; /* a stream that began has another way to hear of its end */
    request->processing = request->continued = false;
    request->closing = request->lingering = request->is_head = false;
    request->conn = NULL;
    list_append(&http->spare, &request->spare);
    http->spare_count++;
}

void request_end(struct conn *conn)
{
    clock_cancel(conn_http(conn)->clock, &conn->request->timer);
    later_cancel(&conn->request->resume);
}

void request_tell_gone(struct conn *conn)
{
    struct exchange *exchange = &conn->request->exchange;
    if (exchange->gone) exchange->gone(exchange->owner);
    exchange->gone = NULL;
    request_release(conn);
}

void request_free_spare(struct http *http)
{
    while (!list_empty(&http->spare)) {
        struct request *request = CONTAINER(http->spare.next, struct request, spare);
        list_remove(&request->spare);
        free_request(request);
    }
}
