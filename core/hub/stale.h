/* stale: topics of which a subscriber was denied something because nobody knew
 * whether it may have it. It is told to re-read, once, when the verdict is known
 * again: by a yes to a later trigger, or to the withheld one, which is asked again,
 * paced. A no to the withheld one, if it was the only one, ends the matter: there
 * was nothing to miss. (One of several says nothing of the others.) */
#pragma once

#include <stdbool.h>

struct frame;
struct subscriber;
struct topic;

/* The frame was withheld from the subscriber. */
void stale_mark(struct subscriber *subscriber, struct topic *topic, struct frame *frame);

/* The topic's verdict is yes again: ends the mark; true if there was one, and the subscriber must
 * be told now. */
bool stale_settle(struct subscriber *subscriber, struct topic *topic);

/* The rules are others now: a question that is open is given up, and asked of them when it is due again. */
void stale_ask_anew(struct subscriber *subscriber);

/* It leaves the topic, or (topic NULL) ends: marks go; what an ended one was not told of stays
 * known to `told`. */
void stale_drop(struct subscriber *subscriber, struct topic *topic);
