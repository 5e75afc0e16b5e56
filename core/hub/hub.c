/* The hub's own part is small: its tables, the end of the turn, its queries. What
 * ends within a turn is buried by a job at its end, when nobody has a pointer to
 * it any more; until then walks step over it. */
#include "hub/hub.h"

#include "base/alloc.h"
#include "base/check.h"
#include "hub/flush.h"
#include "hub/hub_state.h"
#include "hub/question.h"
#include "hub/subscriber_state.h"
#include "hub/users.h"

static uint64_t topic_hash(const void *thing)
{
    return ((const struct topic *)thing)->name->hash;
}

static bool topic_is(const void *thing, const void *key)
{
    return ((const struct topic *)thing)->name == key;
}

static void bury(struct job *job)
{
    struct hub *hub = CONTAINER(job, struct hub, bury);
    while (!list_empty(&hub->ended))
        subscriber_bury(CONTAINER(hub->ended.next, struct subscriber, turn));
    while (!list_empty(&hub->unused)) topic_bury(CONTAINER(hub->unused.next, struct topic, unused));
}

void hub_bury(struct hub *hub)
{
    later_post(hub->ports.later, LATER_SOON, &hub->bury);
}

void hub_counters_add(struct hub_counters *sum, const struct hub_counters *more)
{
    sum->emitted += more->emitted;
    sum->delivered += more->delivered;
    sum->bytes += more->bytes;
    sum->denied += more->denied;
    sum->withheld += more->withheld;
    sum->limited += more->limited;
    sum->replaced += more->replaced;
    sum->echoes += more->echoes;
    sum->lagged += more->lagged;
    sum->missed += more->missed;
    sum->lost += more->lost;
    sum->snapshots += more->snapshots;
    sum->snapshots_failed += more->snapshots_failed;
    sum->resyncs += more->resyncs;
    sum->heartbeats += more->heartbeats;
    for (int i = 0; i < END_REASONS; i++) sum->ended[i] += more->ended[i];
    histogram_add(&sum->latency, &more->latency);
    sum->queued.slots += more->queued.slots;
    sum->queued.bytes += more->queued.bytes;
    sum->queued.slots_max += more->queued.slots_max;
    sum->queued.bytes_max += more->queued.bytes_max;
    sum->subscribers += more->subscribers;
    sum->topics += more->topics;
    sum->users += more->users;
    sum->channels += more->channels;
}

struct hub *hub_new(const struct hub_ports *ports, const struct hub_limits *limits)
{
    struct hub *hub = xcalloc(1, sizeof(*hub));
    hub->ports = *ports;
    hub->limits = *limits;
    lookup_create(&hub->topics_by_name, topic_hash);
    list_create(&hub->topics);
    users_create(&hub->users, &hub->tags);
    list_create(&hub->subscribers);
    fanout_create(&hub->fanout);
    list_create(&hub->flushing);
    job_create(&hub->flush, flush_run);
    hub->latency.histogram = &hub->counters.latency;
    list_create(&hub->ended);
    list_create(&hub->unused);
    job_create(&hub->bury, bury);
    windows_create(&hub->windows);
    forgotten_create(&hub->forgotten, limits->forgotten_topics, ports->order->position);
    told_create(&hub->told, ports->stretches);
    return hub;
}

void hub_set_limits(struct hub *hub, const struct hub_limits *limits)
{
    hub->limits = *limits;
    forgotten_set_limit(&hub->forgotten, limits->forgotten_topics);
}

void hub_free(struct hub *hub)
{
    CHECK(hub->counters.subscribers == 0);
    bury(&hub->bury);
    fanout_destroy(&hub->fanout);
    windows_destroy(&hub->windows);
    while (!list_empty(&hub->topics))
        topic_destroy(CONTAINER(hub->topics.next, struct topic, node));
    later_cancel(&hub->flush);
    later_cancel(&hub->bury);
    lookup_destroy(&hub->topics_by_name);
    lookup_destroy(&hub->users);
    lookup_destroy(&hub->tags);
    forgotten_destroy(&hub->forgotten);
    told_destroy(&hub->told);
    if (hub->spare_question) question_free(hub->spare_question);
    control_beats_destroy(&hub->beats);
    xfree(hub);
}

void hub_lose(struct hub *hub, struct bytes name)
{
    struct bus *bus = hub->ports.bus;
    if (bus) {
        hub->counters.lost++;
        bus->lose(bus, name);
        return;
    }
    struct atom *lost = atom_get(name);
    forgotten_put(&hub->forgotten, lost, order_next(hub->ports.order));
    hub->counters.lost++;
    atom_unref(lost);
}

struct topic *hub_topic_find(struct hub *hub, struct bytes name)
{
    const struct atom *atom = atom_find(name);
    return atom ? lookup_find(&hub->topics_by_name, atom->hash, topic_is, atom) : NULL;
}

void hub_topics_each(struct hub *hub, void (*each)(void *ctx, struct topic *topic), void *ctx)
{
    LIST_EACH(node, &hub->topics)
    {
        each(ctx, CONTAINER(node, struct topic, node));
    }
}

void hub_all_each(struct hub *hub, bool (*each)(void *ctx, struct subscriber *subscriber),
                  void *ctx)
{
    LIST_EACH(node, &hub->subscribers)
    {
        struct subscriber *subscriber = CONTAINER(node, struct subscriber, all);
        if (subscriber->state != STATE_ENDED && !each(ctx, subscriber)) return;
    }
}

uint64_t hub_fanned(const struct hub *hub)
{
    uint64_t before = fanout_before(&hub->fanout), newest = hub->ports.order->position;
    return before < newest ? before : newest;
}

void hub_fan_out(struct hub *hub)
{
    fanout_finish(&hub->fanout);
}

bool hub_is_cursor(const struct hub *hub, struct bytes id)
{
    struct places places;
    return order_read(hub->ports.order, id, &places, NULL);
}

uint64_t hub_find_id(const struct hub *hub, struct bytes id)
{
    const struct frame *found = NULL;
    for (const struct list *node = hub->topics.next; !found && node != &hub->topics; node = node->next)
        found = history_find(&CONTAINER(node, struct topic, node)->history, id);
    return found ? found->position : 0;
}

/* Where nobody knows, it is that of the beginning: who comes with it is told to re-read. */
size_t hub_cursor(const struct hub *hub, char *out)
{
    const struct order *order = hub->ports.order;
    const struct frame *next = fanout_next(&hub->fanout);
    struct places places;
    const bool known =
        next ? order_before(order, next->server, next->place, frame_id(next), &places)
             : order_places(order, order->position, &places);
    if (!known) places = (struct places){{0}};
    return cursor_write(&order->epoch, &places, out);
}

size_t hub_newest_cursor(const struct hub *hub, char *out)
{
    struct places places;
    order_places(hub->ports.order, hub->ports.order->position, &places);
    return cursor_write(&hub->ports.order->epoch, &places, out);
}

size_t hub_cursor_of(const struct hub *hub, const struct places *places, char *out)
{
    return cursor_write(&hub->ports.order->epoch, places, out);
}

const struct hub_counters *hub_counters(const struct hub *hub)
{
    return &hub->counters;
}

bool hub_idle(const struct hub *hub)
{
    return list_empty(&hub->fanout.runs) && list_empty(&hub->flushing) && list_empty(&hub->ended) &&
           list_empty(&hub->unused);
}
