#include "server/doubts.h"

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
