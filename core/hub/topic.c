/* A trigger's way into the order: a window if it has one, then its place, its
 * frame, history, fan-out. Nothing here calls back, so a rule's emits are safe
 * wherever it runs. */
#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "hub/control.h"
#include "hub/hub_state.h"
#include "hub/limiter.h"
#include "hub/retain.h"
#include "hub/subscriber_state.h"
#include "hub/topic_state.h"

enum { EXPIRY_PACE = 8, EXPIRY_MIN_MS = 100 };

static void expire(struct timer *timer);

static struct topic *topic_new(struct hub *hub, struct bytes name,
                               const struct topic_options *options)
{
    struct topic *topic = xcalloc(1, sizeof(*topic));
    topic->hub = hub;
    topic->name = atom_get(name);
    topic->options = options;
    struct bus *bus = hub->ports.bus;
    if (bus) topic->server = bus->server_of(bus, name);
    topic->loaded = !bus;
    history_create(&topic->history,
                   bus ? UINT64_MAX : forgotten_take(&hub->forgotten, topic->name));
    list_create(&topic->waiters);
    timer_init(&topic->expiry, expire);
    list_create(&topic->node);
    list_create(&topic->unused);
    list_append(&hub->topics, &topic->node);
    lookup_add(&hub->topics_by_name, topic);
    hub->counters.topics++;
    return topic;
}

struct topic *hub_topic(struct hub *hub, struct bytes name, const struct topic_options *options)
{
    struct topic *topic = hub_topic_find(hub, name);
    if (topic) return topic;
    CHECK(!text_breaks_line(name));
    if (hub->counters.topics >= hub->limits.topics) return NULL;
    topic = topic_new(hub, name, options);
    topic_release(topic); /* unless somebody takes it this turn */
    return topic;
}

void topic_destroy(struct topic *topic)
{
    struct hub *hub = topic->hub;
    lookup_remove(&hub->topics_by_name, topic);
    list_remove(&topic->node);
    list_remove(&topic->unused);
    clock_cancel(hub->ports.clock, &topic->expiry);
    history_destroy(&topic->history);
    retain_drop(topic);
    limiter_drop(topic);
    if (topic->history.lost && !hub->ports.bus) forgotten_put(&hub->forgotten, topic->name, topic->history.lost);
    atom_unref(topic->name);
    xfree(topic->members);
    xfree(topic);
    hub->counters.topics--;
}

static bool is_unused(const struct topic *topic)
{
    if (topic->present || topic->runs || topic->windows || topic->limiter) return false;
    if (topic->hub->ports.bus) return !topic->holds && list_empty(&topic->waiters);
    return !topic->history.count && !topic->retained;
}

void topic_release(struct topic *topic)
{
    if (!is_unused(topic) || !list_empty(&topic->unused)) return;
    list_append(&topic->hub->unused, &topic->unused);
    hub_bury(topic->hub);
}

void topic_bury(struct topic *topic)
{
    list_remove(&topic->unused);
    if (is_unused(topic)) topic_destroy(topic);
}

/* ---- triggers ---- */

uint64_t topic_now(const struct topic *topic)
{
    return hub_now(topic->hub);
}

const struct hub_ports *topic_ports(const struct topic *topic)
{
    return &topic->hub->ports;
}

struct bytes topic_event_name(const struct topic *topic, const struct atom *type)
{
    if (!type) return BYTES("resync");
    switch (topic->options->name) {
    case EVENT_NAME_TYPE: /* "message" is what an event without a name is called (WHATWG 9.2.6) */
        if (bytes_is(atom_bytes(type), "message")) return (struct bytes){NULL, 0};
        return atom_bytes(type);
    case EVENT_NAME_TOPIC:
        return atom_bytes(topic->name);
    default:
        return (struct bytes){NULL, 0};
    }
}

/* Expiry is exact where it is looked at; the timer frees memory, and may be late for that. */
void topic_watch_expiry(struct topic *topic)
{
    const uint64_t ttl = topic->options->history_ttl_ms, retained = retain_due_ms(topic);
    if (timer_armed(&topic->expiry)) return;
    uint64_t due = UINT64_MAX;
    if (ttl && topic->history.count) {
        const uint64_t soonest = hub_now(topic->hub) + ttl / EXPIRY_PACE + EXPIRY_MIN_MS;
        due = history_at(&topic->history, 0)->at_ms + ttl;
        if (due < soonest) due = soonest;
    }
    if (retained < due) due = retained;
    if (due == UINT64_MAX) return;
    wheel_arm(&topic->hub->ports.clock->wheel, &topic->expiry, due);
}

void topic_expire(struct topic *topic)
{
    uint64_t ttl = topic->options->history_ttl_ms, now = hub_now(topic->hub);
    if (ttl && now >= ttl) history_expire(&topic->history, now - ttl);
    retain_expire(topic);
    topic_release(topic);
}

static void expire(struct timer *timer)
{
    struct topic *topic = CONTAINER(timer, struct topic, expiry);
    topic_expire(topic);
    topic_watch_expiry(topic);
}

struct bytes topic_write_urn(struct random *random, char out[TOPIC_URN_SIZE + 1])
{
    const uint64_t high = random->next(random), low = random->next(random);
    snprintf(out, TOPIC_URN_SIZE + 1, "urn:uuid:%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
             (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
             (unsigned)(low >> 48 & 0x3fff) | 0x8000,
             (unsigned long long)(low & 0xffffffffffffULL));
    return bytes_run(out, TOPIC_URN_SIZE);
}

static struct bytes event_id(const struct topic *topic, const struct emission *emission,
                             const struct places *id, char out[CURSOR_MAX])
{
    const struct hub_ports *ports = topic_ports(topic);
    if (!id) return (struct bytes){NULL, 0};
    if (!topic->options->publisher_ids)
        return bytes_run(out, cursor_write(&ports->order->epoch, id, out));
    return emission->id.size ? emission->id : topic_write_urn(ports->random, out);
}

struct frame *topic_frame(struct topic *topic, const struct emission *emission,
                          const struct places *id, uint64_t at_ms)
{
    const struct hub_ports *ports = topic_ports(topic);
    const struct places *places = id ? id : &ports->order->heard;
    char text[CURSOR_MAX];
    struct frame *frame = frame_new(&(struct trigger){
        .topic = topic->name,
        .type = emission->type,
        .name = topic_event_name(topic, emission->type),
        .data = emission->data,
        .id = event_id(topic, emission, id, text),
        .replaces = emission->replaces,
        .user = emission->user,
        .tag = emission->tag,
        .meta = emission->meta,
        .retry_ms = emission->retry_ms,
        .position = ports->order->position,
        .place = places->at[topic->server],
        .server = topic->server,
        .at_ms = at_ms,
        .at_us = clock_turn_us(ports->clock),
    });
    CHECK(frame);
    return frame;
}

void topic_keep(struct topic *topic, struct frame *frame)
{
    history_add(&topic->history, frame, topic->options->history_size);
    if (topic->options->publisher_ids) history_index(&topic->history);
}

uint64_t topic_newest(const struct topic *topic)
{
    const struct history *history = &topic->history;
    return history->count ? history_at(history, history->count - 1)->place : history->lost;
}

static struct frame *put(struct topic *topic, const struct emission *emission, const struct places *id)
{
    struct hub *hub = topic->hub;
    struct frame *frame = topic_frame(topic, emission, id, hub_now(hub));
    hub->counters.emitted++;
    hub_note_placed(hub,
                    &(struct placing){.frame = frame,
                                      .topic = topic->name,
                                      .position = frame->position,
                                      .place = frame->place,
                                      .server = frame->server,
                                      .subscribers = topic->present},
                    emission);
    if (topic->present) fanout_add(hub, topic, frame);
    return frame;
}

void topic_put(struct topic *topic, const struct emission *emission)
{
    struct frame *frame = put(topic, emission, &topic->hub->ports.order->heard);
    topic_keep(topic, frame);
    retain_placed(topic, frame);
    topic_watch_expiry(topic);
    frame_unref(frame);
    topic_release(topic);
}

void topic_put_here(struct topic *topic, const struct emission *emission)
{
    frame_unref(put(topic, emission, NULL));
    topic_release(topic);
}

uint64_t topic_place(struct topic *topic, const struct emission *emission)
{
    const struct hub_ports *ports = topic_ports(topic);
    if (ports->bus) {
        ports->bus->publish(ports->bus, topic, emission);
        return 0;
    }
    order_next(ports->order);
    topic_put(topic, emission);
    return ports->order->position;
}

uint64_t topic_admit(struct topic *topic, const struct emission *emission)
{
    struct bus *bus = topic_ports(topic)->bus;
    if (limiter_admits(topic)) return topic_place(topic, emission);
    if (!bus)
        retain_refused(topic, emission);
    else if (topic->options->retain)
        bus->retain(bus, topic, emission);
    limiter_refuse(topic, emission);
    topic_watch_expiry(topic);
    return 0;
}

static struct atom *atom_or_null(struct bytes bytes)
{
    return bytes.data ? atom_get(bytes) : NULL;
}

uint64_t topic_emit(struct topic *topic, const struct emit *emit)
{
    CHECK(!text_breaks_line(emit->type));
    CHECK(!emit->user.data == !emit->tag.data);
    CHECK(!emit->within_ms || emit->replaces.data);
    CHECK(!text_breaks_line(emit->id));
    struct emission emission = {.type = atom_get(emit->type),
                                .replaces = atom_or_null(emit->replaces),
                                .user = atom_or_null(emit->user),
                                .tag = atom_or_null(emit->tag),
                                .meta = atom_or_null(emit->meta),
                                .id = emit->id,
                                .retry_ms = emit->retry_ms,
                                .data = emit->data,
                                .cause = emit->cause};
    const struct emission held = emission; /* what window_replace may take from the other */
    uint64_t position = 0;
    if (!emit->within_ms || !window_hold(topic, &emission, emit->within_ms)) {
        if (emission.replaces) window_replace(topic, &emission);
        position = topic_admit(topic, &emission);
    }
    atom_unref(held.type);
    atom_unref(held.replaces);
    atom_unref(held.user);
    atom_unref(held.tag);
    atom_unref(held.meta);
    return position;
}

void topic_resync(struct topic *topic, const char *reason, uint64_t cause)
{
    struct buf data = BUF_EMPTY;
    control_resync_data(&data, reason, topic->name);
    topic->hub->counters.resyncs++;
    topic_place(topic, &(struct emission){.data = buf_bytes(&data), .cause = cause});
    buf_destroy(&data);
}

/* ---- members ---- */

static void attend(struct topic *topic, const struct subscriber *subscriber, bool joins)
{
    struct attendance *attendance = topic->hub->ports.attendance;
    if (!topic->options->attended || !attendance || !subscriber->user) return;
    (joins ? attendance->joined : attendance->left)(attendance, topic, subscriber->user);
}

uint32_t topic_add(struct topic *topic, struct subscriber *subscriber, uint32_t subscription)
{
    if (topic->count == topic->capacity) {
        topic->capacity += topic->capacity / 2 + 1;
        topic->members = xrealloc(topic->members, topic->capacity * sizeof(struct member));
    }
    topic->members[topic->count] = (struct member){subscriber, subscription};
    if (!topic->present++) topic->hub->counters.channels++;
    attend(topic, subscriber, true);
    const uint32_t index = topic->count++;
    topic_review_wants(topic);
    return index;
}

static void move_member(struct topic *topic, uint32_t from, uint32_t to)
{
    struct member *member = &topic->members[to];
    *member = topic->members[from];
    subscriber_list(member->subscriber)[member->subscription].member = to;
}

void topic_remove(struct topic *topic, uint32_t index)
{
    CHECK(index < topic->count && topic->members[index].subscriber);
    if (!--topic->present) topic->hub->counters.channels--;
    attend(topic, topic->members[index].subscriber, false);
    topic->members[index].subscriber = NULL;
    if (!topic->fanning && index != --topic->count) move_member(topic, topic->count, index);
    topic_review_wants(topic);
    topic_release(topic);
}

void topic_fanned(struct topic *topic)
{
    topic->fanning = false;
    if (topic->present == topic->count) return;
    uint32_t to = 0;
    for (uint32_t from = 0; from < topic->count; from++) {
        if (!topic->members[from].subscriber) continue;
        if (from != to) move_member(topic, from, to);
        to++;
    }
    topic->count = to;
}

void topic_fan_out(struct topic *topic)
{
    if (topic->runs) fanout_finish(&topic->hub->fanout);
}

/* ---- queries ---- */

struct atom *topic_name(const struct topic *topic)
{
    return topic->name;
}

const struct topic_options *topic_options(const struct topic *topic)
{
    return topic->options;
}

void topic_set_options(struct topic *topic, const struct topic_options *options)
{
    topic->options = options;
    if (options->publisher_ids)
        history_index(&topic->history);
    else
        history_unindex(&topic->history);
    history_trim(&topic->history, options->history_size);
    retain_changed(topic);
    clock_cancel(topic->hub->ports.clock, &topic->expiry);
    topic_expire(topic);
    topic_watch_expiry(topic);
}

uint32_t topic_kept(const struct topic *topic)
{
    return topic->history.count;
}

uint32_t topic_subscribers(const struct topic *topic)
{
    return topic->present;
}
