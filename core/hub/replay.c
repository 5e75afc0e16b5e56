/* The plan is made before anything is asked or queued: which topics the cursor's
 * time is known of, what they have for this subscriber, and whether that is too
 * much. A topic whose history does not reach back is named in the resync, and what
 * it still has is not replayed: the client re-reads it. The others are replayed
 * all the same, since the resync does not speak of them.
 *
 * With one server a cursor is one place, and what was missed goes out as it is, in the frames that all share. With
 * several the triggers of each are in its order, but between two servers each node has its own, so a frame's id says
 * too much or too little of the others for who comes from elsewhere. There each is made again, with
 * the client's own cursor as it runs on.
 *
 * `ready` comes first, but says how much came behind it: its slot is filled last.
 *
 * What topics have for newcomers comes behind `ready` and the resync, and has no ids.
 * A client that is cut in between must come back as what it was, a newcomer, or it would
 * never get the rest: so neither `ready` nor the resync gives it a new cursor then. That
 * comes behind it all, with what was missed or, where that is nothing, with a mark. */
#include "hub/replay.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "event/frame.h"
#include "hub/control.h"
#include "hub/flush.h"
#include "hub/hub_state.h"
#include "hub/newcomer.h"
#include "hub/offer.h"
#include "hub/subscriber_state.h"

struct missed {
    struct frame *frame; /* a reference: rules run while the replay goes on */
    struct topic *topic;
};

struct replay {
    struct subscriber *subscriber;
    struct places cursor;
    uint32_t begun; /* servers that began anew since: what their topics had is not known */
    struct missed *missed;
    uint32_t count, capacity;
    uint64_t found, triggers; /* like count, but go on where it is too much; without resyncs */
    size_t bytes;
    bool too_much;
    bool all;    /* not from the cursor on, but all that there is: also what was withheld from others */
    bool asking; /* for what it would be; nothing is noted of it */
    struct buf history, access; /* the data of the resyncs, empty: none */
};

static uint64_t cursor_in(const struct replay *replay, const struct topic *topic)
{
    return replay->cursor.at[topic->server];
}

/* The topic's share of what was missed. */
static void collect(struct replay *replay, struct topic *topic)
{
    struct subscriber *subscriber = replay->subscriber;
    const struct subscriber_options *options = subscriber->options;
    const struct atom *tag = subscriber->asked_tag ? subscriber->asked_tag : subscriber->tag;
    uint32_t i = history_after(&topic->history, cursor_in(replay, topic));
    for (; i < topic->history.count; i++) {
        struct frame *frame = history_at(&topic->history, i);
        if (offer_is_echo(subscriber, tag, frame)) {
            if (!replay->asking)
                hub_note_spared(subscriber->hub, frame->position, subscriber, SPARED_ECHO);
            continue;
        }
        replay->found++;
        replay->triggers += frame->type != NULL;
        replay->bytes += frame->size;
        if (replay->found > options->replay_max || replay->bytes > options->queue_bytes)
            replay->too_much = true;
        if (replay->too_much) continue;
        if (replay->count == replay->capacity) {
            replay->capacity = replay->capacity ? replay->capacity * 2 : 16;
            replay->missed = xrealloc(replay->missed, replay->capacity * sizeof(*replay->missed));
        }
        replay->missed[replay->count++] = (struct missed){frame_ref(frame), topic};
    }
}

static void drop_missed(struct replay *replay)
{
    for (uint32_t i = 0; i < replay->count; i++) frame_unref(replay->missed[i].frame);
    replay->count = 0;
}

static bool began_anew(const struct replay *replay, const struct topic *topic)
{
    return !replay->all && replay->begun & 1u << topic->server;
}

static bool reaches_back(const struct replay *replay, const struct topic *topic)
{
    if (began_anew(replay, topic)) return false;
    return replay->all || cursor_in(replay, topic) >= topic->history.lost;
}

static bool has_newer(const struct replay *replay, const struct topic *topic)
{
    return history_after(&topic->history, cursor_in(replay, topic)) < topic->history.count;
}

/* What cannot be replayed because it is too much: nothing is, and every topic that has some of it
 * is named, with the number, where that is known without asking for verdicts. */
static int64_t too_much(struct replay *replay)
{
    struct subscriber *subscriber = replay->subscriber;
    struct subscription *list = subscriber_list(subscriber);
    bool known = true;
    for (uint32_t i = 0; i < subscriber->topics; i++) {
        const struct topic *topic = list[i].topic;
        if (!reaches_back(replay, topic)) known = false;
        if (topic->options->filtered && has_newer(replay, topic)) known = false;
    }
    drop_missed(replay);
    return known ? (int64_t)replay->triggers : CONTROL_UNKNOWN;
}

static void add_name(struct buf *data, const char *reason, int64_t missed,
                     const struct topic *topic)
{
    if (!data->size) control_resync_begin(data, reason, missed);
    control_resync_topic(data, topic->name);
}

static void plan(struct replay *replay)
{
    struct subscriber *subscriber = replay->subscriber;
    struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++) {
        topic_expire(list[i].topic);
        if (reaches_back(replay, list[i].topic)) collect(replay, list[i].topic);
    }
    int64_t missed = replay->too_much ? too_much(replay) : CONTROL_UNKNOWN;
    for (uint32_t i = 0; i < subscriber->topics; i++) {
        struct topic *topic = list[i].topic;
        bool lost = !reaches_back(replay, topic);
        list[i].replayed = !lost && !replay->too_much;
        if (lost || (replay->too_much && has_newer(replay, topic)))
            add_name(&replay->history, began_anew(replay, topic) ? "epoch" : "history", missed, topic);
        else if (!replay->all && topic->options->filtered &&
                 (list[i].untold ||
                  told_concerns(&subscriber->hub->told, subscriber->user, topic->name,
                                topic->server, cursor_in(replay, topic))))
            add_name(&replay->access, "access", CONTROL_UNKNOWN, topic);
        list[i].newcomer = lost || (replay->too_much && has_newer(replay, topic));
    }
}

/* What a topic has from before it was loaded has newer positions than what others had meanwhile. */
static int by_place(const void *a, const void *b)
{
    const struct frame *left = ((const struct missed *)a)->frame;
    const struct frame *right = ((const struct missed *)b)->frame;
    if (left->place != right->place) return left->place < right->place ? -1 : 1;
    return (int)left->server - (int)right->server;
}

/* Makes the queue, without a bound: what is replayed has a bound of its own. Returns the sequence
 * number of the slot that `ready` is to fill, if there is one. */
static uint32_t begin(struct subscriber *subscriber, uint32_t room)
{
    subscriber->queue = queue_new(room + 2, &subscriber->hub->counters.queued);
    subscriber->queue->extra = UINT32_MAX;
    if (subscriber->options->retry_ms) {
        struct frame *retry = frame_retry(subscriber->options->retry_ms);
        queue_push(&subscriber->queue, SLOT_CONTROL, retry, false);
        frame_unref(retry);
    }
    if (subscriber->options->ready == READY_HEADER) return 0;
    return queue_push(&subscriber->queue, SLOT_CONTROL, NULL, false)->sequence;
}

/* Kept like `ready`, also by a subscriber that lags: no count of what is dropped could stand for
 * what nobody can count. */
static void push_resync(struct subscriber *subscriber, struct buf *data, const struct places *at)
{
    if (!data->size) return;
    subscriber->hub->counters.resyncs++;
    offer_control(subscriber, SLOT_CONTROL,
                  control_resync_end(subscriber->hub, data, subscriber_show(subscriber, at),
                                     NULL));
}

/* Makes what was missed again, each with the client's cursor behind it. What has its publisher's id keeps it. */
static void give_own_ids(struct replay *replay)
{
    const struct order *order = replay->subscriber->hub->ports.order;
    struct places runs = replay->cursor;
    char id[CURSOR_MAX];
    for (uint32_t i = 0; i < replay->count; i++) {
        struct missed *missed = &replay->missed[i];
        struct frame *shared = missed->frame;
        runs.at[shared->server] = shared->place;
        if (missed->topic->options->publisher_ids) continue;
        const size_t size = cursor_write(&order->epoch, &runs, id);
        missed->frame = frame_with_id(shared, bytes_run(id, size));
        frame_unref(shared);
    }
}

static void push_missed(struct replay *replay)
{
    struct subscriber *subscriber = replay->subscriber;
    if (replay->count) qsort(replay->missed, replay->count, sizeof(*replay->missed), by_place);
    if (subscriber->hub->ports.order->epoch.servers > 1) give_own_ids(replay);
    for (uint32_t i = 0; i < replay->count && subscriber->state != STATE_ENDED; i++)
        offer_trigger(subscriber, replay->missed[i].topic, replay->missed[i].frame, 1);
    drop_missed(replay);
    xfree(replay->missed);
}

/* How many triggers stand in the queue; unknown if that may change. */
static int64_t count_replayed(struct subscriber *subscriber)
{
    struct queue *queue = subscriber->queue;
    int64_t count = 0;
    if (queue->held || subscriber->stale) return CONTROL_UNKNOWN;
    for (uint32_t i = 0; i < queue->count; i++)
        if (queue_at(queue, i)->kind == SLOT_TRIGGER) count++;
    return count;
}

/* Fills the slot of `ready`. What came behind it decides what it says. */
static void fill_ready(struct subscriber *subscriber, uint32_t sequence, const struct places *at,
                       bool resumed)
{
    struct queue *queue = subscriber->queue;
    if (subscriber->options->ready == READY_HEADER) return;
    struct slot *slot = queue_at(queue, (uint32_t)queue_index(queue, sequence));
    struct frame *ready =
        control_ready(subscriber->hub, at, resumed,
                      resumed ? count_replayed(subscriber) : CONTROL_UNKNOWN, subscriber->tag);
    queue_fill(queue, slot, SLOT_CONTROL, ready);
    frame_unref(ready);
}

/* All its topics are new to it. True: some have something for it. */
static bool all_new(struct subscriber *subscriber)
{
    struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++) list[i].newcomer = true;
    return newcomer_gets(subscriber);
}

/* Behind what newcomers get: with it the client has everything up to here. */
static void push_mark(struct subscriber *subscriber)
{
    if (subscriber->state == STATE_ENDED) return; /* by a filter */
    struct places places;
    const struct places *at = subscriber_id(subscriber, subscriber->seen, &places);
    if (!at) return;
    struct frame *mark = control_mark(subscriber->hub, at);
    queue_push(&subscriber->queue, SLOT_MARK, mark, false);
    frame_unref(mark);
}

static void start_fresh(struct subscriber *subscriber)
{
    const bool gets = all_new(subscriber);
    uint32_t ready = begin(subscriber, 0);
    struct places now;
    fill_ready(subscriber, ready, gets ? NULL : subscriber_id(subscriber, subscriber->seen, &now),
               false);
    if (!gets) return;
    newcomer_greet(subscriber);
    push_mark(subscriber);
}

/* The cursor is of another process, or of nobody, or an id that no history has: nothing is known. */
static void start_unknown(struct subscriber *subscriber)
{
    struct subscription *list = subscriber_list(subscriber);
    struct buf data = BUF_EMPTY;
    const bool gets = all_new(subscriber);
    const char *reason = subscriber_shows_ids(subscriber) ? "history" : "epoch";
    control_resync_begin(&data, reason, CONTROL_UNKNOWN);
    for (uint32_t i = 0; i < subscriber->topics; i++)
        control_resync_topic(&data, list[i].topic->name);
    if (subscriber->options->ready == READY_HEADER) buf_destroy(&data); /* it says "earliest" */
    uint32_t ready = begin(subscriber, 1);
    fill_ready(subscriber, ready, NULL, false);
    struct places now;
    push_resync(subscriber, &data, gets ? NULL : subscriber_id(subscriber, subscriber->seen, &now));
    if (!gets) return;
    newcomer_greet(subscriber);
    push_mark(subscriber);
}

/* What the head of the answer says is not said again; but it cannot say that not all is there. */
static void leave_to_header(struct replay *replay)
{
    if (replay->subscriber->options->ready != READY_HEADER || replay->all) return;
    buf_destroy(&replay->history);
    buf_destroy(&replay->access);
}

/* The journal knows positions: where the client stands or, if only places say that, the one behind which
 * everything is that is replayed. */
static void note_resumed(const struct replay *replay)
{
    const struct hub *hub = replay->subscriber->hub;
    uint64_t first = hub->ports.order->position + 1;
    for (uint32_t i = 0; i < replay->count; i++)
        if (replay->missed[i].frame->position < first) first = replay->missed[i].frame->position;
    hub_note_resumed(hub, first - 1, replay->subscriber);
}

/* Who asked for all that there is and is cut off before the first of it, asks for all again: no id. */
static void start_resumed(struct subscriber *subscriber, const struct places *cursor, uint32_t begun,
                          bool all)
{
    struct replay replay = {.subscriber = subscriber,
                            .cursor = *cursor,
                            .begun = begun,
                            .all = all,
                            .history = BUF_EMPTY,
                            .access = BUF_EMPTY};
    const bool shared = subscriber->hub->ports.order->shared;
    if (!shared) hub_note_resumed(subscriber->hub, cursor->at[0], subscriber);
    plan(&replay);
    if (shared) note_resumed(&replay);
    bool resumed = !replay.history.size && !replay.access.size;
    leave_to_header(&replay);
    uint32_t ready = begin(subscriber, replay.count + 2);
    struct places places;
    const struct places *now = subscriber_id(subscriber, subscriber->seen, &places);
    const struct places *from = all ? NULL : cursor;
    const bool gets = newcomer_gets(subscriber);
    const struct places *back = replay.count || gets ? from : now;
    push_resync(subscriber, &replay.history, back);
    push_resync(subscriber, &replay.access, back);
    newcomer_greet(subscriber);
    if (gets && !replay.count) push_mark(subscriber);
    push_missed(&replay);
    if (subscriber->state == STATE_ENDED) return;
    bool follows = queue_index(subscriber->queue, ready) + 1 < subscriber->queue->count;
    fill_ready(subscriber, ready, follows ? from : now, resumed);
}

/* What it was told before it began comes behind `ready`. */
static void append(struct subscriber *subscriber, struct queue *early)
{
    for (uint32_t i = 0; early && i < early->count; i++) {
        const struct slot *slot = queue_at(early, i);
        queue_push(&subscriber->queue, slot->kind, slot->frame, false);
    }
}

/* The place of the trigger whose publisher gave it this id; where it stands in several topics, the first:
 * rather twice than not at all. It says nothing of other servers' orders. False: it is not known. */
static bool find_id(struct subscriber *subscriber, struct bytes id, struct places *places)
{
    struct subscription *list = subscriber_list(subscriber);
    const uint8_t server = subscriber->topics ? list[0].topic->server : 0;
    uint64_t first = 0;
    for (uint32_t i = 0; i < subscriber->topics; i++) {
        if (list[i].topic->server != server) return false;
        const struct frame *found = history_find(&list[i].topic->history, id);
        if (found && (!first || found->place < first)) first = found->place;
    }
    *places = (struct places){{0}};
    places->at[server] = first;
    return first != 0;
}

enum origin { ORIGIN_NONE, ORIGIN_UNKNOWN, ORIGIN_KNOWN, ORIGIN_EARLIEST };

/* Where the client was. No id is both a cursor and a publisher's: see hub_is_cursor. */
static enum origin find_origin(struct subscriber *subscriber, struct bytes cursor,
                               struct places *places, uint32_t *begun)
{
    const struct order *order = subscriber->hub->ports.order;
    *begun = 0;
    if (!cursor.size) return ORIGIN_NONE;
    if (subscriber->options->earliest && bytes_equal(cursor, SUBSCRIBER_EARLIEST))
        return ORIGIN_EARLIEST;
    const bool ours = order_read(order, cursor, places, begun);
    const bool known = ours ? !order_is_behind(order, places) : find_id(subscriber, cursor, places);
    return known ? ORIGIN_KNOWN : ORIGIN_UNKNOWN;
}

bool replay_is_whole(struct subscriber *subscriber, struct bytes cursor)
{
    struct replay replay = {.subscriber = subscriber,
                            .asking = true,
                            .history = BUF_EMPTY,
                            .access = BUF_EMPTY};
    if (find_origin(subscriber, cursor, &replay.cursor, &replay.begun) != ORIGIN_KNOWN) return false;
    plan(&replay);
    const bool whole = !replay.history.size && !replay.access.size;
    drop_missed(&replay);
    xfree(replay.missed);
    buf_destroy(&replay.history);
    buf_destroy(&replay.access);
    return whole;
}

void replay_start(struct subscriber *subscriber, struct bytes cursor)
{
    struct hub *hub = subscriber->hub;
    struct order *order = hub->ports.order;
    struct queue *early = subscriber->queue;
    subscriber->queue = NULL;
    subscriber->state = STATE_LIVE;
    subscriber->seen = order->position;
    struct subscription *list = subscriber_list(subscriber);
    for (uint32_t i = 0; i < subscriber->topics; i++)
        list[i].joined_at = topic_join_mark(list[i].topic);

    struct places places = {{0}};
    uint32_t begun;
    const enum origin origin = find_origin(subscriber, cursor, &places, &begun);
    if (origin == ORIGIN_NONE)
        start_fresh(subscriber);
    else if (origin == ORIGIN_UNKNOWN)
        start_unknown(subscriber);
    else
        start_resumed(subscriber, &places, begun, origin == ORIGIN_EARLIEST);

    if (subscriber->state != STATE_ENDED) {
        append(subscriber, early);
        subscriber->queue->extra = subscriber->queue->waiting;
        subscriber->since_ms = subscriber->beat_ms = hub_now(hub);
        subscriber_watch(subscriber);
        flush_post(subscriber);
    }
    queue_free(&early);
}
