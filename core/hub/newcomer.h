/* newcomer: what a subscriber gets of a topic that it begins without knowing what
 * came before (it has no cursor, or was told that its cursor is of no use; or it joins
 * while it lives): the snapshot that rules make (hub/snapshot.h), or the retained trigger, if the
 * topic keeps one.
 *
 * The latter has neither an id nor a place in the order (hub/retain.h); for the rest it is a
 * trigger: the filter is asked, it may wait, and a full queue drops it and tells. It is no
 * echo, even to the tab that caused it: a page that begins anew has no state. */
#pragma once

#include <stdbool.h>

struct subscriber;

/* Is there something for it in the topics whose subscriptions are marked so? */
bool newcomer_gets(struct subscriber *subscriber);

/* Offers that, and takes the marks away. Rules may run, and end it. */
void newcomer_greet(struct subscriber *subscriber);
