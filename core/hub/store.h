/* store: an app's shared dictionary with time-outs: state that rules keep across
 * events and reloads. Values are bytes (the script border writes JSON). Bounded in
 * entries and bytes: above, `store_set` refuses, nothing is evicted silently. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ports/clock.h"

struct store;

struct store *store_new(struct clock *clock, uint32_t max_entries, size_t max_bytes);

/* One of the same bounds over another: what is not in it is looked for there, and nothing is changed
 * there. `base` must outlive it. */
struct store *store_new_over(struct store *base);
void store_free(struct store *store);

/* Other bounds for what comes; what is there stays. */
void store_set_limits(struct store *store, uint32_t max_entries, size_t max_bytes);

/* The value, borrowed until the next change of it or of its base; data NULL: none, or timed out. */
struct bytes store_get(struct store *store, struct bytes key);

/* ttl_ms 0: no time-out. False: full. */
bool store_set(struct store *store, struct bytes key, struct bytes value, uint64_t ttl_ms);

/* Sets only if nothing is there. */
enum store_added { STORE_ADDED, STORE_EXISTS, STORE_FULL };
enum store_added store_add(struct store *store, struct bytes key, struct bytes value,
                           uint64_t ttl_ms);

bool store_delete(struct store *store, struct bytes key);

/* Keys that begin with prefix, in byte order; `each` may change nothing. */
void store_each(struct store *store, struct bytes prefix,
                void (*each)(void *ctx, struct bytes key, struct bytes value), void *ctx);

/* Of entries and of bytes: for what the app can do without. */
bool store_is_half_free(const struct store *store);

uint32_t store_count(const struct store *store);
size_t store_bytes(const struct store *store);
