/* curl tells which descriptors it waits for (on_socket) and when it wants to be
 * called at the latest (on_alarm); both are told to the loop, and whatever then
 * happens goes to curl_multi_socket_action, after which the finished handles are
 * collected. Callbacks of curl's never call anyone outside of peers/: that is
 * what transfer's jobs are for.
 *
 * The size of curl's connection cache counts busy connections too, so a fixed
 * one would keep nothing alive beside a thousand streams. It is moved with the
 * number of running handles instead. */
#include "peers/multi.h"

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/check.h"
#include "loop/watch.h"

enum { KEEP_ALIVE = 64 };

struct multi {
    CURLM *handle;
    struct loop *loop;
    struct timer alarm;
    uint32_t running;
    struct multi_options options;
};

struct socket {
    struct watch watch;
    struct multi *multi;
};

static void collect(struct multi *multi)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi->handle, &left));) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode result = message->data.result;
        struct multi_run *run = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&run);
        multi_stop(multi, run); /* the message is gone with it */
        run->done(run, (int)result);
    }
}

static void act(struct multi *multi, curl_socket_t fd, int events)
{
    int running;
    CURLMcode code = curl_multi_socket_action(multi->handle, fd, events, &running);
    CHECK(code == CURLM_OK);
    collect(multi);
}

static void on_ready(struct watch *watch, int events)
{
    struct socket *socket = CONTAINER(watch, struct socket, watch);
    act(socket->multi, watch_fd(watch),
        (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
            (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *known)
{
    (void)easy;
    struct multi *multi = owner;
    struct socket *socket = known;
    if (what == CURL_POLL_REMOVE) {
        if (!socket) return 0;
        watch_stop(&socket->watch);
        xfree(socket);
        curl_multi_assign(multi->handle, fd, NULL);
        return 0;
    }
    if (!socket) {
        socket = xcalloc(1, sizeof(*socket));
        socket->multi = multi;
        watch_create(&socket->watch, multi->loop, fd, on_ready);
        curl_multi_assign(multi->handle, fd, socket);
    }
    watch_set(&socket->watch,
              (what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
    return 0;
}

static int on_alarm(CURLM *handle, long delay_ms, void *owner)
{
    (void)handle;
    struct multi *multi = owner;
    struct clock *clock = loop_clock(multi->loop);
    if (delay_ms < 0)
        clock_cancel(clock, &multi->alarm);
    else
        clock_after(clock, &multi->alarm, (uint64_t)delay_ms);
    return 0;
}

static void on_due(struct timer *timer)
{
    act(CONTAINER(timer, struct multi, alarm), CURL_SOCKET_TIMEOUT, 0);
}

/* Curl looks at the size when a handle, still running by our count, gives its connection back. */
static void resize_cache(struct multi *multi)
{
    if (multi->running == 0) return;
    curl_multi_setopt(multi->handle, CURLMOPT_MAXCONNECTS,
                      (long)multi->options.keep_alive + (long)multi->running - 1);
}

struct multi *multi_new(struct loop *loop, const struct multi_options *options)
{
    struct multi *multi = xcalloc(1, sizeof(*multi));
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    multi->handle = curl_multi_init();
    CHECK(multi->handle);
    multi->loop = loop;
    multi->options = *options;
    if (!options->keep_alive) multi->options.keep_alive = KEEP_ALIVE;
    if (options->proxy) multi->options.proxy = xstrdup(options->proxy);
    if (options->ca_file) multi->options.ca_file = xstrdup(options->ca_file);
    timer_init(&multi->alarm, on_due);
    curl_multi_setopt(multi->handle, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi->handle, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->handle, CURLMOPT_TIMERFUNCTION, on_alarm);
    curl_multi_setopt(multi->handle, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(multi->handle, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi->handle, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      (long)options->connections_max);
    return multi;
}

void multi_free(struct multi *multi)
{
    CHECK(multi->running == 0);
    curl_multi_cleanup(multi->handle);
    clock_cancel(loop_clock(multi->loop), &multi->alarm);
    curl_global_cleanup();
    xfree((char *)multi->options.proxy);
    xfree((char *)multi->options.ca_file);
    xfree(multi);
}

void multi_start(struct multi *multi, struct multi_run *run)
{
    multi->running++;
    resize_cache(multi);
    CURLMcode code = curl_multi_add_handle(multi->handle, run->easy);
    CHECK(code == CURLM_OK);
}

void multi_stop(struct multi *multi, struct multi_run *run)
{
    CURLMcode code = curl_multi_remove_handle(multi->handle, run->easy);
    CHECK(code == CURLM_OK);
    multi->running--;
    resize_cache(multi);
}

struct loop *multi_loop(const struct multi *multi)
{
    return multi->loop;
}

const struct multi_options *multi_options(const struct multi *multi)
{
    return &multi->options;
}
