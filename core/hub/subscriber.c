/* The life of a subscriber. What it owns is let go in subscriber_end, in one
 * place; only its memory, its place in the hub's walks and its owner's last call
 * wait for the end of the turn.
 *
 * One timer serves for the heartbeat and for the stall, whichever is next. It is
 * not moved at every write: when it fires too early, it is armed again. */
#include "hub/subscriber.h"

#include "base/alloc.h"
#include "base/check.h"
#include "event/frame.h"
#include "hub/control.h"
#include "hub/flush.h"
#include "hub/hub_state.h"
#include "hub/newcomer.h"
#include "hub/offer.h"
#include "hub/question.h"
#include "hub/replay.h"
#include "hub/stale.h"
#include "hub/subscriber_state.h"
#include "hub/users.h"

enum { TAG_MAX = 64, ENDING_SIZE = 7, RETRY_MS = 1000 };

static void tick(struct timer *timer);

/* ---- sink ---- */

static void on_writable(void *owner)
{
    struct subscriber *subscriber = owner;
    subscriber->blocked = false;
    subscriber_watch(subscriber);
    flush_post(subscriber);
}

static void on_gone(void *owner, const char *why)
{
    struct subscriber *subscriber = owner;
    subscriber->sink = NULL;
    subscriber_end(subscriber, strcmp(why, "stalled") == 0 ? END_SLOW : END_CLIENT);
}

static const struct sink_events sink_events = {.writable = on_writable, .gone = on_gone};

/* ---- life ---- */

/* The tag with a random ending in place of what would make it too long. */
static struct atom *renamed(struct hub *hub, const struct atom *tag)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char text[TAG_MAX];
    size_t size = tag->size < TAG_MAX - ENDING_SIZE ? tag->size : TAG_MAX - ENDING_SIZE;
    memcpy(text, tag->text, size);
    text[size++] = '-';
    for (int i = 1; i < ENDING_SIZE; i++)
        text[size++] = letters[random_below(hub->ports.random, sizeof(letters) - 1)];
    return atom_get(bytes_run(text, size));
}

static void take_tag(struct subscriber *subscriber, struct atom *tag)
{
    subscriber->tag = atom_ref(tag);
    if (!users_tab(subscriber->hub, subscriber->user, tag)) return;
    subscriber->asked_tag = subscriber->tag;
    subscriber->tag = NULL;
    do {
        atom_unref(subscriber->tag);
        subscriber->tag = renamed(subscriber->hub, tag);
    } while (users_tab(subscriber->hub, subscriber->user, subscriber->tag));
}

struct subscriber *subscriber_new(struct hub *hub, const struct subscriber_options *options,
                                  struct sink *sink, struct atom *user, struct atom *tag,
                                  const struct subscriber_events *events, void *owner)
{
    struct subscriber *subscriber = xcalloc(1, sizeof(*subscriber));
    subscriber->hub = hub;
    subscriber->options = options;
    subscriber->events = events;
    subscriber->owner = owner;
    subscriber->user = atom_ref(user);
    subscriber->since_ms = hub_now(hub);
    take_tag(subscriber, tag);
    timer_init(&subscriber->timer, tick);
    list_create(&subscriber->turn);
    list_create(&subscriber->all);
    list_append(&hub->subscribers, &subscriber->all);
    users_add(subscriber);
    if (sink) subscriber_open(subscriber, sink);
    hub->counters.subscribers++;
    return subscriber;
}

void subscriber_open(struct subscriber *subscriber, struct sink *sink)
{
    subscriber->sink = sink;
    sink->events = &sink_events;
    sink->owner = subscriber;
}

struct bytes subscriber_place(struct subscriber *subscriber, struct bytes cursor)
{
    if (!cursor.size) return (struct bytes){NULL, 0};
    return replay_is_whole(subscriber, cursor) ? cursor : SUBSCRIBER_EARLIEST;
}

void subscriber_start(struct subscriber *subscriber, struct bytes cursor)
{
    if (subscriber->state == STATE_ENDED) return;
    CHECK(subscriber->state == STATE_NEW);
    replay_start(subscriber, cursor);
}

static void leave_all(struct subscriber *subscriber)
{
    struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++) topic_remove(list[i].topic, list[i].member);
    if (subscriber->capacity) xfree(subscriber->many);
    subscriber->topics = subscriber->capacity = 0;
}

static void drop_queue(struct subscriber *subscriber)
{
    struct queue *queue = subscriber->queue;
    for (uint32_t i = 0; queue && i < queue->count; i++)
        question_cancel(subscriber, queue_at(queue, i));
    queue_free(&subscriber->queue);
}

static void close_sink(struct subscriber *subscriber)
{
    struct sink *sink = subscriber->sink;
    subscriber->sink = NULL;
    if (sink) sink->ops->close(sink, end_reason_name(subscriber->reason));
}

void subscriber_end(struct subscriber *subscriber, enum end_reason reason)
{
    struct hub *hub = subscriber->hub;
    if (subscriber->state == STATE_ENDED) return;
    if (reason != END_CLIENT)
        while (flush_now(subscriber)) continue;
    latency_settle(&hub->latency, hub->ports.clock);
    if (subscriber->state == STATE_ENDED) return; /* by a rule that was asked once more */
    stale_drop(subscriber, NULL);
    subscriber->state = STATE_ENDED;
    subscriber->reason = (uint8_t)reason;
    hub->counters.subscribers--;
    hub->counters.ended[reason]++;
    drop_queue(subscriber);
    leave_all(subscriber);
    users_free_tag(subscriber);
    clock_cancel(hub->ports.clock, &subscriber->timer);
    close_sink(subscriber);
    list_remove(&subscriber->turn);
    list_append(&hub->ended, &subscriber->turn);
    hub_bury(hub);
}

void subscriber_dismiss(struct subscriber *subscriber, enum end_reason reason, uint64_t retry_ms)
{
    if (subscriber->state == STATE_ENDED) return;
    offer_control(subscriber, SLOT_CONTROL, frame_retry(retry_ms));
    subscriber_end(subscriber, reason);
}

void subscriber_part(struct subscriber *subscriber, enum end_reason reason, struct bytes name,
                     struct bytes data)
{
    while (flush_now(subscriber)) continue;
    if (subscriber->state == STATE_ENDED) return;
    if (!subscriber->blocked && !subscriber->checking) drop_queue(subscriber);
    offer_control(subscriber, SLOT_CONTROL, control_event(name, data));
    subscriber_end(subscriber, reason);
}

void subscriber_bury(struct subscriber *subscriber)
{
    list_remove(&subscriber->turn);
    list_remove(&subscriber->all);
    users_remove(subscriber);
    if (subscriber->events) subscriber->events->ended(subscriber->owner, subscriber->reason);
    atom_unref(subscriber->user);
    atom_unref(subscriber->tag);
    atom_unref(subscriber->asked_tag);
    xfree(subscriber);
}

/* ---- topics ---- */

struct subscription *subscriber_find(struct subscriber *subscriber, const struct topic *topic)
{
    struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++)
        if (list[i].topic == topic) return &list[i];
    return NULL;
}

struct subscription *subscriber_find_name(struct subscriber *subscriber, const struct atom *name)
{
    struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++)
        if (list[i].topic->name == name) return &list[i];
    return NULL;
}

bool subscriber_shows_ids(struct subscriber *subscriber)
{
    const struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++)
        if (list[i].topic->options->publisher_ids) return true;
    return false;
}

static void grow(struct subscriber *subscriber)
{
    bool inline_one = !subscriber->capacity;
    uint32_t capacity = inline_one ? 2 : subscriber->capacity * 2;
    struct subscription *many =
        xrealloc(inline_one ? NULL : subscriber->many, capacity * sizeof(*many));
    if (inline_one) many[0] = subscriber->one;
    subscriber->many = many;
    subscriber->capacity = capacity;
}

bool subscriber_join(struct subscriber *subscriber, struct topic *topic)
{
    if (subscriber->state == STATE_ENDED || subscriber_find(subscriber, topic)) return false;
    uint32_t room = subscriber->capacity ? subscriber->capacity : 1;
    if (subscriber->topics == room) grow(subscriber);
    uint32_t at = subscriber->topics++;
    bool begins = subscriber->state == STATE_NEW;
    struct subscription *own = &subscriber_list(subscriber)[at];
    *own = (struct subscription){
        .topic = topic,
        .joined_at = begins ? UINT64_MAX : topic_join_mark(topic),
    };
    own->member = topic_add(topic, subscriber, at); /* who is told of it finds it here already */
    return true;
}

void subscriber_untold(struct subscriber *subscriber, struct topic *topic)
{
    struct subscription *own = subscriber_find(subscriber, topic);
    if (own) own->untold = true;
}

void subscriber_greet(struct subscriber *subscriber, struct topic *topic)
{
    struct subscription *joined = subscriber_find(subscriber, topic);
    if (!joined || subscriber->state == STATE_NEW) return;
    joined->newcomer = true;
    newcomer_greet(subscriber);
}

static bool is_of(const struct slot *slot, const struct topic *topic)
{
    if (slot->frame) return slot->frame->topic == topic->name;
    return slot->question && question_topic(slot->question) == topic;
}

/* What waits of a topic that it left is not for it any more. */
static void drop_slots(struct subscriber *subscriber, const struct topic *topic)
{
    struct queue *queue = subscriber->queue;
    if (!queue) return;
    for (uint32_t i = queue->sent ? 1 : 0; i < queue->count; i++) {
        struct slot *slot = queue_at(queue, i);
        if (!is_of(slot, topic)) continue;
        question_cancel(subscriber, slot);
        queue_drop(queue, slot);
    }
    queue_tidy(&subscriber->queue);
    flush_post(subscriber);
}

bool subscriber_leave(struct subscriber *subscriber, struct topic *topic)
{
    struct subscription *left = subscriber_find(subscriber, topic);
    if (!left) return false;
    stale_drop(subscriber, topic);
    drop_slots(subscriber, topic);
    topic_remove(topic, left->member);
    struct subscription *last = &subscriber_list(subscriber)[--subscriber->topics];
    if (left != last) {
        *left = *last;
        left->topic->members[left->member].subscription =
            (uint32_t)(left - subscriber_list(subscriber));
    }
    return true;
}

/* A control event, which no lag swallows: a lagged resync names only topics that it still has. */
void subscriber_lose(struct subscriber *subscriber, struct topic *topic, const char *reason)
{
    if (!subscriber_leave(subscriber, topic)) return;
    subscriber->hub->counters.resyncs++;
    offer_control(subscriber, SLOT_CONTROL,
                  control_resync_of(subscriber->hub, reason, topic->name));
}

/* ---- its own events ---- */

void subscriber_resync(struct subscriber *subscriber, const char *reason, struct topic *topic)
{
    if (subscriber->state == STATE_ENDED) return;
    struct buf data = BUF_EMPTY;
    struct subscription *list = subscriber_list(subscriber);
    control_resync_begin(&data, reason, CONTROL_UNKNOWN);
    for (uint32_t i = 0; i < subscriber->topics; i++)
        if (!topic || list[i].topic == topic) control_resync_topic(&data, list[i].topic->name);
    offer_control(
        subscriber, SLOT_RESYNC,
        control_resync_end(subscriber->hub, &data, NULL, topic ? topic->name : NULL));
}

void subscriber_control(struct subscriber *subscriber, const char *name, struct bytes data)
{
    if (subscriber->state == STATE_ENDED) return;
    offer_control(subscriber, SLOT_CONTROL, control_event(bytes_of(name), data));
}

/* ---- time ---- */

const struct places *subscriber_show(const struct subscriber *subscriber, const struct places *at)
{
    return subscriber->options->ready == READY_HEADER ? NULL : at;
}

const struct places *subscriber_id(const struct subscriber *subscriber, uint64_t position,
                                   struct places *out)
{
    const bool known = order_places(subscriber->hub->ports.order, position, out);
    return subscriber_show(subscriber, known ? out : NULL);
}

uint64_t subscriber_position(const struct subscriber *subscriber)
{
    uint64_t fanned = hub_fanned(subscriber->hub);
    return subscriber->seen > fanned ? subscriber->seen : fanned;
}

uint64_t subscriber_reaches(const struct subscriber *subscriber, uint8_t server)
{
    const struct order *order = subscriber->hub->ports.order;
    return order->shared ? order->heard.at[server] : subscriber_position(subscriber);
}

static uint64_t due(const struct subscriber *subscriber)
{
    const struct subscriber_options *options = subscriber->options;
    if (subscriber->blocked) return subscriber->since_ms + options->stall_ms;
    if (!options->heartbeat_ms) return UINT64_MAX;
    const uint64_t since = options->beat_always ? subscriber->beat_ms : subscriber->since_ms;
    return since + options->heartbeat_ms;
}

void subscriber_watch(struct subscriber *subscriber)
{
    uint64_t next = due(subscriber);
    struct timer *timer = &subscriber->timer;
    if (next == UINT64_MAX || (timer_armed(timer) && timer->due_ms <= next)) return;
    wheel_arm(&subscriber->hub->ports.clock->wheel, timer, next);
}

/* Those that come whatever else flows keep their pace, also where one had to wait; what was missed
 * altogether is not made up for. */
static void note_beat(struct subscriber *subscriber)
{
    const uint64_t now = hub_now(subscriber->hub), every = subscriber->options->heartbeat_ms;
    subscriber->beat_ms += every;
    if (subscriber->beat_ms + every <= now) subscriber->beat_ms = now;
}

static void beat(struct subscriber *subscriber)
{
    struct hub *hub = subscriber->hub;
    if (subscriber->queue || subscriber->state != STATE_LIVE) { /* something is on its way */
        clock_after(hub->ports.clock, &subscriber->timer, RETRY_MS);
        return;
    }
    struct places places;
    const struct places *at = subscriber_id(subscriber, subscriber_position(subscriber), &places);
    if (subscriber_shows_ids(subscriber)) at = NULL;
    struct frame *frame = control_heartbeat(hub, subscriber->options, at);
    note_beat(subscriber);
    struct iovec piece = {frame->bytes, frame->size};
    size_t taken = flush_direct(subscriber, &piece, 1, frame->size);
    if (taken && taken < frame->size) { /* its rest must follow */
        offer_control(subscriber, SLOT_CONTROL, frame_ref(frame));
        subscriber->queue->sent = (uint32_t)taken;
    }
    frame_unref(frame);
    hub->counters.heartbeats++;
    subscriber_watch(subscriber);
}

static void tick(struct timer *timer)
{
    struct subscriber *subscriber = CONTAINER(timer, struct subscriber, timer);
    if (hub_now(subscriber->hub) < due(subscriber))
        subscriber_watch(subscriber);
    else if (subscriber->blocked)
        subscriber_end(subscriber, END_SLOW);
    else
        beat(subscriber);
}

/* Heartbeats and stalls by the new times. */
void subscriber_set_options(struct subscriber *subscriber, const struct subscriber_options *options)
{
    if (!subscriber->options->beat_always) subscriber->beat_ms = hub_now(subscriber->hub);
    subscriber->options = options;
    if (subscriber->state != STATE_NEW && subscriber->state != STATE_ENDED)
        subscriber_watch(subscriber);
}

/* ---- queries ---- */

const char *end_reason_name(enum end_reason reason)
{
    static const char *const names[END_REASONS] = {
        [END_CLIENT] = "client",     [END_SLOW] = "slow",     [END_EXPIRED] = "expired",
        [END_LIFETIME] = "lifetime", [END_DRAIN] = "drain",   [END_KICKED] = "kicked",
        [END_REFUSED] = "refused",   [END_RELOAD] = "reload", [END_ERROR] = "error",
    };
    return names[reason];
}

struct hub *subscriber_hub(const struct subscriber *subscriber)
{
    return subscriber->hub;
}

struct atom *subscriber_user(const struct subscriber *subscriber)
{
    return subscriber->user;
}

struct atom *subscriber_tag(const struct subscriber *subscriber)
{
    return subscriber->tag;
}

struct atom *subscriber_asked_tag(const struct subscriber *subscriber)
{
    return subscriber->asked_tag ? subscriber->asked_tag : subscriber->tag;
}

void *subscriber_owner(const struct subscriber *subscriber)
{
    return subscriber->owner;
}

struct sink *subscriber_sink(const struct subscriber *subscriber)
{
    return subscriber->sink;
}

bool subscriber_ended(const struct subscriber *subscriber)
{
    return subscriber->state == STATE_ENDED;
}

uint32_t subscriber_topic_count(const struct subscriber *subscriber)
{
    return subscriber->topics;
}

struct topic *subscriber_topic(const struct subscriber *subscriber, uint32_t index)
{
    CHECK(index < subscriber->topics);
    return subscriber_list((struct subscriber *)subscriber)[index].topic;
}

uint32_t subscriber_queued(const struct subscriber *subscriber)
{
    return subscriber->queue ? subscriber->queue->waiting : 0;
}
