/* Closing has two halves. conn_close does what cannot wait: no event comes any
 * more and the descriptor is free. The rest - telling the owner, freeing - waits
 * for the end of the turn, because conn_close may be called from under anyone's
 * stack frame, the owner's own included. */
#include "http/conn.h"

#include <unistd.h>

#include "base/alloc.h"
#include "http/request.h"
#include "http/stream.h"

struct conn *conn_new(struct listener *listener, int fd)
{
    struct http *http = listener->http;
    struct conn *conn = xcalloc(1, sizeof(*conn));
    conn->listener = listener;
    watch_create(&conn->watch, http->loop, fd, NULL);
    list_append(&listener->conns, &conn->node);
    listener->held++;
    listener->open++;
    listener->accepted++;
    http->counters.accepted++;
    http->counters.open++;
    return conn;
}

void conn_close(struct conn *conn, const char *why)
{
    if (conn->state == CONN_CLOSED) return;
    struct http *http = conn_http(conn);
    watch_stop(&conn->watch);
    close(conn_fd(conn));
    if (conn->is_stream) {
        stream_end(conn);
        conn->why = why;
        http->counters.streams--;
    } else {
        request_end(conn);
    }
    conn->state = CONN_CLOSED;
    http->counters.open--;
    kinds_leave(&http->addresses, conn->place);
    conn->place = NULL;
    conn->listener->open--;
    list_remove(&conn->node);
    list_append(&http->dead, &conn->node);
    later_post(http->later, LATER_SOON, &http->reap);
}

static void tell(struct conn *conn)
{
    if (!conn->is_stream)
        request_tell_gone(conn);
    else if (conn->sink.events)
        conn->sink.events->gone(conn->sink.owner, conn->why);
}

void conn_reap(struct job *job)
{
    struct http *http = CONTAINER(job, struct http, reap);
    while (!list_empty(&http->dead)) {
        struct conn *conn = CONTAINER(http->dead.next, struct conn, node);
        list_remove(&conn->node);
        tell(conn);
        listener_released(conn->listener);
        xfree(conn);
    }
}
