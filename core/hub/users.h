/* users: who has which subscribers. The subscribers of a user are a ring, one of
 * them stands for it in the hub's table; those with a tag are found by (user, tag).
 *
 * An ended subscriber gives up its tag at once, but stays in its ring until the
 * end of the turn, so that walks survive ends. */
#pragma once

#include <stdbool.h>

struct atom;
struct hub;
struct lookup;
struct subscriber;

void users_create(struct lookup *users, struct lookup *tags);

/* Enters the subscriber; its user and tag are set. Nothing to do without a user. */
void users_add(struct subscriber *subscriber);
void users_free_tag(struct subscriber *subscriber);
void users_remove(struct subscriber *subscriber);

/* The subscriber of this user with this tag, or NULL. */
struct subscriber *users_tab(const struct hub *hub, const struct atom *user,
                             const struct atom *tag);
