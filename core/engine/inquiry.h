/* inquiry: one question to a topic's audience: which of these users may have what is
 * about this key? With who waits for its answer; the inside of engine/audience.h,
 * which is the only one to use it. Those about the same stand in a group
 * (engine/groups.h). */
#pragma once

#include <stdbool.h>

#include "base/atom.h"
#include "engine/audience.h"

/* The admission waits for an inquiry that is under way and asks about its user. False: there is none. */
bool group_join(struct group *group, struct admission *admission);

/* It waits for the next one, which is posed at the end of the turn. */
void group_wait(struct group *group, struct admission *admission);

/* It waits no more; `late`: there was no answer in time. Without anybody who waits, an inquiry is given up. */
void inquiry_leave(struct admission *admission, bool late);

/* A verdict that is no yes, and not a filter's: returns it. */
enum verdict inquiry_refuse(const struct admission *admission, enum verdict verdict);

/* Answers about these users (NULL: all) are nobody's; who waits for one waits for the next. */
void inquiries_forget(struct audience *audience, const struct atom *topic,
                      const struct atom *user);

/* All are given up. Who waits waits for nothing: he is cancelled. */
void inquiries_drop(struct audience *audience);

void inquiries_create(struct audience *audience);
void inquiries_destroy(struct audience *audience);
