#include "cluster/bus.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "cluster/bus_state.h"
#include "cluster/scripts.h"

enum { NUMBER_SIZE = 24, FIXED_WORDS = 7, ITEM_WORDS = 5 };

/* ---- what servers do ---- */

static void on_entered(struct cluster_watcher *watcher, uint32_t server, bool fresh)
{
    struct bus *bus = CONTAINER(watcher, struct bus, watcher);
    if (fresh) {
        bus->counters.epochs++;
        bus->events->epoch(bus->owner, server);
    }
    stream_here(&bus->streams[server], fresh);
    bus->events->here(bus->owner, server);
}

static void on_away(struct cluster_watcher *watcher, uint32_t server)
{
    struct bus *bus = CONTAINER(watcher, struct bus, watcher);
    stream_away(&bus->streams[server]);
    bus->events->away(bus->owner, server);
}

static void on_beat(struct cluster_watcher *watcher, uint32_t server, uint64_t place)
{
    stream_beat(&CONTAINER(watcher, struct bus, watcher)->streams[server], place);
}

/* "TOKEN PLACE" */
static void on_token(struct cluster_letters *letters, uint32_t server, struct bytes payload)
{
    struct bus *bus = CONTAINER(letters, struct bus, loaded);
    const char *space = memchr(payload.data, ' ', payload.size);
    if (!space) return;
    const size_t size = (size_t)(space - payload.data);
    const long long token = text_number(bytes_run(payload.data, size), INT64_MAX);
    const long long place =
        text_number(bytes_run(space + 1, payload.size - size - 1), INT64_MAX);
    if (token >= 0 && place >= 0)
        stream_token(&bus->streams[server], (uint64_t)token, (uint64_t)place);
}

/* ---- life ---- */

struct bus *bus_new(struct cluster *cluster, const struct cluster_ports *ports, struct later *later,
                    const struct bus_limits *limits, const struct bus_events *events, void *owner)
{
    struct bus *bus = xcalloc(1, sizeof(*bus));
    bus->cluster = cluster;
    bus->ports = *ports;
    bus->later = later;
    bus->limits = *limits;
    bus->events = events;
    bus->owner = owner;
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) stream_create(&bus->streams[i], bus, i);
    bus->watcher = (struct cluster_watcher){.entered = on_entered, .away = on_away, .beat = on_beat};
    list_create(&bus->watcher._node);
    cluster_watch(cluster, &bus->watcher);
    bus->loaded = (struct cluster_letters){.kind = "loaded", .letter = on_token};
    list_create(&bus->loaded._node);
    cluster_letters(cluster, &bus->loaded);
    return bus;
}

void bus_free(struct bus *bus)
{
    CHECK(bus->counters.topics == 0);
    cluster_unwatch(&bus->watcher);
    cluster_no_letters(&bus->loaded);
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) stream_destroy(&bus->streams[i]);
    xfree(bus);
}

/* ---- topics ---- */

static void on_subscribed(struct cluster_channel *channel)
{
    stream_subscribed(CONTAINER(channel, struct bus_topic, channel));
}

static void on_message(struct cluster_channel *channel, struct bytes payload)
{
    stream_message(CONTAINER(channel, struct bus_topic, channel), payload);
}

struct bus_topic *bus_topic_open(struct bus *bus, struct bytes name, uint32_t history,
                                 const struct bus_topic_events *events, void *owner)
{
    const uint32_t server = bus_server_of(bus, name);
    struct stream *stream = &bus->streams[server];
    struct bus_topic *topic = xcalloc(1, sizeof(*topic));
    struct buf channel = BUF_EMPTY;
    topic->bus = bus;
    topic->stream = stream;
    topic->name = atom_get(name);
    topic->history = history;
    topic->events = events;
    topic->owner = owner;
    topic->channel = (struct cluster_channel){.subscribed = on_subscribed, .message = on_message};
    list_create(&topic->node);
    list_create(&topic->queued);
    list_append(&stream->topics, &topic->node);
    bus->counters.topics++;
    buf_add_text(&channel, "topic:");
    buf_add_bytes(&channel, name);
    cluster_listen(bus->cluster, server, buf_bytes(&channel), &topic->channel);
    buf_destroy(&channel);
    return topic;
}

void bus_topic_close(struct bus_topic *topic)
{
    struct bus *bus = topic->bus;
    cluster_unlisten(bus->cluster, &topic->channel);
    stream_forget(topic);
    list_remove(&topic->node);
    bus->counters.topics--;
    atom_unref(topic->name);
    xfree(topic);
}

void bus_topic_set_history(struct bus_topic *topic, uint32_t history)
{
    topic->history = history;
}

bool bus_topic_live(const struct bus_topic *topic)
{
    return topic->state == TOPIC_LIVE;
}

uint32_t bus_topic_server(const struct bus_topic *topic)
{
    return topic->stream->server;
}

uint32_t bus_server_of(const struct bus *bus, struct bytes topic)
{
    return cluster_server_of(bus->cluster, topic);
}

/* ---- publishing ---- */

struct publishing {
    struct bus *bus;
    size_t count;
    bus_done_f *done;
    void *owner;
};

static void read_answer(const struct redis_value *value, struct bus_answer *answer)
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
    struct bus *bus = publishing->bus;
    struct bus_answer answer = {.code = said->code, .sentence = said->sentence};
    if (said->value) read_answer(said->value, &answer);
    bus->publishing--;
    if (answer.code)
        bus->counters.refused += publishing->count;
    else if (!answer.again.data)
        bus->counters.published += publishing->count;
    if (publishing->done) publishing->done(publishing->owner, &answer);
    xfree(publishing);
}

static struct bytes number(char out[NUMBER_SIZE], uint64_t value)
{
    return bytes_run(out, (size_t)snprintf(out, NUMBER_SIZE, "%" PRIu64, value));
}

/* The words of one trigger; its numbers stand in `text`. */
static void write_item(const struct bus_item *item, char text[3][NUMBER_SIZE], struct bytes *words)
{
    words[0] = item->topic;
    words[1] = item->parcel;
    words[2] = item->retain_only ? BYTES("-") : number(text[0], item->history_size);
    words[3] = number(text[1], item->history_ttl_ms);
    words[4] = item->retain ? number(text[2], item->retain_ttl_ms) : BYTES("");
}

void bus_publish(struct bus *bus, uint32_t server, const struct bus_item *items, size_t count,
                 const struct bus_terms *terms, bus_done_f *done, void *owner)
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
    *publishing = (struct publishing){.bus = bus, .count = count, .done = done, .owner = owner};
    bus->publishing++;
    cluster_run(bus->cluster, server, &cluster_scripts[SCRIPT_PUBLISH], words,
                FIXED_WORDS + count * ITEM_WORDS, on_published, publishing);
    buf_destroy(&memo);
    xfree(words);
    xfree(numbers);
}

bool bus_idle(const struct bus *bus)
{
    return bus->publishing == 0;
}

const struct bus_counters *bus_counters(const struct bus *bus)
{
    return &bus->counters;
}
