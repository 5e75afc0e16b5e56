#include "server/doubts.h"

#include <string.h>

#include "base/check.h"
#include "peers/redis_url.h"
#include "server/config.h"
#include "server/rules.h"

static double seconds(uint64_t ms)
{
    return (double)ms / 1000;
}

/* "sse.lua.conf:12: ", where one of the keys is set; without the line where none is. */
static void place(const struct config *config, const char *key, const char *other, struct buf *out)
{
    const int own = config_line(config, key), line = own ? own : config_line(config, other);
    buf_add_text(out, config->path);
    if (line) buf_printf(out, ":%d", line);
    buf_add_text(out, ": ");
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
}

/* Whoever reaches a server without a password reads and writes what all apps say. */
static bool is_open(const struct redis_url *url)
{
    for (size_t i = 0; !url->password && i < url->host_count; i++)
        if (!is_loopback(url->hosts[i].name)) return true;
    return false;
}

static void doubt_server(const struct config *config, const char *text, struct buf *out)
{
    struct redis_url url;
    CHECK(redis_url_create(&url, bytes_of(text), out)); /* it was read well */
    if (is_open(&url)) {
        place(config, "redis", "redis", out);
        buf_printf(out,
                   "%s is beyond this machine and asked without a password: whoever reaches it reads and writes all "
                   "topics; give it one, and its user only what docs/scale.md lists\n",
                   url.shown);
    }
    redis_url_destroy(&url);
}

static void doubts_of_redis(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < config->redis.count; i++) doubt_server(config, config->redis.items[i], out);
    if (config->redis.count && config->redis_timeout_ms >= config->handler_deadline_ms) {
        place(config, "redis_timeout", "handler_deadline", out);
        buf_printf(out,
                   "redis_timeout is %.15g s, and handler_deadline %.15g s: a handler ends before it is known that "
                   "its triggers are not published; set redis_timeout below it\n",
                   seconds(config->redis_timeout_ms), seconds(config->handler_deadline_ms));
    }
    if (!config->redis.count && strcmp(config->redis_prefix, "sluice") != 0) {
        place(config, "redis_prefix", "redis_prefix", out);
        buf_add_text(out, "redis_prefix is set and redis is not: this node is by itself, and shares nothing\n");
    }
}

void doubts_of_config(const struct config *config, uint64_t descriptors, struct buf *out)
{
    if (config->http_timeout_ms >= config->handler_deadline_ms) {
        place(config, "http_timeout", "handler_deadline", out);
        buf_printf(
            out,
            "http_timeout is %.15g s, and handler_deadline %.15g s: a request that hangs ends "
            "its handler before it can answer that; set http_timeout below it\n",
            seconds(config->http_timeout_ms), seconds(config->handler_deadline_ms));
    }
    doubts_of_redis(config, out);
    if (descriptors <= config->streams) {
        place(config, "streams", "streams", out);
        buf_printf(out,
                   "streams is %llu, and this process gets %llu descriptors, one a stream: raise "
                   "the hard limit (ulimit -Hn), or lower streams\n",
                   (unsigned long long)config->streams, (unsigned long long)descriptors);
    }
}

void doubts_of_rules(const struct rules *rules, struct buf *out)
{
    const struct plan *plan;
    for (size_t i = 0; (plan = rules_plan(rules, i, NULL)); i++) plan_doubt(plan, out);
}
