/* carried_world: nodes whose topics come by a bus, and what the servers have: a log of triggers each, with
 * places that are no positions. A topic's name ends in the number of its server. Nothing comes by itself:
 * the spec says which node hears what, and when a topic is loaded. */
#pragma once

#include "hub/carried.h"
#include "hub/hub_state.h"
#include "hub/topic_state.h"
#include "hub_world.h"
#include "ports/bus.h"

enum { SERVERS_MAX = 8, LOGGED = 512, NAME_SIZE = 8 };

struct logged {
    char topic[NAME_SIZE];
    uint64_t place;
    char data[32];
};

/* One server. */
struct server_log {
    struct logged entries[LOGGED];
    int count;
    uint64_t place;
};

struct carrier {
    struct bus bus;
    struct world *world;
    int wanted, unwanted, lost;
    struct topic *held; /* holds every topic that is wanted, if it is `holding` */
    bool holding;
    struct buf published; /* "topic type data" lines; the type of a resync is "-" */
    int heard[SERVERS_MAX]; /* entries of each server's log */
};

static inline uint8_t carrier_server_of(struct bus *bus, struct bytes name)
{
    (void)bus;
    return (uint8_t)(name.data[name.size - 1] - '0');
}

static inline void carrier_publish(struct bus *bus, struct topic *topic,
                                   const struct emission *emission)
{
    struct buf *out = &CONTAINER(bus, struct carrier, bus)->published;
    buf_add_bytes(out, atom_bytes(topic_name(topic)));
    buf_add_char(out, ' ');
    buf_add_bytes(out, emission->type ? atom_bytes(emission->type) : BYTES("-"));
    buf_add_char(out, ' ');
    buf_add_bytes(out, emission->data);
    buf_add_char(out, '\n');
}

static inline void carrier_retain(struct bus *bus, struct topic *topic,
                                  const struct emission *emission)
{
    struct buf *out = &CONTAINER(bus, struct carrier, bus)->published;
    buf_add_bytes(out, atom_bytes(topic_name(topic)));
    buf_add_text(out, " retained ");
    buf_add_bytes(out, emission->data);
    buf_add_char(out, '\n');
}

static inline void carrier_lose(struct bus *bus, struct bytes name)
{
    (void)name;
    CONTAINER(bus, struct carrier, bus)->lost++;
}

static inline void carrier_wanted(struct bus *bus, struct topic *topic)
{
    struct carrier *carrier = CONTAINER(bus, struct carrier, bus);
    carrier->wanted++;
    if (carrier->holding && carrier->held != topic) topic_hold(carrier->held = topic);
}

static inline void carrier_unwanted(struct bus *bus, struct topic *topic)
{
    (void)topic;
    CONTAINER(bus, struct carrier, bus)->unwanted++;
}

static inline struct carrier *carrier_new(uint32_t servers)
{
    struct carrier *carrier = xcalloc(1, sizeof(*carrier));
    carrier->bus = (struct bus){.server_of = carrier_server_of,
                                .publish = carrier_publish,
                                .retain = carrier_retain,
                                .lose = carrier_lose,
                                .wanted = carrier_wanted,
                                .unwanted = carrier_unwanted};
    const struct hub_limits limits = {.forgotten_topics = 4, .topics = 8, .windows = 10};
    carrier->world = world_new_on(&carrier->bus, servers, limits);
    return carrier;
}

static inline void carrier_free(struct carrier *carrier)
{
    struct world *world = carrier->world;
    buf_destroy(&carrier->published);
    for (int i = 0; i < world->count; i++)
        if (world->tabs[i].subscriber) subscriber_end(world->tabs[i].subscriber, END_DRAIN);
    settle(world);
    assert_int_equal(carrier->wanted, carrier->unwanted);
    hub_free(world->hub);
    for (int i = 0; i < world->count; i++) tab_forget(&world->tabs[i]);
    xfree(world);
    xfree(carrier);
}

/* ---- what comes ---- */

static inline void receive(struct topic *topic, uint64_t place, const char *data)
{
    struct atom *type = atom_of("t");
    topic_receive(topic, place, &(struct emission){.type = type, .data = bytes_of(data)});
    atom_unref(type);
}

static inline void load(struct topic *topic, uint64_t place, const char *data)
{
    struct atom *type = atom_of("t");
    topic_load(topic, place, &(struct emission){.type = type, .data = bytes_of(data)},
               topic_now(topic));
    atom_unref(type);
}

/* Loads what the server has of it, as far as this node has heard. */
static inline void load_all(struct topic *topic, const struct server_log *log)
{
    const uint64_t heard = topic_ports(topic)->order->heard.at[topic->server];
    topic_load_begin(topic, 0);
    for (int i = 0; i < log->count; i++) {
        const struct logged *entry = &log->entries[i];
        if (entry->place <= heard && bytes_is(atom_bytes(topic->name), entry->topic))
            load(topic, entry->place, entry->data);
    }
    topic_loaded(topic);
}

/* The node hears the server's next trigger; false: there is none. */
static inline bool hear(struct carrier *carrier, uint8_t server, const struct server_log *log)
{
    if (carrier->heard[server] == log->count) return false;
    const struct logged *entry = &log->entries[carrier->heard[server]++];
    struct topic *topic = hub_topic_find(carrier->world->hub, bytes_of(entry->topic));
    if (topic)
        receive(topic, entry->place, entry->data);
    else
        order_heard(&carrier->world->order, server, entry->place);
    return true;
}
