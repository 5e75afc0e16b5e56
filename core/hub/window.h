/* window: coalescing before the order: a trigger with `within` waits for a newer
 * one of the same (topic, type, replaces), and the newest takes its place when the
 * window ends. A window ends a fixed time after its first trigger, so that a
 * constant flow gets through. Triggers that differ in (user, tag) merge to one
 * without: it is nobody's echo. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "hub/lookup.h"

struct topic;
struct emission;

struct windows {
    struct lookup _by_key;
    struct list _oldest_first;
    uint64_t _opened;
};

void windows_create(struct windows *windows);

/* Drops what waits. */
void windows_destroy(struct windows *windows);

/* Lets the trigger wait, in the window that is open or a new one that ends after within_ms. False:
 * there are `limits.windows` already. */
bool window_hold(struct topic *topic, const struct emission *emission, uint64_t within_ms);

/* Closes the window of this trigger's key, if there is one: the trigger stands for what waited. */
void window_replace(struct topic *topic, struct emission *emission);
