/* keyed: what the newest triggers are about, as their topic's audience says: the key
 * under which it is asked. A rule is called once a trigger, not once a subscriber. */
#pragma once

#include "base/atom.h"
#include "plan/pattern.h"

struct clock;
struct frame;
struct generation;
struct keyed;
struct plan_topic;

/* NULL is an empty one. */
void keyed_destroy(struct keyed **keyed);

/* The trigger's key, of a topic of this generation. Borrowed until another trigger's is asked for; NULL: the rule
 * failed, and is not called again about it for a moment. */
struct atom *keyed_of(struct keyed **keyed, const struct clock *clock,
                      struct generation *generation, const struct plan_topic *topic,
                      struct frame *frame);
