/* With other nodes: what this node has is said, and what it is handed is told. An entry may be of a user that this
 * node does not have: then it is there for as long as its change is being told. */
#include "base/alloc.h"
#include "engine/joint.h"
#include "engine/presence_state.h"
#include "hub/subscriber.h"

static uint64_t now(const struct presence *presence)
{
    return presence->_ports->clock->now_ms;
}

static uint64_t left(const struct presence *presence, uint64_t until_ms)
{
    return until_ms > now(presence) ? until_ms - now(presence) : 0;
}

/* ---- what this node has ---- */

struct tabs {
    const struct atom *topic;
    struct buf *tags;
};

static bool note_tab(void *ctx, struct subscriber *subscriber)
{
    struct tabs *tabs = ctx;
    struct atom *tag = subscriber_tag(subscriber);
    for (uint32_t i = 0; tag && i < subscriber_topic_count(subscriber); i++) {
        if (topic_name(subscriber_topic(subscriber, i)) != tabs->topic) continue;
        buf_add_bytes(tabs->tags, atom_bytes(tag));
        buf_add_char(tabs->tags, ',');
    }
    return true;
}

static struct crowd_state describe(void *owner, struct crowd_place *place, struct buf *tags)
{
    struct presence *presence = owner;
    const struct entry *entry = CONTAINER(place, struct entry, place);
    const struct plan_presence *declared = &entry->topic->declared->presence;
    if (declared->beat_ms && entry->subscribers) {
        struct tabs tabs = {entry->topic->name, tags};
        buf_add_char(tags, ',');
        hub_subscribers_each(presence->_hub, entry->user, NULL, note_tab, &tabs);
    }
    return (struct crowd_state){.topic = atom_bytes(entry->topic->name),
                                .user = atom_bytes(entry->user),
                                .here = entry->subscribers > 0,
                                .grace_ms = declared->grace_ms,
                                .left_ms = left(presence, entry->grace_ms),
                                .beats = declared->beat_ms > 0,
                                .beat_ms = left(presence, entry->beat_ms)};
}

void presence_say(struct entry *entry)
{
    struct presence *presence = entry->topic->presence;
    const bool comes = entry->subscribers && !entry->counted;
    if (comes && now(presence) >= entry->grace_ms) entry->beat_ms = 0; /* who comes anew beats anew */
    presence_count_entry(entry, entry->subscribers > 0);
    crowd_mark(presence->_crowd, &entry->place);
}

static void on_settled(void *owner, struct crowd_place *place)
{
    (void)owner;
    presence_release(CONTAINER(place, struct entry, place));
}

/* ---- what it is handed ---- */

/* Changes alternate over all nodes. So if nothing is to be told here, the opposite was told last, by whomever; and what
 * is to be told and its opposite come to nothing. */
static void hand(struct entry *entry, bool online)
{
    if (entry->online == entry->told) entry->told = !online;
    entry->online = online;
    presence_changed(entry);
    presence_release(entry);
}

static void on_changed(void *owner, struct bytes topic, struct bytes user, bool online)
{
    struct presence *presence = owner;
    const struct plan_topic *declared =
        plan_topic_of(generation_plan(*presence->_generation), topic, NULL);
    if (!declared || !declared->options.attended) return;
    struct atom *name = atom_get(topic), *of_user = atom_get(user);
    struct entry *entry = presence_entry(presence, name, of_user);
    if (!entry) {
        entry = presence_entry_new(presence, name, declared, of_user);
        if (entry->subscribers) presence_say(entry); /* there had been no room for it */
    }
    hand(entry, online);
    atom_unref(name);
    atom_unref(of_user);
}

static void on_beaten(void *owner, struct bytes topic, struct bytes user)
{
    presence_beat(owner, atom_find(topic), atom_find(user), NULL);
}

static const struct crowd_events crowd_events = {describe, on_beaten, on_changed, on_settled};

/* ---- life ---- */

void presence_share(struct presence *presence, struct bytes app)
{
    const struct engine_ports *ports = presence->_ports;
    const struct cluster_ports cluster = {ports->clock, ports->random, ports->log, ports->redis};
    presence->_crowd = crowd_new(ports->joint->cluster, &cluster, app, &crowd_events, presence);
}

void presence_unshare(struct presence *presence)
{
    crowd_free(presence->_crowd);
}

/* ---- questions ---- */

bool presence_is_shared(const struct presence *presence)
{
    return presence->_crowd != NULL;
}

struct crowd_call *presence_ask(struct presence *presence, enum crowd_question question, struct bytes topic,
                                struct bytes user, redis_done_f *done, void *owner)
{
    return crowd_ask(presence->_crowd, question, topic, user, done, owner);
}

struct crowd_call *presence_beat_elsewhere(struct presence *presence, struct bytes topic, struct bytes user,
                                           struct bytes tag, redis_done_f *done, void *owner)
{
    const struct plan_topic *declared =
        plan_topic_of(generation_plan(*presence->_generation), topic, NULL);
    const uint64_t beat_ms = declared ? declared->presence.beat_ms : 0;
    return crowd_beat(presence->_crowd, topic, user, tag, beat_ms, done, owner);
}
