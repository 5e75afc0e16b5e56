/* hub_model: what random schedules of the hub are held against: the log of all
 * triggers (facts, by position), and for each client what it wants, what it was
 * told and what it read. Every event that a client reads is checked as it comes:
 * in order, once, only what it may see, no echo, the right numbers. */
#pragma once

#include <stdio.h>

#include "hub_world.h"

enum { CLIENTS = 8, TOPICS = 9, FACTS = 600, USERS = 3 };

static const char *const names[TOPICS] = {"a", "b", "f1", "f2", "s", "r", "fr", "v1", "v2"};

/* What may happen, and how often it did. */
#define OVERLAPS(X)                                                                                \
    X(FRESH)                                                                                       \
    X(RESUMED) X(REPLAYED) X(FOREIGN) X(HISTORY) X(TOO_MUCH) X(ACCESS_TOLD) X(ACCESS_AT_START)     \
        X(LAGGED) X(LAGGED_TWICE) X(LAGGED_WITH_QUESTION) X(CUT) X(CUT_IN_FRAME) X(HALF_OPEN)      \
            X(STALLED) X(KICKED) X(YES_LATE) X(NO_LATE) X(UNKNOWN) X(UNKNOWN_LATE) X(TIMED_OUT)    \
                X(REPLACED) X(MERGED) X(ECHO) X(ECHO_IN_REPLAY) X(RENAMED) X(HEARTBEAT)            \
                    X(TOPIC_RESYNC) X(JOINED_IN_FAN_OUT) X(LEFT_IN_FAN_OUT) X(ENDED_IN_FAN_OUT)    \
                        X(STARTED_IN_FAN_OUT) X(EMITTED_BEFORE_START) X(TOPIC_CAME_BACK) X(LEFT)   \
                            X(ONE_WRITE_FOR_MANY) X(RETAINED) X(RETAINED_AT_JOIN)          \
                                X(RETAINED_LAGGED) X(RETAINED_WITHHELD) X(SNAPSHOT)           \
                                    X(SNAPSHOT_AT_JOIN) X(SNAPSHOT_WAITED_FOR)                \
                                        X(SNAPSHOT_NONE) X(SNAPSHOT_UNKNOWN) X(SNAPSHOT_LATE) \
                                            X(SNAPSHOT_LAGGED) X(SNAPSHOT_LEFT)               \
                                                X(SNAPSHOT_FAILED) X(SNAPSHOT_RENEWED)

#define NAME(overlap) overlap,
enum overlap { OVERLAPS(NAME) OVERLAP_COUNT };
#define TEXT(overlap) #overlap,
static const char *const overlap_names[] = {OVERLAPS(TEXT)};
static uint64_t happened[OVERLAP_COUNT];

struct fact {
    int topic, serial, key, user;
    bool resync;
    char tag[65];
    uint64_t at_ms;
};

enum { DELIVERED = 1, WITHHELD = 2, EVER_WITHHELD = 4, TOLD = 8, OWN = 16 };

/* What the model knows of one trigger at one client. */
struct mark {
    uint8_t flags;
    uint32_t asked_by; /* the connection that it was asked for */
};

struct connection {
    struct sink sink;
    struct client *client; /* NULL: the client has forgotten it */
    struct subscriber *subscriber;
    size_t room;
    bool full, started, left, lagged, resumed;
    bool concerned[TOPICS]; /* what a resync of reason history must name */
    uint32_t number, events;
    uint64_t from;   /* the position at its start */
    uint64_t cursor; /* what it resumed from, 0: nothing */
    int64_t missed, replayed;
    int awaits[TOPICS]; /* the serial of the retained trigger that must come, or be told of; 0: none */
    bool told[TOPICS];  /* of that, or of its snapshot */
    int exposure[TOPICS]; /* the number of the snapshot that must come, or be told of; -1: it is not asked
                             for yet; 0: there is none */
    uint64_t exposed_at[TOPICS]; /* nothing behind this place comes before it */
};

struct client {
    int user; /* -1: nobody */
    char asked_tag[65], tag[65];
    struct connection *connection;
    struct sse_parser parser;
    bool in[TOPICS], fresh;
    uint64_t since[TOPICS]; /* what it wants of a topic begins behind this */
    uint64_t known[TOPICS]; /* up to here it was told to re-read */
    uint64_t newest;        /* that it read */
    struct mark marks[FACTS];
};

struct model {
    struct world *world;
    uint64_t chance;
    bool keys; /* triggers with a key occur: some numbers are bounds then */
    int serial, mood, exposures;
    uint32_t connections;
    struct fact facts[FACTS];
    uint64_t known;                   /* facts are known up to this position */
    bool withheld[USERS + 1][TOPICS]; /* something ever was, from somebody */
    struct client clients[CLIENTS];
};

static struct model model;

static uint64_t below(uint64_t n)
{
    return draw_below(&model.chance, n);
}

static bool chance_of(int percent)
{
    return below(100) < (uint64_t)percent;
}

static struct topic *topic_at(int topic)
{
    return topic_of(model.world, names[topic]);
}

static bool fanning(void)
{
    return model.world->hub->fanout.begun;
}

/* ---- the log ---- */

static int number_of(struct bytes text)
{
    int number = 0;
    for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        number = number * 10 + (text.data[i] - '0');
    return number;
}

static bool is_echo(const struct client *client, const struct fact *fact, const char *tag)
{
    return fact->tag[0] && fact->user == client->user && strcmp(fact->tag, tag) == 0;
}

static void learn(int topic, const struct frame *frame)
{
    assert_true(frame->position < FACTS);
    struct fact *fact = &model.facts[frame->position];
    *fact = (struct fact){.topic = topic, .at_ms = frame->at_ms, .key = -1, .user = -1};
    fact->resync = !frame->type;
    fact->serial = number_of(frame_data(frame));
    if (frame->replaces) fact->key = number_of(atom_bytes(frame->replaces));
    if (frame->tag) {
        fact->user = number_of(atom_bytes(frame->user));
        memcpy(fact->tag, frame->tag->text, frame->tag->size + 1);
    }
    for (int i = 0; i < CLIENTS; i++) /* renamed later, it is its own all the same */
        if (is_echo(&model.clients[i], fact, model.clients[i].tag))
            model.clients[i].marks[frame->position].flags = OWN;
}

/* Finds what has taken its place since the last call: histories have it still. */
static void observe(void)
{
    for (; model.known < model.world->order.position; model.known++) {
        bool found = false;
        for (int i = 0; i < TOPICS && !found; i++) {
            struct topic *topic = hub_topic_find(model.world->hub, bytes_of(names[i]));
            uint32_t at = topic ? history_after(&topic->history, model.known) : 0;
            if (!topic || at == topic->history.count) continue;
            struct frame *frame = history_at(&topic->history, at);
            found = frame->position == model.known + 1;
            if (found) learn(i, frame);
        }
        assert_true(found);
    }
}

static bool filtered(int topic)
{
    return names[topic][0] == 'f';
}

/* The final verdict. */
static bool permits(int user, const struct fact *fact)
{
    if (!filtered(fact->topic) || fact->resync) return true;
    return (uint32_t)(fact->serial * 2654435761u + (uint32_t)user * 40503u) % 7 > 1;
}

/* The newest position of a topic that its history does not hold. */
static uint64_t lost(int topic)
{
    bool brief = names[topic][0] == 's';
    const struct topic_options *options = brief ? &SHORT : &PLAIN;
    uint32_t held = 0;
    for (uint64_t position = model.known; position > 1; position--) {
        const struct fact *fact = &model.facts[position];
        if (fact->topic != topic) continue;
        if (held++ == options->history_size ||
            fact->at_ms + options->history_ttl_ms <= model.world->clock.now_ms)
            return position;
    }
    return 0;
}

static const struct fact *fact_of_serial(int serial)
{
    for (uint64_t at = model.known; at > 1; at--)
        if (!model.facts[at].resync && model.facts[at].serial == serial) return &model.facts[at];
    return NULL;
}

static const struct fact *fact_of(const struct frame *frame)
{
    return frame->position ? &model.facts[frame->position]
                           : fact_of_serial(number_of(frame_data(frame)));
}

static bool retains(int topic)
{
    return strchr(names[topic], 'r') != NULL;
}

static bool has_snapshot(int topic)
{
    return names[topic][0] == 'v';
}

static int topic_named(const struct atom *name)
{
    int topic = 0;
    while (strcmp(names[topic], name->text) != 0) topic++;
    return topic;
}

/* The client is a newcomer to the topic now: what the topic retains must come, or be told of; or its
 * snapshot. */
static void await_retained(struct client *client, int topic)
{
    if (has_snapshot(topic)) {
        client->connection->told[topic] = false;
        client->connection->exposure[topic] = -1;
        client->connection->exposed_at[topic] = model.world->order.position;
    }
    if (!retains(topic)) return;
    for (uint64_t at = model.known; at > 1; at--) {
        const struct fact *fact = &model.facts[at];
        if (fact->topic != topic || fact->resync) continue;
        client->connection->told[topic] = false;
        if (permits(client->user, fact)) client->connection->awaits[topic] = fact->serial;
        return;
    }
}

/* ---- what a client reads ---- */

static int64_t number_behind(struct bytes data, const char *name)
{
    const char *at = memmem(data.data, data.size, name, strlen(name));
    assert_non_null(at);
    at += strlen(name);
    if (*at == 'n') return -1;
    return number_of(bytes_run(at, (size_t)(data.data + data.size - at)));
}

static bool says(struct bytes data, const char *text)
{
    return memmem(data.data, data.size, text, strlen(text)) != NULL;
}

static bool names_topic(struct bytes data, int topic)
{
    char quoted[8];
    snprintf(quoted, sizeof(quoted), "\"%s\"", names[topic]);
    return says(data, quoted);
}

static void read_ready(struct client *client, struct bytes data)
{
    struct connection *connection = client->connection;
    connection->resumed = says(data, "\"resumed\":true");
    connection->missed = number_behind(data, "\"missed\":");
    assert_true(client->user < 0 ? says(data, "\"tag\":null") : says(data, client->tag));
    happened[connection->resumed ? RESUMED : FRESH]++;
    bool told = false;
    for (int i = 0; i < TOPICS; i++) told |= connection->concerned[i];
    assert_false(connection->resumed && (told || client->fresh));
}

/* How many a lagged resync must say: all that it may see up to here, and did not get. */
static void check_lagged(struct client *client, uint64_t position, int64_t said)
{
    struct connection *connection = client->connection;
    int64_t all = 0, keyed = 0;
    for (uint64_t at = connection->cursor + 1; at <= position; at++) {
        const struct fact *fact = &model.facts[at];
        int topic = fact->topic;
        if (!client->in[topic] || at <= client->since[topic] || at <= client->known[topic])
            continue;
        if (fact->resync || !permits(client->user, fact)) continue;
        if (is_echo(client, fact, at <= connection->from ? client->asked_tag : client->tag))
            continue;
        if (client->marks[at].flags & (DELIVERED | WITHHELD)) continue;
        all++;
        keyed += fact->key >= 0;
    }
    if (connection->left) return; /* what waited of a topic that it left is nobody's */
    assert_in_range(said, all - keyed, all);
}

static void read_resync(struct client *client, struct bytes data, uint64_t position)
{
    struct connection *connection = client->connection;
    if (says(data, "\"lagged\"")) {
        check_lagged(client, position, number_behind(data, "\"missed\":"));
        happened[connection->lagged ? LAGGED_TWICE : LAGGED]++;
        connection->lagged = true;
    }
    for (int i = 0; i < TOPICS; i++) {
        bool named = names_topic(data, i);
        if (named && connection->awaits[i] && !connection->told[i] &&
            (says(data, "\"lagged\"") || says(data, "\"access\""))) {
            happened[says(data, "\"lagged\"") ? RETAINED_LAGGED : RETAINED_WITHHELD]++;
            connection->told[i] = true;
        }
        if (named && connection->exposure[i] && !connection->told[i] &&
            (says(data, "\"lagged\"") || says(data, "\"snapshot\""))) {
            happened[says(data, "\"lagged\"") ? SNAPSHOT_LAGGED : SNAPSHOT_FAILED]++;
            connection->told[i] = true;
        } else if (named && says(data, "\"snapshot\"")) {
            assert_true(connection->left);
        }
        if (says(data, "\"history\"")) {
            assert_int_equal(named, connection->concerned[i]);
            if (named) client->known[i] = connection->from;
            happened[HISTORY] += named;
        } else if (says(data, "\"epoch\"")) {
            if (named) client->known[i] = connection->from;
        } else if (named && says(data, "\"access\"")) {
            assert_true(model.withheld[client->user + 1][i]);
            for (uint64_t at = 2; at <= model.known; at++)
                if (model.facts[at].topic == i && client->marks[at].flags & EVER_WITHHELD)
                    client->marks[at].flags |= TOLD;
            bool at_start = !connection->resumed && !client->fresh && connection->events < 3;
            happened[at_start ? ACCESS_AT_START : ACCESS_TOLD]++;
        } else if (named && !says(data, "\"private\"") &&
                   !says(data, "\"snapshot\"")) { /* lagged, upstream */
            if (client->known[i] < position) client->known[i] = position;
        }
    }
}

static void read_trigger(struct client *client, struct bytes data, uint64_t position)
{
    struct connection *connection = client->connection;
    assert_in_range(position, 2, model.known);
    const struct fact *fact = &model.facts[position];
    bool replay = position <= connection->from;
    assert_int_equal(number_of(data), fact->serial);
    assert_true(permits(client->user, fact));
    assert_true(position > client->newest); /* in order, once */
    assert_false(is_echo(client, fact, replay ? client->asked_tag : client->tag));
    assert_true(client->in[fact->topic] || connection->left);
    if (connection->exposure[fact->topic] && !connection->told[fact->topic])
        assert_true(position <= connection->exposed_at[fact->topic]); /* its snapshot comes before */
    client->newest = position;
    client->marks[position].flags |= DELIVERED;
    if (replay) {
        connection->replayed++;
        happened[REPLAYED]++;
    } else if (connection->missed >= 0 && connection->resumed && !connection->left &&
               !connection->lagged) { /* `ready` said how many come before the first live one */
        assert_in_range(connection->replayed, model.keys ? 0 : connection->missed,
                        connection->missed);
        connection->missed = -1;
    }
}

/* A newer one has its key: it may have taken its place in the queue, wherever it stands itself. */
static bool is_replaced(const struct fact *fact)
{
    for (const struct fact *newer = fact + 1; newer <= &model.facts[model.known]; newer++)
        if (newer->topic == fact->topic && newer->key == fact->key && fact->key >= 0) return true;
    return false;
}

/* The retained trigger of a topic: it comes once, in front of all that follows, and its id is the
 * one that the client had. */
static bool read_retained(struct client *client, struct bytes data, uint64_t position)
{
    struct connection *connection = client->connection;
    const struct fact *fact = fact_of_serial(number_of(data));
    const uint64_t place = (uint64_t)(fact - model.facts);
    assert_non_null(fact);
    int *awaits = &connection->awaits[fact->topic];
    if (place == position && *awaits != fact->serial) { /* a trigger */
        const struct fact *awaited = *awaits ? fact_of_serial(*awaits) : NULL;
        if (awaited && !connection->told[fact->topic] && place > connection->from) {
            assert_true(is_replaced(awaited) || filtered(fact->topic)); /* withheld: told of later */
            if (awaited->key == fact->key) *awaits = 0;
        }
        return false;
    }
    if (connection->left && !*awaits) return true; /* it had been sent in part */
    assert_int_equal(*awaits, fact->serial);
    assert_true(permits(client->user, fact));
    happened[place > connection->from ? RETAINED_AT_JOIN : RETAINED]++;
    *awaits = 0;
    return true;
}

/* The topic's state: once, and in front of all that came after the client did. */
static void read_snapshot(struct client *client, struct bytes data)
{
    struct connection *connection = client->connection;
    const int number = number_of(data);
    int topic = 0;
    while (topic < TOPICS && connection->exposure[topic] != number) topic++;
    if (topic == TOPICS) {
        assert_true(connection->left); /* it had been sent in part */
        return;
    }
    assert_false(connection->told[topic]);
    connection->exposure[topic] = 0;
    happened[connection->exposed_at[topic] > connection->from ? SNAPSHOT_AT_JOIN : SNAPSHOT]++;
}

static void on_event(void *owner, const struct sse_event *event)
{
    struct client *client = owner;
    int64_t position = read_cursor(&model.world->order.epoch, event->id);
    assert_int_equal(client->connection->events++ == 0, bytes_is(event->type, "ready"));
    if (bytes_is(event->type, "ready"))
        read_ready(client, event->data);
    else if (bytes_is(event->type, "resync"))
        read_resync(client, event->data, position < 0 ? 0 : (uint64_t)position);
    else if (bytes_is(event->type, "snap"))
        read_snapshot(client, event->data);
    else if (bytes_is(event->type, "t") &&
             !read_retained(client, event->data, position < 0 ? 0 : (uint64_t)position))
        read_trigger(client, event->data, (uint64_t)position);
    else
        assert_true(bytes_is(event->type, "hello") || bytes_is(event->type, "t"));
}

static void on_retry(void *owner, uint64_t retry_ms)
{
    (void)owner;
    assert_int_equal(retry_ms, 3000);
}

static const struct sse_parser_events reading = {.event = on_event, .retry = on_retry};
