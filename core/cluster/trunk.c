#include "cluster/trunk.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "cluster/trunk_state.h"
#include "cluster/scripts.h"

enum { NUMBER_SIZE = 24, FIXED_WORDS = 7, ITEM_WORDS = 5 };

/* ---- what servers do ---- */

static void on_entered(struct cluster_watcher *watcher, uint32_t server, bool fresh)
{
    struct trunk *trunk = CONTAINER(watcher, struct trunk, watcher);
    if (fresh) {
        trunk->counters.epochs++;
        trunk->newest[server] = 0;
        trunk->events->epoch(trunk->owner, server);
    }
    stream_here(&trunk->streams[server], fresh);
    trunk->events->here(trunk->owner, server);
}

static void on_away(struct cluster_watcher *watcher, uint32_t server)
{
    struct trunk *trunk = CONTAINER(watcher, struct trunk, watcher);
    stream_away(&trunk->streams[server]);
    trunk->events->away(trunk->owner, server);
}

static void on_beat(struct cluster_watcher *watcher, uint32_t server, uint64_t place)
{
    stream_beat(&CONTAINER(watcher, struct trunk, watcher)->streams[server], place);
}

/* "TOKEN PLACE" */
static void on_token(struct cluster_letters *letters, uint32_t server, struct bytes payload)
{
    struct trunk *trunk = CONTAINER(letters, struct trunk, loaded);
    uint64_t token;
    if (!text_take_number(&payload, ' ', &token)) return;
    const long long place = text_number(payload, INT64_MAX);
    if (place >= 0) stream_token(&trunk->streams[server], token, (uint64_t)place);
}

/* ---- life ---- */

struct trunk *trunk_new(struct cluster *cluster, const struct cluster_ports *ports, struct later *later,
                    const struct trunk_limits *limits, const struct trunk_events *events, void *owner)
{
    struct trunk *trunk = xcalloc(1, sizeof(*trunk));
    trunk->cluster = cluster;
    trunk->ports = *ports;
    trunk->later = later;
    trunk->limits = *limits;
    trunk->events = events;
    trunk->owner = owner;
    list_create(&trunk->publishing);
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) stream_create(&trunk->streams[i], trunk, i);
    trunk->watcher = (struct cluster_watcher){.entered = on_entered, .away = on_away, .beat = on_beat};
    list_create(&trunk->watcher._node);
    cluster_watch(cluster, &trunk->watcher);
    trunk->loaded = (struct cluster_letters){.kind = "loaded", .letter = on_token};
    list_create(&trunk->loaded._node);
    cluster_letters(cluster, &trunk->loaded);
    return trunk;
}

static void give_up_publishing(struct trunk *trunk);

void trunk_free(struct trunk *trunk)
{
    CHECK(trunk->counters.topics == 0);
    give_up_publishing(trunk);
    cluster_unwatch(&trunk->watcher);
    cluster_no_letters(&trunk->loaded);
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) stream_destroy(&trunk->streams[i]);
    xfree(trunk);
}

/* ---- topics ---- */

static void on_subscribed(struct cluster_channel *channel)
{
    stream_subscribed(CONTAINER(channel, struct trunk_topic, channel));
}

static void on_message(struct cluster_channel *channel, struct bytes payload)
{
    stream_message(CONTAINER(channel, struct trunk_topic, channel), payload);
}

struct trunk_topic *trunk_topic_open(struct trunk *trunk, struct bytes name,
                                     const struct trunk_topic_events *events, void *owner)
{
    const uint32_t server = trunk_server_of(trunk, name);
    struct stream *stream = &trunk->streams[server];
    struct trunk_topic *topic = xcalloc(1, sizeof(*topic));
    struct buf channel = BUF_EMPTY;
    topic->trunk = trunk;
    topic->stream = stream;
    topic->name = atom_get(name);
    topic->events = events;
    topic->owner = owner;
    topic->channel = (struct cluster_channel){.subscribed = on_subscribed, .message = on_message};
    list_create(&topic->node);
    list_create(&topic->queued);
    list_append(&stream->topics, &topic->node);
    trunk->counters.topics++;
    buf_add_text(&channel, "topic:");
    buf_add_bytes(&channel, name);
    cluster_listen(trunk->cluster, server, buf_bytes(&channel), &topic->channel);
    buf_destroy(&channel);
    return topic;
}

void trunk_topic_close(struct trunk_topic *topic)
{
    struct trunk *trunk = topic->trunk;
    cluster_unlisten(trunk->cluster, &topic->channel);
    stream_forget(topic);
    list_remove(&topic->node);
    trunk->counters.topics--;
    atom_unref(topic->name);
    xfree(topic);
}

bool trunk_topic_live(const struct trunk_topic *topic)
{
    return topic->state == TOPIC_LIVE;
}

uint32_t trunk_server_of(const struct trunk *trunk, struct bytes topic)
{
    return cluster_server_of(trunk->cluster, topic);
}

/* ---- publishing ---- */

struct publishing {
    struct list node;
    struct cluster_call *call;
    struct trunk *trunk;
    uint32_t server;
    size_t count;
    trunk_done_f *done;
    void *owner;
};

static void publishing_free(struct publishing *publishing)
{
    list_remove(&publishing->node);
    xfree(publishing);
}

static void read_answer(const struct redis_value *value, struct trunk_answer *answer)
{
    const bool list = value->kind == REDIS_LIST && value->count >= 1;
    if (list && value->count == 2 && bytes_is(value->items[0].text, "again")) {
        answer->again = value->items[1].text;
    } else if (list && bytes_is(value->items[0].text, "new")) {
        const struct redis_value *newest = &value->items[value->count - 1];
        const long long place = text_number(newest->text, INT64_MAX);
        answer->newest = place < 0 ? 0 : (uint64_t)place;
    } else {
        answer->code = "error";
        answer->sentence = "a strange answer";
    }
}

static void on_published(void *owner, const struct redis_answer *said)
{
    struct publishing *publishing = owner;
    struct trunk *trunk = publishing->trunk;
    struct trunk_answer answer = {
        .code = said->code, .sentence = said->sentence, .server = publishing->server};
    if (said->value) read_answer(said->value, &answer);
    if (answer.code)
        trunk->counters.refused += publishing->count;
    else if (!answer.again.data)
        trunk->counters.published += publishing->count;
    if (answer.newest > trunk->newest[publishing->server]) trunk->newest[publishing->server] = answer.newest;
    if (publishing->done) publishing->done(publishing->owner, &answer);
    publishing_free(publishing);
}

static struct bytes number(char out[NUMBER_SIZE], uint64_t value)
{
    return bytes_run(out, (size_t)snprintf(out, NUMBER_SIZE, "%" PRIu64, value));
}

/* The words of one trigger; its numbers stand in `text`. */
static void write_item(const struct trunk_item *item, char text[3][NUMBER_SIZE], struct bytes *words)
{
    words[0] = item->topic;
    words[1] = item->parcel;
    words[2] = item->retain_only ? BYTES("-") : number(text[0], item->history_size);
    words[3] = number(text[1], item->history_ttl_ms);
    words[4] = item->retain ? number(text[2], item->retain_ttl_ms) : BYTES("");
}

void trunk_publish(struct trunk *trunk, uint32_t server, const struct trunk_item *items, size_t count,
                 const struct trunk_terms *terms, trunk_done_f *done, void *owner)
{
    char fence[NUMBER_SIZE], ttl[NUMBER_SIZE];
    struct buf memo = BUF_EMPTY;
    char(*numbers)[3][NUMBER_SIZE] = xmalloc((count ? count : 1) * sizeof(*numbers));
    struct bytes *words = xmalloc((FIXED_WORDS + count * ITEM_WORDS) * sizeof(*words));
    struct publishing *publishing = xmalloc(sizeof(*publishing));
    if (terms->memo_given) {
        buf_add_char(&memo, '+');
        buf_add_bytes(&memo, terms->memo);
    }
    words[0] = terms->claim;
    words[1] = number(fence, terms->fence);
    words[2] = buf_bytes(&memo);
    words[3] = terms->record;
    words[4] = terms->record_hash;
    words[5] = number(ttl, terms->record_ttl_ms);
    words[6] = terms->record_rest;
    for (size_t i = 0; i < count; i++)
        write_item(&items[i], numbers[i], &words[FIXED_WORDS + i * ITEM_WORDS]);
    *publishing = (struct publishing){
        .trunk = trunk, .server = server, .count = count, .done = done, .owner = owner};
    list_create(&publishing->node);
    list_append(&trunk->publishing, &publishing->node);
    publishing->call =
        cluster_run(trunk->cluster, server, &cluster_scripts[SCRIPT_PUBLISH], words,
                FIXED_WORDS + count * ITEM_WORDS, on_published, publishing);
    buf_destroy(&memo);
    xfree(words);
    xfree(numbers);
}

/* What is under way goes on or not; nobody hears of it. */
static void give_up_publishing(struct trunk *trunk)
{
    LIST_EACH(node, &trunk->publishing)
    {
        struct publishing *publishing = CONTAINER(node, struct publishing, node);
        cluster_cancel(publishing->call);
        publishing_free(publishing);
    }
}

uint64_t trunk_newest(const struct trunk *trunk, uint32_t server)
{
    return trunk->newest[server];
}

void trunk_note_refused(struct trunk *trunk, size_t count)
{
    trunk->counters.refused += count;
}

const struct trunk_counters *trunk_counters(const struct trunk *trunk)
{
    return &trunk->counters;
}
