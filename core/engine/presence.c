#include "engine/presence.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/presence_state.h"
#include "hub/subscriber.h"

enum { WARN_PACE_MS = 60000 };

/* ---- the tables ---- */

static uint64_t topic_hash(const void *thing)
{
    return ((const struct presence_topic *)thing)->name->hash;
}

static bool topic_is(const void *thing, const void *key)
{
    return ((const struct presence_topic *)thing)->name == key;
}

struct entry_key {
    const struct atom *topic, *user;
};

static uint64_t entry_hash(const void *thing)
{
    const struct entry *entry = thing;
    return lookup_mix(entry->topic->name->hash, entry->user->hash);
}

static bool entry_is(const void *thing, const void *key)
{
    const struct entry *entry = thing;
    const struct entry_key *wanted = key;
    return entry->topic->name == wanted->topic && entry->user == wanted->user;
}

static struct presence_topic *topic_of(const struct presence *presence, const struct atom *name)
{
    return name ? lookup_find(&presence->_topics, name->hash, topic_is, name) : NULL;
}

struct entry *presence_entry(const struct presence *presence, const struct atom *topic,
                             const struct atom *user)
{
    const struct entry_key key = {topic, user};
    if (!topic || !user) return NULL;
    return lookup_find(&presence->_entries, lookup_mix(topic->hash, user->hash), entry_is, &key);
}

static uint64_t now(const struct presence *presence)
{
    return presence->_ports->clock->now_ms;
}

/* ---- topics ---- */

static void topic_free(struct presence_topic *topic)
{
    struct presence *presence = topic->presence;
    CHECK(list_empty(&topic->entries) && !timer_armed(&topic->resync));
    lookup_remove(&presence->_topics, topic);
    list_remove(&topic->node);
    atom_unref(topic->name);
    xfree(topic);
}

static void topic_release(struct presence_topic *topic)
{
    if (list_empty(&topic->entries) && !timer_armed(&topic->resync)) topic_free(topic);
}

static void read_again(struct presence_topic *topic)
{
    struct hub *hub = topic->presence->_hub;
    const struct bytes name = atom_bytes(topic->name);
    /* Whom it concerns may be on other nodes alone. */
    struct topic *of_hub = topic->presence->_crowd ? hub_topic(hub, name, &topic->declared->options)
                                                   : hub_topic_find(hub, name);
    if (of_hub) topic_resync(of_hub, "rule", topic->cause);
}

static void on_failed(struct timer *timer)
{
    struct presence_topic *topic = CONTAINER(timer, struct presence_topic, resync);
    read_again(topic);
    topic_release(topic);
}

static void hasten_resync(struct presence_topic *topic)
{
    if (!timer_armed(&topic->resync)) return;
    clock_cancel(topic->presence->_ports->clock, &topic->resync);
    read_again(topic);
}

static struct presence_topic *topic_new(struct presence *presence, struct atom *name,
                                        const struct plan_topic *declared)
{
    struct presence_topic *topic = xcalloc(1, sizeof(*topic));
    topic->presence = presence;
    topic->name = atom_ref(name);
    topic->declared = declared;
    list_create(&topic->entries);
    list_create(&topic->node);
    list_append(&presence->_all, &topic->node);
    timer_init(&topic->resync, on_failed);
    lookup_add(&presence->_topics, topic);
    return topic;
}

/* ---- entries ---- */

void presence_count_entry(struct entry *entry, bool counted)
{
    if (counted == entry->counted) return;
    entry->counted = counted;
    entry->topic->online += counted ? 1 : -1;
    entry->topic->presence->counters.online += counted ? 1 : -1;
}

static void entry_free(struct entry *entry)
{
    struct presence *presence = entry->topic->presence;
    presence_untell(entry);
    clock_cancel(presence->_ports->clock, &entry->timer);
    if (presence->_crowd) crowd_remove(presence->_crowd, &entry->place);
    lookup_remove(&presence->_entries, entry);
    list_remove(&entry->node);
    presence_count_entry(entry, false);
    atom_unref(entry->user);
    xfree(entry);
}

/* With other nodes somebody else may have been told the rest. */
static bool is_needed(const struct entry *entry)
{
    if (entry->subscribers || entry->call) return true;
    if (!entry->topic->presence->_crowd) return entry->online || entry->told;
    return entry->online != entry->told || !crowd_settled(&entry->place);
}

void presence_release(struct entry *entry)
{
    struct presence_topic *topic = entry->topic;
    if (is_needed(entry)) return;
    entry_free(entry);
    topic_release(topic);
}

static bool is_there(const struct entry *entry)
{
    const uint64_t at = now(entry->topic->presence);
    return (entry->subscribers || at < entry->grace_ms) &&
           (!entry->topic->declared->presence.beat_ms || at < entry->beat_ms);
}

static void watch(struct entry *entry)
{
    struct clock *clock = entry->topic->presence->_ports->clock;
    uint64_t due = UINT64_MAX;
    if (!entry->subscribers) due = entry->grace_ms;
    if (entry->topic->declared->presence.beat_ms && entry->beat_ms < due) due = entry->beat_ms;
    if (entry->online && due != UINT64_MAX)
        wheel_arm(&clock->wheel, &entry->timer, due);
    else
        clock_cancel(clock, &entry->timer);
}

/* After anything that may change whether it is there. */
static void presence_look(struct entry *entry)
{
    struct presence *presence = entry->topic->presence;
    if (presence->_crowd) {
        presence_say(entry);
        return;
    }
    if (presence->_stopped) return;
    const bool online = is_there(entry);
    if (!online && !entry->subscribers) entry->beat_ms = 0; /* who comes anew beats anew */
    if (online != entry->online) {
        entry->online = online;
        presence_count_entry(entry, online);
        presence_changed(entry);
    }
    watch(entry);
}

/* The same; the entry, and its topic, may be gone afterwards. */
static void look(struct entry *entry)
{
    presence_look(entry);
    presence_release(entry);
}

static void on_due(struct timer *timer)
{
    look(CONTAINER(timer, struct entry, timer));
}

/* ---- the hub tells ---- */

struct search {
    const struct atom *topic;
    uint32_t found;
};

static bool search_topic(void *ctx, struct subscriber *subscriber)
{
    struct search *search = ctx;
    for (uint32_t i = 0; i < subscriber_topic_count(subscriber); i++)
        search->found += topic_name(subscriber_topic(subscriber, i)) == search->topic;
    return true;
}

/* How many subscribers of the user (tag NULL: any) have the topic. */
static uint32_t count_subscribers(struct hub *hub, const struct atom *topic, struct atom *user,
                                  struct atom *tag)
{
    struct search search = {topic, 0};
    hub_subscribers_each(hub, user, tag, search_topic, &search);
    return search.found;
}

static void refuse(struct presence *presence, struct topic *topic)
{
    presence->counters.refused++;
    if (presence->_warned_ms && now(presence) - presence->_warned_ms < WARN_PACE_MS) return;
    presence->_warned_ms = now(presence);
    LOG(presence->_ports->log, LOG_WARN, "presence is full: a user is not counted",
        F_BYTES("topic", atom_bytes(topic_name(topic))),
        F_NUMBER("presence_entries", *presence->_entries_max));
}

struct entry *presence_entry_new(struct presence *presence, struct atom *name,
                                 const struct plan_topic *declared, struct atom *user)
{
    struct presence_topic *topic = topic_of(presence, name);
    struct entry *entry = xcalloc(1, sizeof(*entry));
    entry->topic = topic ? topic : topic_new(presence, name, declared);
    entry->user = atom_ref(user);
    entry->subscribers = count_subscribers(presence->_hub, name, user, NULL);
    list_create(&entry->node);
    list_append(&entry->topic->entries, &entry->node);
    list_create(&entry->due);
    timer_init(&entry->timer, on_due);
    lookup_add(&presence->_entries, entry);
    if (presence->_crowd) crowd_add(presence->_crowd, &entry->place, atom_bytes(name));
    return entry;
}

/* NULL: there is no room. */
static struct entry *enter(struct presence *presence, struct topic *topic, struct atom *user)
{
    if (presence->_entries.count < *presence->_entries_max)
        return presence_entry_new(presence, topic_name(topic), topic_options(topic)->owner, user);
    refuse(presence, topic);
    return NULL;
}

static void on_joined(struct attendance *port, struct topic *topic, struct atom *user)
{
    struct presence *presence = CONTAINER(port, struct presence, port);
    struct entry *entry = presence_entry(presence, topic_name(topic), user);
    if (entry)
        entry->subscribers++;
    else
        entry = enter(presence, topic, user);
    if (entry) look(entry);
}

static void on_left(struct attendance *port, struct topic *topic, struct atom *user)
{
    struct presence *presence = CONTAINER(port, struct presence, port);
    struct entry *entry = presence_entry(presence, topic_name(topic), user);
    if (!entry) return;
    CHECK(entry->subscribers > 0);
    if (--entry->subscribers == 0)
        entry->grace_ms = now(presence) + entry->topic->declared->presence.grace_ms;
    look(entry);
}

/* ---- life ---- */

static bool has_presence(const struct plan *plan)
{
    for (size_t i = 0; i < plan->topic_count; i++)
        if (plan->topics[i]->options.attended) return true;
    return false;
}

void presence_create(struct presence *presence, const struct engine_ports *ports, struct hub *hub,
                     struct generation *const *generation, const uint32_t *entries_max)
{
    *presence = (struct presence){.port = {on_joined, on_left},
                                  ._ports = ports,
                                  ._hub = hub,
                                  ._generation = generation,
                                  ._entries_max = entries_max};
    lookup_create(&presence->_topics, topic_hash);
    lookup_create(&presence->_entries, entry_hash);
    list_create(&presence->_all);
    list_create(&presence->_due);
    job_create(&presence->_job, presence_tell);
    const struct plan *plan = generation_plan(*generation);
    if (ports->joint) presence_share(presence, atom_bytes(plan->app));
    if (ports->joint && has_presence(plan)) crowd_start(presence->_crowd);
}

static void forget_topic(struct presence_topic *topic)
{
    LIST_EACH(node, &topic->entries) entry_free(CONTAINER(node, struct entry, node));
    hasten_resync(topic);
    topic_free(topic);
}

void presence_destroy(struct presence *presence)
{
    CHECK(presence_idle(presence));
    LIST_EACH(node, &presence->_all) {
        struct presence_topic *topic = CONTAINER(node, struct presence_topic, node);
        clock_cancel(presence->_ports->clock, &topic->resync);
        forget_topic(topic);
    }
    later_cancel(&presence->_job);
    if (presence->_crowd) presence_unshare(presence);
    lookup_destroy(&presence->_topics);
    lookup_destroy(&presence->_entries);
}

void presence_stop(struct presence *presence)
{
    presence->_stopped = true;
    if (presence->_crowd) crowd_stop(presence->_crowd);
    LIST_EACH(node, &presence->_all) {
        struct presence_topic *topic = CONTAINER(node, struct presence_topic, node);
        hasten_resync(topic);
        LIST_EACH(at, &topic->entries) {
            struct entry *entry = CONTAINER(at, struct entry, node);
            clock_cancel(presence->_ports->clock, &entry->timer);
        }
    }
}

bool presence_idle(const struct presence *presence)
{
    return !presence->_calls && list_empty(&presence->_due);
}

/* ---- another generation ---- */

/* Beats that count only now: nobody can have sent one. */
static void begin_beats(struct presence_topic *topic)
{
    const uint64_t due = now(topic->presence) + topic->declared->presence.beat_ms;
    LIST_EACH(node, &topic->entries) CONTAINER(node, struct entry, node)->beat_ms = due;
}

static void move_topic(struct presence_topic *topic, const struct plan_topic *declared)
{
    const bool counted = topic->declared->presence.beat_ms;
    topic->declared = declared;
    if (!counted == !declared->presence.beat_ms && !topic->presence->_crowd) return;
    if (!counted) begin_beats(topic);
    LIST_EACH(node, &topic->entries) presence_look(CONTAINER(node, struct entry, node));
}

/* Those whose topics have presence only now; who was not counted for want of room has another try. */
static bool count_in(void *ctx, struct subscriber *subscriber)
{
    struct presence *presence = ctx;
    struct atom *user = subscriber_user(subscriber);
    for (uint32_t i = 0; user && i < subscriber_topic_count(subscriber); i++) {
        struct topic *topic = subscriber_topic(subscriber, i);
        if (!topic_options(topic)->attended || presence_entry(presence, topic_name(topic), user)) continue;
        struct entry *entry = enter(presence, topic, user);
        if (entry) look(entry);
    }
    return true;
}

void presence_swap(struct presence *presence)
{
    const struct plan *plan = generation_plan(*presence->_generation);
    bool forgotten = false;
    LIST_EACH(node, &presence->_all) {
        struct presence_topic *topic = CONTAINER(node, struct presence_topic, node);
        const struct plan_topic *declared = plan_topic_of(plan, atom_bytes(topic->name), NULL);
        if (declared && declared->options.attended) {
            move_topic(topic, declared);
        } else {
            forget_topic(topic);
            forgotten = true;
        }
    }
    if (forgotten && presence->_crowd) crowd_renew(presence->_crowd);
    if (!has_presence(plan)) return;
    if (presence->_crowd) crowd_start(presence->_crowd);
    hub_all_each(presence->_hub, count_in, presence);
}

/* ---- beats and queries ---- */

bool presence_beat(struct presence *presence, struct atom *topic, struct atom *user,
                   struct atom *tag)
{
    struct entry *entry = presence_entry(presence, topic, user);
    if (!entry || presence->_stopped) return false;
    if (presence->_crowd && !entry->subscribers) return false;
    if (tag && !count_subscribers(presence->_hub, topic, user, tag)) return false;
    entry->beat_ms = now(presence) + entry->topic->declared->presence.beat_ms;
    look(entry);
    return true;
}

bool presence_online(const struct presence *presence, const struct atom *topic,
                     const struct atom *user)
{
    const struct entry *entry = presence_entry(presence, topic, user);
    return entry && entry->online;
}

uint32_t presence_count(const struct presence *presence, const struct atom *topic)
{
    const struct presence_topic *found = topic_of(presence, topic);
    return found ? found->online : 0;
}

void presence_each(const struct presence *presence, const struct atom *topic,
                   void (*each)(void *ctx, struct atom *user), void *ctx)
{
    const struct presence_topic *found = topic_of(presence, topic);
    if (!found) return;
    LIST_EACH(node, &found->entries) {
        const struct entry *entry = CONTAINER(node, struct entry, node);
        if (entry->online) each(ctx, entry->user);
    }
}
