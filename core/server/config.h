/* config: what sse.lua.conf says, checked. Every key stands once, in the table of
 * keys.c: the loader, `sluice check`, the annotated sse.lua.conf and
 * docs/config.md come from it. Durations are seconds in the file and
 * milliseconds in here; sizes are bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/config_list.h"

struct engine_limits;
struct http_limits;
struct proxies;

struct config {
    char *path; /* of the file; its folder is where relative paths begin */
    int *lines; /* by key, in the table's order: where it is set; 0: it has its default */
    struct config_list listen, listen_trusted, admin, rules, record_secrets, trusted_proxies;
    struct config_list redis;
    char *admin_key, *scripts, *log_level, *log_format, *log_file, *proxy_header;
    char *redis_prefix;
    uint64_t workers;
    uint64_t streams, streams_per_user, connections, links, link_rate, link_burst;
    uint64_t streams_per_address, connections_per_address, rate_keys;
    uint64_t connect_rate, connect_burst, connect_rate_per_address, connect_burst_per_address;
    uint64_t route_rate_per_address, route_burst_per_address;
    uint64_t publish_rate, publish_burst;
    uint64_t topics, forgotten_topics, windows, store_entries, store_bytes;
    uint64_t presence_entries, audience_permits;
    uint64_t explain_triggers, explain_decisions;
    uint64_t head_bytes, body_bytes, head_timeout_ms, body_timeout_ms, keepalive_timeout_ms;
    uint64_t stall_timeout_ms, verdict_timeout_ms, heartbeat_ms, retry_ms;
    uint64_t queue_frames, queue_bytes, replay_max;
    uint64_t app_memory_bytes, handler_deadline_ms, handler_slice_ms, quarantine_after;
    uint64_t reload_deadline_ms;
    uint64_t http_timeout_ms, http_answer_bytes;
    uint64_t redis_connect_timeout_ms, redis_timeout_ms;
    uint64_t drain_timeout_ms, drain_spread_ms;
};

/* Reads and checks the file. NULL: one line a fault in errors, each with file, line, what was
 * expected, what came, and the nearest valid name. */
struct config *config_read(const char *path, struct buf *errors);

/* The standards, with these rule files, relative to this folder: for what starts no server. */
struct config *config_of_rules(const char *const *paths, size_t count);
void config_free(struct config *config);

/* May a running server go from one config to the other? False: a line in errors for each key that
 * would need a restart. */
bool config_follows(const struct config *running, const struct config *fresh, struct buf *errors);

/* What the rooms are given of it. */
void config_engine_limits(const struct config *config, struct engine_limits *limits);
void config_http_limits(const struct config *config, uint64_t connections,
                        struct http_limits *limits);

void config_proxies(const struct config *config, struct proxies *proxies);

/* The line that sets a key; 0: it has its default. */
int config_line(const struct config *config, const char *key);

/* The log_file; NULL: stderr. xfree it. */
char *config_log_file(const struct config *config);

/* A path as the file means it: relative ones begin where the file is. xfree it. */
char *config_resolve(const struct config *config, const char *path);
