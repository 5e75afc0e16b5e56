/* limiter: how many triggers a topic may have in a time (`limit`). What comes above it
 * gets no place in the order: it is counted, noted in the journal, and the topic is
 * told to re-read behind it (resync, "limited"): in the same turn, and as long as it goes
 * on once a second. The last word is always the resync, so nothing is lost in silence.
 *
 * Made with the first trigger of a topic that has a limit; while it is not as good as
 * new, it keeps its topic alive: a topic that nobody holds would begin anew. */
#pragma once

#include <stdbool.h>

struct emission;
struct topic;

/* May one more have its place now? It counts. */
bool limiter_admits(struct topic *topic);

/* This one got none. */
void limiter_refuse(struct topic *topic, const struct emission *emission);

void limiter_drop(struct topic *topic);
