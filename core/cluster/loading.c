/* What a script answered is copied at once, because an answer is only lent; it is handed on when its token
 * stands at the front of the queue. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "cluster/trunk_state.h"
#include "cluster/scripts.h"

enum { PART_TOPICS = 200, NEW_TOPICS = 100, NUMBER_SIZE = 24 };

struct entry {
    uint64_t place, prev;
    size_t at, size; /* of the parcel in the loading's bytes */
};

/* What is known of one topic. */
struct found {
    struct trunk_topic *topic; /* NULL: closed meanwhile */
    uint64_t last;
    struct entry *entries; /* the newest first */
    size_t count;
    struct entry retained; /* place 0: nothing */
    bool anew;             /* a check: something is missing, so it is loaded, and those who had it are told */
};

struct part {
    struct loading *loading;
    struct cluster_call *call; /* NULL: answered */
    size_t first, count;       /* of found */
};

struct loading {
    struct stream *stream;
    enum loading_kind kind;
    struct found *found;
    size_t count;
    struct part *parts;
    size_t part_count, open;
    uint64_t token; /* of the last part */
    uint64_t now_us;
    struct buf bytes;
};

enum loading_kind loading_kind(const struct loading *loading)
{
    return loading->kind;
}

bool loading_answered(const struct loading *loading)
{
    return loading->open == 0;
}

uint64_t loading_token(const struct loading *loading)
{
    return loading->token;
}

static void loading_free(struct loading *loading)
{
    for (size_t i = 0; i < loading->part_count; i++)
        if (loading->parts[i].call) cluster_cancel(loading->parts[i].call);
    for (size_t i = 0; i < loading->count; i++) xfree(loading->found[i].entries);
    xfree(loading->found);
    xfree(loading->parts);
    buf_destroy(&loading->bytes);
    xfree(loading);
}

void loading_forget(struct loading *loading, const struct trunk_topic *topic)
{
    for (size_t i = 0; i < loading->count; i++)
        if (loading->found[i].topic == topic) loading->found[i].topic = NULL;
}

void loading_drop(struct stream *stream)
{
    struct loading *loading = stream->loading;
    if (!loading) return;
    stream->loading = NULL;
    stream->token_came = false;
    for (size_t i = 0; i < loading->count; i++) {
        struct trunk_topic *topic = loading->found[i].topic;
        if (topic && topic->state == TOPIC_LOADING) stream_queue(topic);
    }
    loading_free(loading);
}

/* ---- what the server answers ---- */

static struct entry keep(struct loading *loading, uint64_t place, uint64_t prev, struct bytes parcel)
{
    const struct entry entry = {place, prev, loading->bytes.size, parcel.size};
    buf_add_bytes(&loading->bytes, parcel);
    return entry;
}

/* "PLACE PARCEL" */
static void read_retained(struct found *found, struct loading *loading, const struct redis_value *value)
{
    struct bytes rest = value->kind == REDIS_TEXT ? value->text : BYTES("");
    uint64_t place;
    if (text_take_number(&rest, ' ', &place) && place)
        found->retained = keep(loading, place, 0, rest);
}

static void read_topic(struct loading *loading, struct found *found, const struct redis_value *value)
{
    if (value->kind != REDIS_LIST || value->count < 2) return;
    found->last = script_number(&value->items[0]);
    read_retained(found, loading, &value->items[1]);
    found->count = (value->count - 2) / 3;
    found->entries = xcalloc(found->count, sizeof(*found->entries));
    for (size_t i = 0; i < found->count; i++) {
        const struct redis_value *item = &value->items[2 + i * 3];
        found->entries[i] = keep(loading, script_number(&item[0]), script_number(&item[1]), item[2].text);
    }
}

static void on_loaded(void *owner, const struct redis_answer *answer)
{
    struct part *part = owner;
    struct loading *loading = part->loading;
    struct stream *stream = loading->stream;
    part->call = NULL;
    const struct redis_value *value = answer->value;
    if (!value || value->kind != REDIS_LIST || value->count != part->count + 2) {
        /* Away, or in another epoch: it is entered anew by itself. Else it cannot be used as it is. */
        const bool refused = value || strcmp(answer->code, "error") == 0 || strcmp(answer->code, "full") == 0;
        loading_drop(stream);
        if (refused)
            cluster_restart(stream->trunk->cluster, stream->server,
                            answer->sentence ? answer->sentence : "a strange answer");
        return;
    }
    loading->now_us = script_number(&value->items[1]);
    for (size_t i = 0; i < part->count; i++)
        read_topic(loading, &loading->found[part->first + i], &value->items[2 + i]);
    loading->open--;
    stream_post(stream);
}

/* ---- asking ---- */

static void ask(struct loading *loading, struct part *part)
{
    struct stream *stream = loading->stream;
    struct trunk *trunk = stream->trunk;
    char(*numbers)[2][NUMBER_SIZE] = xmalloc(part->count * sizeof(*numbers));
    struct bytes *words = xmalloc((2 + part->count * 3) * sizeof(*words));
    char token[NUMBER_SIZE];
    snprintf(token, sizeof(token), "%" PRIu64, loading->token = ++trunk->tokens);
    words[0] = cluster_node(trunk->cluster);
    words[1] = bytes_of(token);
    for (size_t i = 0; i < part->count; i++) {
        const struct trunk_topic *topic = loading->found[part->first + i].topic;
        const uint64_t since = loading->kind == LOADING_CHECK ? topic->last : 0;
        snprintf(numbers[i][0], NUMBER_SIZE, "%" PRIu32, topic->events->history(topic->owner));
        snprintf(numbers[i][1], NUMBER_SIZE, "%" PRIu64, since);
        words[2 + i * 3] = atom_bytes(topic->name);
        words[3 + i * 3] = bytes_of(numbers[i][0]);
        words[4 + i * 3] = bytes_of(numbers[i][1]);
    }
    part->call = cluster_run(trunk->cluster, stream->server, &cluster_scripts[SCRIPT_LOAD], words,
                             2 + part->count * 3, on_loaded, part);
    xfree(words);
    xfree(numbers);
}

static struct loading *loading_of(struct stream *stream, enum loading_kind kind, size_t count)
{
    struct loading *loading = xcalloc(1, sizeof(*loading));
    CHECK(!stream->loading && count);
    loading->stream = stream;
    loading->kind = kind;
    loading->found = xcalloc(count, sizeof(*loading->found));
    stream->loading = loading;
    stream->token_came = false;
    return loading;
}

static void ask_all(struct loading *loading)
{
    loading->part_count = (loading->count + PART_TOPICS - 1) / PART_TOPICS;
    loading->parts = xcalloc(loading->part_count, sizeof(*loading->parts));
    loading->open = loading->part_count;
    for (size_t i = 0; i < loading->part_count; i++) {
        const size_t first = i * PART_TOPICS, rest = loading->count - first;
        loading->parts[i] = (struct part){.loading = loading,
                                          .first = first,
                                          .count = rest < PART_TOPICS ? rest : PART_TOPICS};
        ask(loading, &loading->parts[i]);
    }
}

void loading_new(struct stream *stream)
{
    struct loading *loading = loading_of(stream, LOADING_NEW, NEW_TOPICS);
    while (!list_empty(&stream->queue) && loading->count < NEW_TOPICS) {
        struct trunk_topic *topic = CONTAINER(stream->queue.next, struct trunk_topic, queued);
        list_remove(&topic->queued);
        topic->state = TOPIC_LOADING;
        loading->found[loading->count++].topic = topic;
    }
    stream->trunk->counters.loads += loading->count;
    ask_all(loading);
}

void loading_check(struct stream *stream)
{
    struct loading *loading = loading_of(stream, LOADING_CHECK, stream->stale);
    LIST_EACH(node, &stream->topics)
    {
        struct trunk_topic *topic = CONTAINER(node, struct trunk_topic, node);
        if (topic->state == TOPIC_STALE) loading->found[loading->count++].topic = topic;
    }
    ask_all(loading);
}

/* ---- handing on ---- */

static struct trunk_message message_of(const struct loading *loading, const struct entry *entry)
{
    const uint64_t age_us = loading->now_us > entry->place ? loading->now_us - entry->place : 0;
    return (struct trunk_message){.place = entry->place,
                                .age_ms = age_us / 1000,
                                .parcel = bytes_run(loading->bytes.data + entry->at, entry->size)};
}

/* What has arrived of the topic since, up to the token: a check's parts are answered one after the other. */
static size_t add_arrived(const struct found *found, const struct list *taken, struct trunk_message *messages)
{
    size_t count = 0;
    for (const struct list *node = taken->next; node != taken; node = node->next) {
        const struct arrived *arrived = CONTAINER(node, struct arrived, node);
        if (arrived->topic != found->topic || arrived->place <= found->last || arrived_is_retained(arrived))
            continue;
        if (messages)
            messages[count] = (struct trunk_message){
                .place = arrived->place, .parcel = bytes_run(arrived->parcel, arrived->size)};
        count++;
    }
    return count;
}

static void hand_over(struct loading *loading, struct found *found, const struct list *taken)
{
    struct trunk_topic *topic = found->topic;
    const size_t more = add_arrived(found, taken, NULL);
    struct trunk_message *messages = xcalloc(found->count + more, sizeof(*messages));
    for (size_t i = 0; i < found->count; i++)
        messages[i] = message_of(loading, &found->entries[found->count - 1 - i]);
    add_arrived(found, taken, messages + found->count);
    const struct trunk_message retained = message_of(loading, &found->retained);
    const struct trunk_load load = {
        .lost = found->count ? found->entries[found->count - 1].prev : found->last,
        .messages = messages,
        .count = found->count + more,
        .retained = found->retained.place ? &retained : NULL,
        .resync = found->anew ? "history" : NULL};
    topic->last = more ? messages[load.count - 1].place : found->last;
    topic->state = TOPIC_LIVE;
    topic->events->load(topic->owner, &load);
    xfree(messages);
}

void loading_finish_new(struct stream *stream, uint64_t place)
{
    struct loading *loading = stream->loading;
    struct list nothing;
    CHECK(loading && loading_answered(loading));
    list_create(&nothing);
    stream_hear(stream, place);
    for (size_t i = 0; i < loading->count; i++)
        if (loading->found[i].topic) hand_over(loading, &loading->found[i], &nothing);
    stream->loading = NULL;
    loading_free(loading);
}

/* Is all there from what the topic knew up to what it has now? */
static bool is_whole(const struct found *found)
{
    const uint64_t known = found->topic->last;
    if (found->last <= known) return true;
    return found->count && found->entries[found->count - 1].prev <= known;
}

/* One that is to be handed on, of what was loaded or of what has arrived. */
struct due {
    struct found *found; /* NULL: of an arrived */
    const struct entry *entry;
    struct arrived *arrived;
    uint64_t place;
    enum { DUE_TRIGGER, DUE_KEPT, DUE_RETAINED } kind; /* kept: when it was asked for; retained: since */
    size_t at;                                         /* in the order of collecting */
};

/* What is retained stands behind the trigger whose place it names. */
static int by_place(const void *a, const void *b)
{
    const struct due *left = a, *right = b;
    if (left->place != right->place) return left->place < right->place ? -1 : 1;
    if (left->kind != right->kind) return left->kind < right->kind ? -1 : 1;
    return left->at < right->at ? -1 : left->at > right->at;
}

/* What has arrived up to the token; the token's own item goes. */
static size_t take_arrived(struct stream *stream, uint64_t token, struct list *taken)
{
    size_t count = 0;
    while (!list_empty(&stream->arrived)) {
        struct arrived *arrived = CONTAINER(stream->arrived.next, struct arrived, node);
        const bool last = arrived->kind == ARRIVED_TOKEN && arrived->token == token;
        if (arrived->kind == ARRIVED_MESSAGE) {
            list_remove(&arrived->node);
            list_append(taken, &arrived->node);
            count++;
        } else {
            stream_free_arrived(stream, arrived);
        }
        if (last) break;
    }
    return count;
}

static size_t collect(struct loading *loading, struct list *taken, struct due *due)
{
    size_t count = 0;
    LIST_EACH(node, taken)
    {
        struct arrived *arrived = CONTAINER(node, struct arrived, node);
        due[count] = (struct due){.arrived = arrived,
                                  .place = arrived->place,
                                  .kind = arrived_is_retained(arrived) ? DUE_RETAINED : DUE_TRIGGER,
                                  .at = count};
        count++;
    }
    for (size_t i = 0; i < loading->count; i++) {
        struct found *found = &loading->found[i];
        for (size_t j = 0; found->topic && j < found->count; j++)
            due[count++] = (struct due){
                .found = found, .entry = &found->entries[j], .place = found->entries[j].place};
        if (found->topic && found->retained.place)
            due[count++] = (struct due){.found = found,
                                        .entry = &found->retained,
                                        .place = found->retained.place,
                                        .kind = DUE_KEPT};
    }
    return count;
}

static void hand_on(struct loading *loading, const struct due *due)
{
    const struct arrived *arrived = due->arrived;
    struct trunk_topic *topic = arrived ? arrived->topic : due->found->topic;
    if (!topic || topic->state != TOPIC_LIVE) return;
    const struct trunk_message message =
        arrived ? (struct trunk_message){.place = due->place,
                                         .parcel = bytes_run(arrived->parcel, arrived->size)}
                : message_of(loading, due->entry);
    (due->kind == DUE_TRIGGER ? stream_hand_on : stream_retain)(topic, &message);
}

static void settle_states(struct stream *stream, struct loading *loading)
{
    for (size_t i = 0; i < loading->count; i++) {
        struct found *found = &loading->found[i];
        if (!found->topic) continue;
        found->anew = !is_whole(found);
        stream->trunk->counters.filled += found->topic->holed && !found->anew;
        found->topic->holed = false;
        stream->stale--;
        found->topic->state = found->anew ? TOPIC_LOADING : TOPIC_LIVE;
    }
}

void loading_finish_check(struct stream *stream, uint64_t place)
{
    struct loading *loading = stream->loading;
    struct list taken;
    size_t most = 0;
    CHECK(loading && loading_answered(loading));
    list_create(&taken);
    settle_states(stream, loading);
    most = take_arrived(stream, loading->token, &taken);
    for (size_t i = 0; i < loading->count; i++) most += loading->found[i].count + 1;
    struct due *due = xcalloc(most, sizeof(*due));
    const size_t count = collect(loading, &taken, due);
    if (count) qsort(due, count, sizeof(*due), by_place);
    for (size_t i = 0; i < count; i++) hand_on(loading, &due[i]);
    stream_hear(stream, place);
    for (size_t i = 0; i < loading->count; i++)
        if (loading->found[i].topic && loading->found[i].anew)
            hand_over(loading, &loading->found[i], &taken);
    LIST_EACH(node, &taken) stream_free_arrived(stream, CONTAINER(node, struct arrived, node));
    xfree(due);
    stream->loading = NULL;
    loading_free(loading);
}
