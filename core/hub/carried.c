/* Members are walked from the last to the first: who leaves because of what it is told has its place taken by
 * the last, which was told already. */
#include "hub/carried.h"

#include "base/check.h"
#include "hub/newcomer.h"
#include "hub/retain.h"
#include "hub/subscriber_state.h"
#include "hub/topic_state.h"
#include "ports/bus.h"

/* ---- who wants it ---- */

void topic_review_wants(struct topic *topic)
{
    struct bus *bus = topic_ports(topic)->bus;
    const bool wanted = topic->present || !list_empty(&topic->waiters);
    if (!bus || wanted == topic->wanted) return;
    topic->wanted = wanted;
    (wanted ? bus->wanted : bus->unwanted)(bus, topic);
}

bool topic_is_loaded(const struct topic *topic)
{
    return topic->loaded;
}

void topic_await(struct topic *topic, struct topic_waiter *waiter)
{
    CHECK(!topic->loaded);
    waiter->_topic = topic;
    list_create(&waiter->_node);
    list_append(&topic->waiters, &waiter->_node);
    topic_review_wants(topic);
}

void topic_await_no_more(struct topic_waiter *waiter)
{
    if (list_empty(&waiter->_node)) return;
    list_remove(&waiter->_node);
    topic_review_wants(waiter->_topic);
    topic_release(waiter->_topic);
}

/* Those who begin to wait meanwhile wait for the next time. */
static void tell_waiters(struct topic *topic)
{
    struct list told;
    list_create(&told);
    list_move(&told, &topic->waiters);
    topic_hold(topic);
    while (!list_empty(&told)) {
        struct topic_waiter *waiter = CONTAINER(told.next, struct topic_waiter, _node);
        list_remove(&waiter->_node);
        waiter->done(waiter);
    }
    topic_review_wants(topic);
    topic_let_go(topic);
}

void topic_hold(struct topic *topic)
{
    topic->holds++;
}

void topic_let_go(struct topic *topic)
{
    CHECK(topic->holds);
    topic->holds--;
    topic_release(topic);
}

void *topic_carrier(const struct topic *topic)
{
    return topic->carrier;
}

void topic_set_carrier(struct topic *topic, void *carrier)
{
    topic->carrier = carrier;
}

uint8_t topic_server(const struct topic *topic)
{
    return topic->server;
}

/* ---- what it has ---- */

static struct order *order_of(const struct topic *topic)
{
    return topic_ports(topic)->order;
}

static uint64_t heard(const struct topic *topic)
{
    return order_of(topic)->heard.at[topic->server];
}

static void drop(struct topic *topic, uint64_t lost)
{
    history_trim(&topic->history, 0);
    topic->history.lost = lost;
    retain_drop(topic);
}

uint64_t topic_join_mark(const struct topic *topic)
{
    return topic->loaded ? order_of(topic)->position : heard(topic);
}

/* Joined a topic that was not loaded: what it would have had since is in no queue. A snapshot stands for it. */
static void settle_join(struct topic *topic, struct subscriber *subscriber,
                        struct subscription *own)
{
    const bool missed = history_after(&topic->history, own->joined_at) < topic->history.count ||
                        own->joined_at < topic->history.lost;
    own->joined_at = order_of(topic)->position;
    if (missed && !topic->options->snapshot) subscriber_resync(subscriber, "history", topic);
    newcomer_greet(subscriber);
}

void topic_load_begin(struct topic *topic, uint64_t lost)
{
    CHECK(lost <= heard(topic));
    topic->loaded = false;
    drop(topic, lost);
}

/* The id is not what clients get of it, unless it is the publisher's: it says nothing of other servers. Where there
 * are none that is all there is to say. */
void topic_load(struct topic *topic, uint64_t place, const struct emission *emission,
                uint64_t at_ms)
{
    CHECK(!topic->loaded && place <= heard(topic) && place > topic_newest(topic));
    struct places id = {{0}};
    id.at[topic->server] = place;
    order_next(order_of(topic));
    struct frame *frame = topic_frame(topic, emission, &id, at_ms);
    topic_keep(topic, frame);
    frame_unref(frame);
}

void topic_load_retained(struct topic *topic, const struct emission *emission, uint64_t at_ms)
{
    retain_loaded(topic, emission, at_ms);
    topic_watch_expiry(topic);
}

void topic_loaded(struct topic *topic)
{
    CHECK(!topic->loaded && topic->history.lost <= heard(topic));
    topic->loaded = true;
    topic_expire(topic);
    topic_watch_expiry(topic);
    topic_hold(topic);
    for (uint32_t i = topic->count; i-- > 0;) {
        if (i >= topic->count || !topic->members[i].subscriber) continue;
        struct subscriber *subscriber = topic->members[i].subscriber;
        if (subscriber->state == STATE_NEW) continue;
        settle_join(topic, subscriber,
                    &subscriber_list(subscriber)[topic->members[i].subscription]);
    }
    tell_waiters(topic);
    topic_let_go(topic);
}

void topic_unload(struct topic *topic)
{
    CHECK(!topic->present);
    topic->loaded = false;
    drop(topic, UINT64_MAX);
}

/* ---- what comes ---- */

void topic_receive(struct topic *topic, uint64_t place, const struct emission *emission)
{
    const uint64_t before = heard(topic);
    order_heard(order_of(topic), topic->server, place);
    if (!topic->loaded || place <= topic_newest(topic)) return;
    if (place <= before) {
        topic_break(topic, "history");
        return;
    }
    order_next(order_of(topic));
    topic_put(topic, emission);
}

void topic_receive_here(struct topic *topic, const struct emission *emission)
{
    if (!topic->loaded) return;
    order_next(order_of(topic));
    topic_load_retained(topic, emission, topic_now(topic));
    topic_put_here(topic, emission);
}

void topic_break(struct topic *topic, const char *reason)
{
    if (!topic->loaded) return;
    topic_fan_out(topic);
    drop(topic, heard(topic));
    topic_hold(topic);
    for (uint32_t i = topic->count; i-- > 0;)
        if (i < topic->count && topic->members[i].subscriber)
            subscriber_resync(topic->members[i].subscriber, reason, topic);
    topic_let_go(topic);
}
