/* permits: what audiences have answered: may this user have what is about this key
 * of this topic? Yes and no alike, each as good as its time says. Bounded: when there
 * is no room, what was put first goes first, and has to be asked again. So it may
 * forget, but never says what nobody answered.
 *
 * One flat table by (topic, key, user), all three atoms, because a delivery to many
 * looks here once a user. Pure: the time is an argument. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/list.h"
#include "hub/lookup.h"

struct permits {
    struct lookup _by_all;
    struct list _oldest_first;
    struct list *_by_topic, *_by_user; /* drawers, by the atoms' hashes; NULL while nothing was put */
};

enum permit { PERMIT_NONE, PERMIT_YES, PERMIT_NO };

void permits_create(struct permits *permits);
void permits_destroy(struct permits *permits);

/* The answer that is good at `now_ms`; NONE: there is none, ask. */
enum permit permits_find(const struct permits *permits, struct atom *topic, struct atom *key,
                         struct atom *user, uint64_t now_ms);

/* Keeps an answer that is good until before `until_ms`, among `max` of them (0: none is kept). An older one
 * does not replace one that is good for longer. Takes its own references. */
void permits_put(struct permits *permits, struct atom *topic, struct atom *key, struct atom *user,
                 bool yes, uint64_t now_ms, uint64_t until_ms, uint32_t max);

/* Drops what is about this topic and this user; NULL: all of them. Walks about as many as it drops, as
 * rules may forget in a loop: of both, those of the user. */
void permits_forget(struct permits *permits, const struct atom *topic, const struct atom *user);

uint32_t permits_count(const struct permits *permits);
