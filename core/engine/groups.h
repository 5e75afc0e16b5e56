/* groups: what is open about one (topic, key) of an audience: admissions that wait to be
 * asked about, inquiries under way, or the memory that the last one failed. A group
 * goes with the last of them, unless it is pinned. For engine/inquiry.h alone, and
 * what is in a group is its affair; here groups are found, kept and let go. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/list.h"
#include "hub/lookup.h"

struct clock;

struct groups {
    const struct clock *_clock;
    struct lookup _by_key;
    struct list _failing; /* longest ago first */
    uint32_t _failing_count;
};

struct group {
    struct groups *groups;
    struct atom *topic, *key; /* references */
    struct list due, failing; /* in the audience's list; in ours */
    struct list waiting;      /* admissions for the next inquiry */
    struct list inquiries;    /* under way */
    bool everyone;            /* the next one asks about all that are connected */
    bool failed;
    uint32_t pins; /* who works on it, and must not find it gone */
    uint64_t failed_ms, failed_position; /* of the newest trigger that it was about */
};

void groups_create(struct groups *groups, const struct clock *clock);

/* All must have gone. */
void groups_destroy(struct groups *groups);

/* The group of this topic and key, made if there is none: to be used, or released at once. */
struct group *group_of(struct groups *groups, struct atom *topic, struct atom *key);

/* Frees it if nothing is open about it. */
void group_release(struct group *group);

/* Who works on a group pins it, so that it is not gone under his hands. */
void group_pin(struct group *group);
void group_unpin(struct group *group);

/* Its inquiry failed, about triggers up to this position; it is known again. */
void group_fail(struct group *group, uint64_t newest);
void group_recover(struct group *group);

/* Forgets failures that are too old, or too many. */
void groups_recover_oldest(struct groups *groups);

/* It has just failed about a trigger at this position: there is no use in asking again at once. */
bool group_is_hopeless(const struct group *group, uint64_t position);

/* Calls back with each group of the topic (NULL: all), which may go on the way. */
void groups_each(struct groups *groups, const struct atom *topic,
                 void (*each)(struct group *group, void *ctx), void *ctx);
