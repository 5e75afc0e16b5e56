/* retain: the last trigger of a topic that keeps it (`retain`), for those who come to
 * the topic without knowing it: they get the state as it stands, not only what
 * happens next.
 *
 * What they get is a frame of its own, without an id and without a place in the order,
 * made once for all of them. With its id it could not go out: a newcomer stands at
 * the newest position of all its topics, and the retained trigger may be an old one. Its id
 * would take the client's cursor back, and who is cut then would be sent again what
 * other topics had since; or be told to re-read, because their histories do not
 * reach so far back.
 *
 * One that a limit gave no place is retained all the same: it is the newest state. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct emission;
struct frame;
struct topic;

/* The trigger has its place. */
void retain_placed(struct topic *topic, struct frame *frame);

/* It comes with the topic, from elsewhere; see hub/carried.h. */
void retain_loaded(struct topic *topic, const struct emission *emission, uint64_t at_ms);

/* It got none. Where triggers come by a bus, that has it retained, on all nodes. */
void retain_refused(struct topic *topic, const struct emission *emission);

/* What a newcomer gets, or NULL. Borrowed. */
struct frame *retain_frame(struct topic *topic);

/* Drops what is too old; when it will be, UINT64_MAX: never. */
void retain_expire(struct topic *topic);
uint64_t retain_due_ms(const struct topic *topic);

/* The topic has other options. */
void retain_changed(struct topic *topic);

void retain_drop(struct topic *topic);
