/* Who has a feed's leases, what of theirs it is opened with, and whom a gap in it concerns: its topic's subscribers, on all
 * nodes; where it has no topic, the leaseholders. */
#include "engine/feed.h"
#include "engine/seat.h"
#include "engine/tenure.h"

void feed_tell_leaseholders(struct feed *feed, const char *reason)
{
    LIST_EACH(node, &feed->leases) {
        struct subscriber *subscriber =
            seat_subscriber(CONTAINER(node, struct lease, _node)->seat);
        if (subscriber) subscriber_resync(subscriber, reason, NULL);
    }
}

bool feed_resync_emit(struct feed *feed, const char *reason, uint64_t cause, struct buf *name,
                      struct app_emit *emit)
{
    const struct plan_topic *topic = feed->upstream->topic;
    const struct bytes key = atom_bytes(feed->key);
    if (!topic) {
        feed_tell_leaseholders(feed, reason);
        tenure_tell(feed->tenure, reason);
        return false;
    }
    pattern_format(topic->pattern, &key, name);
    *emit = (struct app_emit){.name = buf_bytes(name), .emit = {.cause = cause}, .resync = reason};
    return true;
}

void feed_tell_resync(struct feed *feed, const char *reason, uint64_t cause)
{
    struct buf name = BUF_EMPTY;
    struct app_emit emit;
    if (feed_resync_emit(feed, reason, cause, &name, &emit)) app_emit(feed->app, &emit, 1);
    buf_destroy(&name);
}

void feed_tell_early(struct feed *feed, bool otherwise)
{
    LIST_EACH(node, &feed->leases) {
        struct lease *lease = CONTAINER(node, struct lease, _node);
        struct subscriber *subscriber = seat_subscriber(lease->seat);
        if (!lease->_early || !subscriber) continue;
        lease->_early = false;
        if (!otherwise) subscriber_resync(subscriber, "upstream", NULL);
    }
}

void feed_take_data(struct feed *feed)
{
    if (list_empty(&feed->leases)) return;
    struct lease *newest = CONTAINER(feed->leases.prev, struct lease, _node);
    struct atom *data = atom_ref(seat_identity(newest->seat)->data);
    atom_unref(feed->data);
    feed->data = data;
}

void lease_begin(struct lease *lease, bool resumes)
{
    const struct feed *feed = lease->feed;
    if (!feed || !feed->link || !lease->_early || !link_ever_opened(feed->link)) return;
    lease->_early = false;
    if (resumes) subscriber_resync(seat_subscriber(lease->seat), "upstream", NULL);
}

void lease_release(struct lease *lease)
{
    struct feed *feed = lease->feed;
    if (!feed) return;
    lease->feed = NULL;
    list_remove(&lease->_node);
    if (lease->_early) feed->early_left = true;
    if (feed->link)
        link_release(feed->link);
    else
        feed_post(feed);
    if (list_empty(&feed->leases)) tenure_unwanted(feed->tenure);
}

void lease_move(struct lease *lease, struct lease *to)
{
    *to = *lease;
    if (!lease->feed) return;
    list_create(&to->_node);
    list_append(&lease->_node, &to->_node); /* before it: at its place */
    list_remove(&lease->_node);
    lease->feed = NULL;
}
