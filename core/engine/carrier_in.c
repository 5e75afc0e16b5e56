/* What comes, and what is listened to. */
#include "base/alloc.h"
#include "base/check.h"
#include "engine/ports.h"
#include "engine/carrier_state.h"
#include "event/parcel.h"
#include "hub/order.h"

enum { LINGER_MS = 10000, OWED_MAX = 65536, OWED_MS = 1000 };

/* A topic that is listened to, for as long as the hub has it. */
struct line {
    struct carrier *carrier;
    struct topic *topic;
    struct trunk_topic *trunk;
    struct timer linger; /* armed while nobody wants it */
};

struct owed {
    uint32_t server;
};

void carrier_name(const struct carrier *carrier, struct bytes topic, struct buf *out)
{
    buf_add_bytes(out, atom_bytes(carrier->ports.app));
    buf_add_char(out, ':');
    buf_add_bytes(out, topic);
}

uint8_t carrier_server_of(struct bus *port, struct bytes topic)
{
    const struct carrier *carrier = CONTAINER(port, struct carrier, port);
    struct buf name = BUF_EMPTY;
    carrier_name(carrier, topic, &name);
    const uint32_t server = cluster_server_of(carrier->joint->cluster, buf_bytes(&name));
    buf_destroy(&name);
    return (uint8_t)server;
}

/* ---- what comes ---- */

static struct atom *atom_or_null(struct bytes bytes)
{
    return bytes.data ? atom_get(bytes) : NULL;
}

bool carrier_unpack(const struct carrier *carrier, struct bytes bytes, struct emission *emission)
{
    struct parcel parcel;
    if (!parcel_read(bytes, &parcel)) return false;
    const bool own = bytes_equal(parcel.node, cluster_node(carrier->joint->cluster));
    *emission = (struct emission){.type = atom_or_null(parcel.type),
                                  .replaces = atom_or_null(parcel.replaces),
                                  .user = atom_or_null(parcel.user),
                                  .tag = atom_or_null(parcel.tag),
                                  .meta = atom_or_null(parcel.meta),
                                  .data = parcel.data,
                                  .id = parcel.id,
                                  .retry_ms = parcel.retry_ms,
                                  .cause = own ? parcel.cause : 0,
                                  .elsewhere = !own};
    return true;
}

/* False: a parcel that this version cannot read; said once a minute. Whom that concerns is told to re-read. */
static bool unpack(const struct line *line, struct bytes bytes, struct emission *emission)
{
    struct carrier *carrier = line->carrier;
    if (carrier_unpack(carrier, bytes, emission)) return true;
    if (carrier_says(carrier, SAID_UNREAD))
        LOG(carrier->ports.ports->log, LOG_ERROR, "a trigger of another node cannot be read",
            F_BYTES("topic", atom_bytes(topic_name(line->topic))), F_NUMBER("bytes", bytes.size));
    return false;
}

void carrier_drop(const struct emission *emission)
{
    atom_unref(emission->type);
    atom_unref(emission->replaces);
    atom_unref(emission->user);
    atom_unref(emission->tag);
    atom_unref(emission->meta);
}

static uint64_t time_of(const struct line *line, const struct trunk_message *message)
{
    const uint64_t now_ms = line->carrier->ports.ports->clock->now_ms;
    return now_ms > message->age_ms ? now_ms - message->age_ms : 0;
}

static void on_load(void *owner, const struct trunk_load *load)
{
    struct line *line = owner;
    struct topic *topic = line->topic;
    struct emission emission;
    if (load->resync) topic_break(topic, load->resync);
    topic_load_begin(topic, load->lost);
    for (size_t i = 0; i < load->count; i++) {
        if (!unpack(line, load->messages[i].parcel, &emission)) {
            topic_load_begin(topic, load->messages[i].place); /* who knows less has missed it */
            continue;
        }
        topic_load(topic, load->messages[i].place, &emission, time_of(line, &load->messages[i]));
        carrier_drop(&emission);
    }
    if (load->retained && unpack(line, load->retained->parcel, &emission)) {
        topic_load_retained(topic, &emission, time_of(line, load->retained));
        carrier_drop(&emission);
    }
    topic_loaded(topic);
}

static void on_receive(void *owner, const struct trunk_message *message)
{
    struct line *line = owner;
    struct emission emission;
    if (!unpack(line, message->parcel, &emission)) {
        order_heard(line->carrier->ports.ports->order, topic_server(line->topic), message->place);
        topic_break(line->topic, "history");
        return;
    }
    topic_receive(line->topic, message->place, &emission);
    carrier_drop(&emission);
}

static void on_broken(void *owner, const char *reason)
{
    struct line *line = owner;
    topic_break(line->topic, reason);
}

static uint32_t history_of(void *owner)
{
    const struct line *line = owner;
    return topic_options(line->topic)->history_size;
}

static void on_retain(void *owner, const struct trunk_message *message)
{
    struct line *line = owner;
    struct emission emission;
    if (!unpack(line, message->parcel, &emission)) return;
    topic_load_retained(line->topic, &emission, time_of(line, message));
    carrier_drop(&emission);
}

static const struct trunk_topic_events topic_events = {on_broken, on_load, on_receive, history_of,
                                                       on_retain};

/* ---- what is listened to ---- */

static void hang_up(struct line *line)
{
    struct topic *topic = line->topic;
    clock_cancel(line->carrier->ports.ports->clock, &line->linger);
    trunk_topic_close(line->trunk);
    topic_unload(topic);
    topic_set_carrier(topic, NULL);
    topic_let_go(topic);
    xfree(line);
}

static void on_linger(struct timer *timer)
{
    hang_up(CONTAINER(timer, struct line, linger));
}

static void wanted(struct bus *port, struct topic *topic)
{
    struct carrier *carrier = CONTAINER(port, struct carrier, port);
    struct line *line = topic_carrier(topic);
    struct buf name = BUF_EMPTY;
    if (line) {
        clock_cancel(carrier->ports.ports->clock, &line->linger);
        return;
    }
    line = xcalloc(1, sizeof(*line));
    line->carrier = carrier;
    line->topic = topic;
    timer_init(&line->linger, on_linger);
    topic_hold(topic);
    topic_set_carrier(topic, line);
    carrier_name(carrier, atom_bytes(topic_name(topic)), &name);
    line->trunk = trunk_topic_open(carrier->joint->trunk, buf_bytes(&name), &topic_events, line);
    buf_destroy(&name);
}

static void unwanted(struct bus *port, struct topic *topic)
{
    struct carrier *carrier = CONTAINER(port, struct carrier, port);
    struct line *line = topic_carrier(topic);
    if (line) clock_after(carrier->ports.ports->clock, &line->linger, LINGER_MS);
}

static void lose(struct bus *port, struct bytes name)
{
    carrier_resync(CONTAINER(port, struct carrier, port), name, "history");
}

/* ---- what is owed ---- */

void carrier_owe(struct carrier *carrier, struct atom *topic, uint32_t server)
{
    const struct bytes name = atom_bytes(topic);
    if (dict_get(&carrier->owed, name)) return;
    if (carrier->owed.count >= OWED_MAX) {
        if (carrier_says(carrier, SAID_FORGOTTEN))
            LOG(carrier->ports.ports->log, LOG_ERROR, "too many topics must be told to re-read: not all will be",
                F_BYTES("topic", name), F_NUMBER("topics", carrier->owed.count));
        return;
    }
    struct owed *owed = xmalloc(sizeof(*owed));
    owed->server = server;
    dict_set(&carrier->owed, name, owed);
    if (!timer_armed(&carrier->owing))
        clock_after(carrier->ports.ports->clock, &carrier->owing, OWED_MS);
}

static void pay(struct carrier *carrier, uint32_t server)
{
    for (struct dict_entry *entry = NULL; (entry = dict_next(&carrier->owed, entry));) {
        struct owed *owed = entry->value;
        const struct bytes name = bytes_run(entry->key, entry->key_size);
        if (owed->server != server) continue;
        carrier_resync(carrier, name, "redis");
        dict_remove(&carrier->owed, name);
        xfree(owed);
    }
}

static void on_here(struct joint_member *member, uint32_t server)
{
    pay(CONTAINER(member, struct carrier, member), server);
}

/* A server may be here all the time, and not have taken it. */
static void on_owing(struct timer *timer)
{
    struct carrier *carrier = CONTAINER(timer, struct carrier, owing);
    const struct cluster *cluster = carrier->joint->cluster;
    for (uint32_t i = 0; i < cluster_servers(cluster); i++)
        if (cluster_here(cluster, i)) pay(carrier, i);
    if (carrier->owed.count) clock_after(carrier->ports.ports->clock, timer, OWED_MS);
}

/* ---- life ---- */

struct carrier *carrier_new(const struct carrier_ports *ports)
{
    struct carrier *carrier = xcalloc(1, sizeof(*carrier));
    carrier->port = (struct bus){.server_of = carrier_server_of,
                                 .publish = carrier_out,
                                 .retain = carrier_retain,
                                 .lose = lose,
                                 .wanted = wanted,
                                 .unwanted = unwanted};
    carrier->ports = *ports;
    carrier->joint = ports->ports->joint;
    carrier->owed = DICT_EMPTY;
    timer_init(&carrier->owing, on_owing);
    carrier_out_create(carrier);
    carrier->member.here = on_here;
    joint_add(carrier->joint, &carrier->member);
    return carrier;
}

struct bus *carrier_bus(struct carrier *carrier)
{
    return &carrier->port;
}

static void close_line(void *ctx, struct topic *topic)
{
    struct line *line = topic_carrier(topic);
    (void)ctx;
    if (line) hang_up(line);
}

void carrier_close(struct carrier *carrier)
{
    hub_topics_each(*carrier->ports.hub, close_line, carrier);
}

bool carrier_idle(const struct carrier *carrier)
{
    return list_empty(&carrier->carriages);
}

void carrier_free(struct carrier *carrier)
{
    joint_remove(&carrier->member);
    clock_cancel(carrier->ports.ports->clock, &carrier->owing);
    carrier_out_destroy(carrier);
    for (struct dict_entry *entry = NULL; (entry = dict_next(&carrier->owed, entry));)
        xfree(entry->value);
    dict_destroy(&carrier->owed);
    xfree(carrier);
}
