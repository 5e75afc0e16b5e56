#include "http/http.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/conn.h"
#include "http/listener.h"
#include "http/request.h"

struct http *http_new(struct loop *loop, const struct http_limits *limits)
{
    struct http *http = xcalloc(1, sizeof(*http));
    http->loop = loop;
    http->clock = loop_clock(loop);
    http->later = loop_later(loop);
    http->log = loop_log(loop);
    http->limits = *limits;
    http->proxies = PROXIES_NONE;
    http->addresses = KINDS_EMPTY;
    http->input = xmalloc(HTTP_INPUT_BYTES);
    http->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    list_create(&http->listeners);
    list_create(&http->dead);
    list_create(&http->spare);
    job_create(&http->reap, conn_reap);
    return http;
}

void http_set_limits(struct http *http, const struct http_limits *limits)
{
    http->limits = *limits;
    LIST_EACH(node, &http->listeners) listener_limit(listener_at(node));
}

void http_set_proxies(struct http *http, struct proxies *proxies)
{
    proxies_destroy(&http->proxies);
    http->proxies = *proxies;
    *proxies = PROXIES_NONE;
}

void http_free(struct http *http)
{
    LIST_EACH(node, &http->listeners) listener_abort(listener_at(node));
    later_cancel(&http->reap);
    conn_reap(&http->reap);
    CHECK(list_empty(&http->listeners) && http->counters.open == 0);
    request_free_spare(http);
    if (http->reserve_fd >= 0) close(http->reserve_fd);
    buf_destroy(&http->output);
    proxies_destroy(&http->proxies);
    kinds_destroy(&http->addresses);
    xfree(http->input);
    xfree(http);
}

void http_listeners_each(const struct http *http,
                         void (*each)(void *ctx, const char *address, uint32_t open,
                                      uint64_t accepted),
                         void *ctx)
{
    LIST_EACH(node, &http->listeners)
    {
        const struct listener *listener = listener_at(node);
        each(ctx, listener->bound, listener->open, listener->accepted);
    }
}

const struct http_counters *http_counters(const struct http *http)
{
    return &http->counters;
}

const char *http_refusal_name(enum http_refusal refusal)
{
    static const char *const names[HTTP_REFUSALS] = {"full", "address", "files", "malformed",
                                                     "head", "body",  "timeout"};
    return names[refusal];
}

struct bytes http_date(struct http *http)
{
    uint64_t second = http->clock->wall_ms / 1000;
    if (second != http->date_second) {
        http->date_second = second;
        date_write(http->date, (int64_t)second);
    }
    return bytes_run(http->date, DATE_BYTES);
}
