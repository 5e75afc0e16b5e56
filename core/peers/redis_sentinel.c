#include "peers/redis_sentinel.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static void ask(struct redis_sentinel *sentinel)
{
    const struct redis_host *host = &sentinel->_url->hosts[sentinel->_at];
    redis_conn_start(&sentinel->_conn,
                     &(struct redis_place){.host = host->name, .port = host->port},
                     sentinel->_connect_ms);
}

static void end(struct redis_sentinel *sentinel, const char *why)
{
    redis_sentinel_stop(sentinel);
    sentinel->done(sentinel, why);
}

static void ask_next(struct redis_sentinel *sentinel, const char *why)
{
    const struct redis_host *host = &sentinel->_url->hosts[sentinel->_at];
    char sentence[512];
    snprintf(sentence, sizeof(sentence), "sentinel %s:%u: %s", host->name, host->port, why);
    redis_conn_stop(&sentinel->_conn);
    clock_cancel(loop_clock(sentinel->_loop), &sentinel->_patience);
    sentinel->_at = (sentinel->_at + 1) % sentinel->_url->host_count;
    if (--sentinel->_left > 0)
        ask(sentinel);
    else
        end(sentinel, sentence);
}

static struct redis_sentinel *of(struct redis_conn *conn)
{
    return CONTAINER(conn, struct redis_sentinel, _conn);
}

static void on_ready(struct redis_conn *conn)
{
    struct redis_sentinel *sentinel = of(conn);
    redis_conn_send(conn,
                    (struct bytes[]){BYTES("SENTINEL"), BYTES("get-master-addr-by-name"),
                                     bytes_of(sentinel->_url->master)},
                    3);
    clock_after(loop_clock(sentinel->_loop), &sentinel->_patience, sentinel->_answer_ms);
}

/* A server that is asked in a sentinel's place does not know the command. */
static const char *why_none(const struct redis_value *value)
{
    static const char unknown[] = "ERR unknown command";
    if (value->kind != REDIS_ERROR) return "it knows no master of that name";
    if (strncmp(value->text.data, unknown, sizeof(unknown) - 1) == 0)
        return "it is a Redis server, and no sentinel";
    return value->text.data;
}

static void on_value(struct redis_conn *conn, const struct redis_value *value, size_t size,
                     struct arena *arena)
{
    (void)size, (void)arena;
    struct redis_sentinel *sentinel = of(conn);
    if (value->kind != REDIS_LIST || value->count != 2 || value->items[0].kind != REDIS_TEXT) {
        ask_next(sentinel, why_none(value));
        return;
    }
    long long port = text_number(value->items[1].text, 65535);
    if (port < 1 || value->items[0].text.size >= sizeof(sentinel->host)) {
        ask_next(sentinel, "it names no address");
        return;
    }
    snprintf(sentinel->host, sizeof(sentinel->host), "%s", value->items[0].text.data);
    sentinel->port = (uint16_t)port;
    end(sentinel, NULL);
}

static void on_lost(struct redis_conn *conn, const char *code, const char *why)
{
    (void)code;
    ask_next(of(conn), why);
}

static void on_patience(struct timer *timer)
{
    struct redis_sentinel *sentinel = CONTAINER(timer, struct redis_sentinel, _patience);
    redis_conn_look(&sentinel->_conn);
    if (sentinel->_conn.state == REDIS_CONN_READY) ask_next(sentinel, "it does not answer");
}

void redis_sentinel_create(struct redis_sentinel *sentinel, struct loop *loop,
                           struct arenas *arenas, const struct redis_url *url,
                           void (*done)(struct redis_sentinel *sentinel, const char *why))
{
    static const struct redis_conn_events events = {on_ready, on_value, on_lost};
    *sentinel = (struct redis_sentinel){._loop = loop, ._url = url, .done = done};
    redis_conn_create(&sentinel->_conn, loop, arenas, &events);
    timer_init(&sentinel->_patience, on_patience);
}

void redis_sentinel_start(struct redis_sentinel *sentinel, uint64_t connect_ms, uint64_t answer_ms)
{
    redis_sentinel_stop(sentinel);
    sentinel->_connect_ms = connect_ms;
    sentinel->_answer_ms = answer_ms;
    sentinel->_left = sentinel->_url->host_count;
    ask(sentinel);
}

void redis_sentinel_stop(struct redis_sentinel *sentinel)
{
    redis_conn_stop(&sentinel->_conn);
    clock_cancel(loop_clock(sentinel->_loop), &sentinel->_patience);
}
