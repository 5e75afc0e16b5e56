#include "hub/newcomer.h"

#include "hub/offer.h"
#include "hub/retain.h"
#include "hub/snapshot.h"
#include "hub/subscriber_state.h"

bool newcomer_gets(struct subscriber *subscriber)
{
    struct subscription *list = subscriber_list(subscriber);
    bool gets = false;
    for (uint32_t i = 0; i < subscriber->topics; i++) {
        struct topic *topic = list[i].topic;
        if (!list[i].newcomer || !topic->loaded) continue; /* once it is, it is greeted */
        list[i].newcomer = topic->options->snapshot || retain_frame(topic);
        gets |= list[i].newcomer;
    }
    return gets;
}

/* The next of them, unmarked; NULL: that is all. A rule that ran may have moved the list. */
static struct topic *take_next(struct subscriber *subscriber)
{
    struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++) {
        if (!list[i].newcomer || !list[i].topic->loaded) continue;
        list[i].newcomer = false;
        return list[i].topic;
    }
    return NULL;
}

void newcomer_greet(struct subscriber *subscriber)
{
    struct topic *topic;
    while (subscriber->state != STATE_ENDED && (topic = take_next(subscriber))) {
        if (topic->options->snapshot) {
            snapshot_offer(subscriber, topic);
            continue;
        }
        struct frame *frame = retain_frame(topic);
        if (!frame) continue;
        frame_ref(frame); /* a rule that is asked may emit, in time */
        offer_trigger(subscriber, topic, frame, 1);
        frame_unref(frame);
    }
}
