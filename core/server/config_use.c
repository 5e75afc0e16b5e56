/* What a config is used for: the rooms' own small structs, and the way from one
 * config to the next. */
#include <string.h>

#include "engine/node.h"
#include "http/http.h"
#include "server/config.h"
#include "server/keys.h"

static struct bucket_limit bucket_limit(uint64_t rate, uint64_t burst)
{
    return (struct bucket_limit){.rate = (uint32_t)rate, .burst = (uint32_t)burst};
}

void config_engine_limits(const struct config *config, struct engine_limits *limits)
{
    *limits = (struct engine_limits){
        .streams = (uint32_t)config->streams,
        .streams_per_user = (uint32_t)config->streams_per_user,
        .links = (uint32_t)config->links,
        .drain_patience_ms = config->drain_timeout_ms / 2,
        .toll = {.connect = bucket_limit(config->connect_rate, config->connect_burst),
                 .connect_per_address = bucket_limit(config->connect_rate_per_address,
                                                     config->connect_burst_per_address),
                 .route_per_address = bucket_limit(config->route_rate_per_address,
                                                   config->route_burst_per_address),
                 .publish = bucket_limit(config->publish_rate, config->publish_burst),
                 .streams_per_address = (uint32_t)config->streams_per_address,
                 .keys = (uint32_t)config->rate_keys},
        .hub = {.forgotten_topics = (uint32_t)config->forgotten_topics,
                .topics = (uint32_t)config->topics,
                .windows = (uint32_t)config->windows},
        .audience_permits = (uint32_t)config->audience_permits,
        .store_entries = (uint32_t)config->store_entries,
        .store_bytes = config->store_bytes,
        .presence_entries = (uint32_t)config->presence_entries,
        .explain = {.triggers = (uint32_t)config->explain_triggers,
                    .decisions = (uint32_t)config->explain_decisions}};
}

void config_http_limits(const struct config *config, uint64_t connections,
                        struct http_limits *limits)
{
    *limits = (struct http_limits){.max_head_bytes = config->head_bytes,
                                   .max_body_bytes = config->body_bytes,
                                   .head_timeout_ms = config->head_timeout_ms,
                                   .body_timeout_ms = config->body_timeout_ms,
                                   .keepalive_timeout_ms = config->keepalive_timeout_ms,
                                   .stall_timeout_ms = config->stall_timeout_ms,
                                   .max_connections = (uint32_t)connections,
                                   .max_per_address = (uint32_t)config->connections_per_address};
}

void config_proxies(const struct config *config, struct proxies *proxies)
{
    struct buf error = BUF_EMPTY;
    *proxies = PROXIES_NONE;
    if (strcmp(config->proxy_header, "forwarded") == 0) proxies->header = "forwarded";
    for (size_t i = 0; i < config->trusted_proxies.count; i++)
        proxies_add(proxies, config->trusted_proxies.items[i], &error); /* tried when it was read */
    buf_destroy(&error);
}

/* ---- from one config to the next ---- */

static const struct config_list *list_of(const struct config *config, const struct key *key)
{
    return (const struct config_list *)((const char *)config + key->offset);
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0) return false;
    return true;
}

static const char *text_of(const struct config *config, const struct key *key)
{
    const char *text = *(char *const *)((const char *)config + key->offset);
    return text ? text : "";
}

static uint64_t number_of(const struct config *config, const struct key *key)
{
    return *(const uint64_t *)(const void *)((const char *)config + key->offset);
}

static void write_value(struct buf *out, const struct config *config, const struct key *key)
{
    if (key_is_text(key)) {
        buf_printf(out, "\"%s\"", text_of(config, key));
        return;
    }
    if (!key_is_list(key)) {
        buf_printf(out, "%llu", (unsigned long long)number_of(config, key));
        return;
    }
    const struct config_list *list = list_of(config, key);
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s\"%s\"", i ? ", " : "", list->items[i]);
    if (!list->count) buf_add_text(out, "nothing");
}

static bool same_value(const struct config *a, const struct config *b, const struct key *key)
{
    if (key_is_list(key)) return same_list(list_of(a, key), list_of(b, key));
    if (key_is_text(key)) return !strcmp(text_of(a, key), text_of(b, key));
    return number_of(a, key) == number_of(b, key);
}

bool config_follows(const struct config *running, const struct config *fresh, struct buf *errors)
{
    const size_t before = errors->size;
    for (size_t i = 0; i < key_count; i++) {
        if (!key_restarts(&keys[i]) || same_value(running, fresh, &keys[i])) continue;
        buf_printf(errors, "%s: %s is ", fresh->path, keys[i].name);
        if (keys[i].type == KEY_SERVERS) {
            buf_add_text(errors, "another one now"); /* there may be passwords in it */
        } else {
            write_value(errors, fresh, &keys[i]);
            buf_add_text(errors, " now, and runs as ");
            write_value(errors, running, &keys[i]);
        }
        buf_add_text(errors, ": that takes a restart; put it back to reload the rest\n");
    }
    return errors->size == before;
}
