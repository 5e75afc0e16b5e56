/* What stands in a queue is not out. What is not in the queue, though the fan-out
 * has passed and the subscriber had the topic before, went to its sink whole or is
 * in the journal: there is no third way out of offer.c. */
#include "hub/standing.h"

#include "hub/hub_state.h"
#include "hub/subscriber_state.h"

enum standing standing_of(struct subscriber *subscriber, const struct atom *topic,
                          uint64_t position)
{
    const struct subscription *has = subscriber_find_name(subscriber, topic);
    if (!has) return STANDING_ABSENT;
    const struct slot *slot = queue_find(subscriber->queue, position);
    if (slot) return slot->question ? STANDING_PENDING : STANDING_QUEUED;
    if (has->joined_at >= position) return has->replayed ? STANDING_RESUMED : STANDING_LATER;
    bool offered = subscriber->seen >= position || hub_fanned(subscriber->hub) >= position;
    return offered ? STANDING_PAST : STANDING_COMING;
}

void standing_each(struct topic *topic, bool (*each)(void *ctx, struct subscriber *subscriber),
                   void *ctx)
{
    for (uint32_t i = 0; i < topic->count; i++) {
        struct subscriber *subscriber = topic->members[i].subscriber;
        if (subscriber && !each(ctx, subscriber)) return;
    }
}
