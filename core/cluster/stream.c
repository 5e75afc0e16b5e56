/* What comes of one server waits in one queue, whatever topic it is of, and is handed on from its front. What has to
 * be fetched first - a topic that is new here, what was missed - stops the queue where it would be out
 * of order: a loading at its own token, a check at once. So there is no second order to merge with but in a
 * check, and that is done in one place (loading.c).
 *
 * The queue has a bound. Above it, what waits is thrown away, and what was live is checked. */
#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "cluster/trunk_state.h"

enum { EPOCH_SIZE = 16 };

static void work(struct job *job);

void stream_create(struct stream *stream, struct trunk *trunk, uint32_t server)
{
    *stream = (struct stream){.trunk = trunk, .server = server};
    list_create(&stream->topics);
    list_create(&stream->queue);
    list_create(&stream->arrived);
    job_create(&stream->job, work);
}

void stream_free_arrived(struct stream *stream, struct arrived *arrived)
{
    list_remove(&arrived->node);
    stream->held--;
    stream->held_bytes -= sizeof(*arrived) + arrived->size;
    xfree(arrived);
}

static void drop_arrived(struct stream *stream)
{
    LIST_EACH(node, &stream->arrived)
    {
        stream_free_arrived(stream, CONTAINER(node, struct arrived, node));
    }
    stream->token_came = false;
}

void stream_destroy(struct stream *stream)
{
    CHECK(list_empty(&stream->topics));
    loading_drop(stream);
    drop_arrived(stream);
    later_cancel(&stream->job);
}

void stream_post(struct stream *stream)
{
    later_post(stream->trunk->later, LATER_SOON, &stream->job);
}

/* ---- a topic's states ---- */

static void make_stale(struct trunk_topic *topic)
{
    topic->state = TOPIC_STALE;
    topic->stream->stale++;
    if (!topic->subscribed) topic->stream->unsubscribed++;
}

static void note_hole(struct trunk_topic *topic)
{
    topic->stream->trunk->counters.holes++;
    topic->holed = true;
    make_stale(topic);
}

static void unmake_stale(struct trunk_topic *topic)
{
    if (topic->state != TOPIC_STALE) return;
    topic->stream->stale--;
    if (!topic->subscribed) topic->stream->unsubscribed--;
}

void stream_queue(struct trunk_topic *topic)
{
    topic->state = topic->subscribed ? TOPIC_QUEUED : TOPIC_LISTENING;
    if (topic->subscribed && list_empty(&topic->queued))
        list_append(&topic->stream->queue, &topic->queued);
}

void stream_subscribed(struct trunk_topic *topic)
{
    if (topic->subscribed) return;
    if (topic->state == TOPIC_STALE) topic->stream->unsubscribed--;
    topic->subscribed = true;
    if (topic->state == TOPIC_LISTENING) stream_queue(topic);
    stream_post(topic->stream);
}

void stream_forget(struct trunk_topic *topic)
{
    struct stream *stream = topic->stream;
    unmake_stale(topic);
    list_remove(&topic->queued);
    if (stream->loading) loading_forget(stream->loading, topic);
    LIST_EACH(node, &stream->arrived)
    {
        struct arrived *arrived = CONTAINER(node, struct arrived, node);
        if (arrived->topic == topic) arrived->topic = NULL;
    }
    stream_post(stream);
}

/* What was live is to be checked. */
static void doubt_all(struct stream *stream)
{
    LIST_EACH(node, &stream->topics)
    {
        struct trunk_topic *topic = CONTAINER(node, struct trunk_topic, node);
        if (topic->state == TOPIC_LIVE) make_stale(topic);
    }
}

/* What was live is told, and is to be checked from the epoch's begin on. */
static void begin_anew(struct stream *stream, uint64_t start)
{
    stream->heard = start;
    LIST_EACH(node, &stream->topics)
    {
        struct trunk_topic *topic = CONTAINER(node, struct trunk_topic, node);
        if (topic->state != TOPIC_LIVE && topic->state != TOPIC_STALE) continue;
        topic->last = start;
        topic->holed = false;
        if (topic->state == TOPIC_LIVE) make_stale(topic);
        topic->events->broken(topic->owner, "epoch");
    }
}

void stream_away(struct stream *stream)
{
    stream->here = false;
    loading_drop(stream);
    drop_arrived(stream);
    LIST_EACH(node, &stream->topics)
    {
        struct trunk_topic *topic = CONTAINER(node, struct trunk_topic, node);
        list_remove(&topic->queued);
        unmake_stale(topic);
        topic->subscribed = false;
        if (topic->state == TOPIC_LIVE || topic->state == TOPIC_STALE)
            make_stale(topic);
        else
            topic->state = TOPIC_LISTENING;
    }
}

void stream_here(struct stream *stream, bool fresh)
{
    stream->here = true;
    if (fresh) begin_anew(stream, cluster_start(stream->trunk->cluster, stream->server));
    stream->trunk->counters.checks += stream->stale;
    stream_post(stream);
}

/* ---- what comes ---- */

static void overflow(struct stream *stream)
{
    LOG(stream->trunk->ports.log, LOG_WARN, "too much waits behind a hole: all topics are checked",
        F_NUMBER("server", stream->server), F_NUMBER("messages", stream->held),
        F_NUMBER("bytes", stream->held_bytes));
    loading_drop(stream);
    drop_arrived(stream);
    doubt_all(stream);
}

static struct arrived *arrive(struct stream *stream, int kind, size_t size)
{
    struct arrived *arrived = xmalloc(sizeof(*arrived) + size);
    *arrived = (struct arrived){.kind = kind, .size = size};
    list_create(&arrived->node);
    list_append(&stream->arrived, &arrived->node);
    stream->held++;
    stream->held_bytes += sizeof(*arrived) + size;
    stream_post(stream);
    return arrived;
}

void stream_message(struct trunk_topic *topic, struct bytes payload)
{
    struct stream *stream = topic->stream;
    struct trunk *trunk = stream->trunk;
    const struct bytes epoch = cluster_epoch(trunk->cluster, stream->server);
    uint64_t place, prev;
    if (payload.size <= EPOCH_SIZE || !bytes_equal(epoch, bytes_run(payload.data, EPOCH_SIZE))) {
        cluster_reenter(trunk->cluster, stream->server, "a message of another epoch");
        return;
    }
    struct bytes rest = bytes_run(payload.data + EPOCH_SIZE + 1, payload.size - EPOCH_SIZE - 1);
    if (!text_take_number(&rest, ' ', &place) || !text_take_number(&rest, ' ', &prev)) return;
    struct arrived *arrived = arrive(stream, ARRIVED_MESSAGE, rest.size);
    arrived->topic = topic;
    arrived->place = place;
    arrived->prev = prev;
    if (rest.size) memcpy(arrived->parcel, rest.data, rest.size);
    if (stream->held > trunk->limits.held_messages || stream->held_bytes > trunk->limits.held_bytes)
        overflow(stream);
}

void stream_beat(struct stream *stream, uint64_t place)
{
    arrive(stream, ARRIVED_BEAT, 0)->place = place;
}

void stream_token(struct stream *stream, uint64_t token, uint64_t place)
{
    if (!stream->loading || loading_token(stream->loading) != token) return;
    struct arrived *arrived = arrive(stream, ARRIVED_TOKEN, 0);
    arrived->token = token;
    arrived->place = place;
    stream->token_came = true;
}

/* ---- handing on ---- */

void stream_hand_on(struct trunk_topic *topic, const struct trunk_message *message)
{
    struct trunk *trunk = topic->trunk;
    if (message->place <= topic->last) {
        trunk->counters.doubles++;
        return;
    }
    topic->last = message->place;
    if (topic->stream->heard < message->place) topic->stream->heard = message->place;
    trunk->counters.received++;
    topic->events->receive(topic->owner, message);
}

void stream_retain(struct trunk_topic *topic, const struct trunk_message *message)
{
    topic->events->retain(topic->owner, message);
}

void stream_hear(struct stream *stream, uint64_t place)
{
    if (place <= stream->heard) return;
    stream->heard = place;
    stream->trunk->events->heard(stream->trunk->owner, stream->server, place);
}

/* False: something is missing before it; it stays where it is. */
static bool take_message(struct arrived *arrived)
{
    struct trunk_topic *topic = arrived->topic;
    if (!topic || topic->state != TOPIC_LIVE) return true; /* what is loaded has it */
    const struct trunk_message message = {.place = arrived->place,
                                          .parcel = bytes_run(arrived->parcel, arrived->size)};
    if (arrived_is_retained(arrived)) {
        stream_retain(topic, &message);
        return true;
    }
    if (arrived->prev > topic->last && arrived->place > topic->last) {
        note_hole(topic);
        return false;
    }
    stream_hand_on(topic, &message);
    return true;
}

/* The front of the queue; false: it has to wait. */
static bool take_front(struct stream *stream)
{
    struct arrived *arrived = CONTAINER(stream->arrived.next, struct arrived, node);
    if (arrived->kind == ARRIVED_MESSAGE) {
        if (!take_message(arrived)) return true; /* the check comes first */
    } else if (arrived->kind == ARRIVED_BEAT) {
        stream_hear(stream, arrived->place);
    } else if (stream->loading && loading_token(stream->loading) == arrived->token) {
        if (!loading_answered(stream->loading)) return false;
        stream->token_came = false;
        stream_hear(stream, arrived->place);
        loading_finish_new(stream, arrived->place);
    }
    stream_free_arrived(stream, arrived);
    return true;
}

/* The token's place; its item is the last one of those that a check takes away. */
static uint64_t find_token(const struct stream *stream)
{
    for (const struct list *node = stream->arrived.prev; node != &stream->arrived; node = node->prev) {
        const struct arrived *arrived = CONTAINER(node, struct arrived, node);
        if (arrived->kind == ARRIVED_TOKEN && arrived->token == loading_token(stream->loading))
            return arrived->place;
    }
    return 0;
}

/* Live topics of which something is missing among what has arrived up to the token are to be checked as well. */
static bool doubt_holes(struct stream *stream)
{
    const uint64_t token = loading_token(stream->loading);
    bool found = false;
    LIST_EACH(node, &stream->arrived)
    {
        const struct arrived *arrived = CONTAINER(node, struct arrived, node);
        struct trunk_topic *topic = arrived->topic;
        if (arrived->kind == ARRIVED_TOKEN && arrived->token == token) break;
        if (!topic || topic->state != TOPIC_LIVE || arrived_is_retained(arrived)) continue;
        if (topic->looked_for != token) topic->looked_at = topic->last;
        topic->looked_for = token;
        if (arrived->prev > topic->looked_at && arrived->place > topic->looked_at) {
            note_hole(topic);
            found = true;
        } else if (arrived->place > topic->looked_at) {
            topic->looked_at = arrived->place;
        }
    }
    return found;
}

/* False: nothing can be handed on now. */
static bool settle_check(struct stream *stream)
{
    if (!stream->loading || loading_kind(stream->loading) == LOADING_NEW) {
        if (stream->unsubscribed) return false;
        loading_drop(stream); /* a new topic's waits until what was there is right again */
        loading_check(stream);
        return false;
    }
    if (!loading_answered(stream->loading) || !stream->token_came) return false;
    if (doubt_holes(stream)) { /* more is missing than was asked for */
        loading_drop(stream);
        loading_check(stream);
        return false;
    }
    const uint64_t place = find_token(stream);
    stream->token_came = false;
    loading_finish_check(stream, place);
    return true;
}

/* How much is handed on before the turn's other work has its turn. */
enum { ROUND = 512 };

static void work(struct job *job)
{
    struct stream *stream = CONTAINER(job, struct stream, job);
    for (int i = 0; stream->here; i++) {
        if (stream->stale || (stream->loading && loading_kind(stream->loading) == LOADING_CHECK)) {
            if (!settle_check(stream)) return;
            continue;
        }
        if (list_empty(&stream->arrived)) break;
        if (i >= ROUND) {
            stream_post(stream);
            return;
        }
        if (!take_front(stream)) return;
    }
    if (stream->here && !stream->loading && !list_empty(&stream->queue)) loading_new(stream);
}
