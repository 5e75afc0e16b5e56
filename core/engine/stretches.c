/* What is to be written is kept by user and topic, in its newest state only: what changes again while it waits, or is
 * on its way, is written once more. */
#include "engine/stretches.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/atom.h"
#include "base/dict.h"
#include "base/netstring.h"
#include "base/text.h"
#include "cluster/scripts.h"
#include "engine/joint.h"
#include "engine/ports.h"
#include "hub/hub.h"
#include "hub/carried.h"
#include "hub/order.h"
#include "hub/told.h"

enum { BATCH = 100, RETRY_MS = 1000, NUMBER_SIZE = 24, WORDS = 4 };

/* One that has no end yet, or is not written as it is. */
struct entry {
    struct atom *user, *topic; /* references; user may be NULL */
    uint8_t server;
    uint64_t from, to;
    bool changed; /* since it was last sent */
    bool sent;    /* it is on its way */
};

/* A server's. */
struct writing {
    struct stretches *stretches;
    struct cluster_call *call; /* NULL: none is under way */
};

struct stretches {
    struct stretch_watcher port;
    struct joint_member member;
    const struct engine_ports *ports;
    struct hub *const *hub;
    struct atom *app; /* a reference */
    struct dict entries;
    struct writing writing[CLUSTER_SERVERS];
    struct job job;
    struct timer retry;
};

/* ---- what is written ---- */

static void key_of(const struct atom *user, const struct atom *topic, struct buf *key)
{
    netstring_add(key, atom_bytes(user));
    netstring_add(key, atom_bytes(topic));
}

static void forget(struct stretches *stretches, struct entry *entry)
{
    struct buf key = BUF_EMPTY;
    key_of(entry->user, entry->topic, &key);
    dict_remove(&stretches->entries, buf_bytes(&key));
    buf_destroy(&key);
    atom_unref(entry->user);
    atom_unref(entry->topic);
    xfree(entry);
}

static struct entry *entry_of(struct stretches *stretches, struct atom *user, struct atom *topic,
                              uint8_t server)
{
    struct buf key = BUF_EMPTY;
    key_of(user, topic, &key);
    struct entry *entry = dict_get(&stretches->entries, buf_bytes(&key));
    if (!entry) {
        entry = xcalloc(1, sizeof(*entry));
        *entry = (struct entry){.user = atom_ref(user), .topic = atom_ref(topic), .server = server};
        dict_set(&stretches->entries, buf_bytes(&key), entry);
    }
    buf_destroy(&key);
    return entry;
}

static void on_changed(struct stretch_watcher *watcher, struct atom *user, struct atom *topic, uint8_t server,
                       uint64_t from, uint64_t to)
{
    struct stretches *stretches = CONTAINER(watcher, struct stretches, port);
    struct entry *entry = entry_of(stretches, user, topic, server);
    entry->from = from;
    entry->to = to;
    entry->changed = true;
    later_post(stretches->ports->later, LATER_SOON, &stretches->job);
}

/* ---- writing ---- */

/* "-" is nobody; a user's begins with "u". */
static void add_user_key(struct buf *out, const struct atom *user)
{
    buf_add_text(out, user ? "u" : "-");
    buf_add_bytes(out, atom_bytes(user));
}

static struct bytes number(char *out, uint64_t value)
{
    return bytes_run(out, (size_t)snprintf(out, NUMBER_SIZE, "%" PRIu64, value));
}

/* Its words, but for the user's key, which needs room of its own. */
static void write_entry(const struct entry *entry, struct bytes *words, char numbers[2][NUMBER_SIZE])
{
    words[1] = atom_bytes(entry->topic);
    words[2] = entry->to == STRETCH_GONE ? BYTES("") : number(numbers[0], entry->from);
    words[3] = entry->to == STRETCH_OPEN ? BYTES("-") : number(numbers[1], entry->to);
}

static void write(struct stretches *stretches, uint32_t server);

/* What was sent is as it was sent, or is to be sent again. */
static void settle(struct stretches *stretches, uint32_t server, bool written)
{
    struct dict_entry *at = NULL;
    while ((at = dict_next(&stretches->entries, at))) {
        struct entry *entry = at->value;
        if (entry->server != server || !entry->sent) continue;
        entry->sent = false;
        if (!written)
            entry->changed = true;
        else if (!entry->changed && entry->to != STRETCH_OPEN)
            forget(stretches, entry);
    }
}

static void on_written(void *owner, const struct redis_answer *answer)
{
    struct writing *writing = owner;
    struct stretches *stretches = writing->stretches;
    const uint32_t server = (uint32_t)(writing - stretches->writing);
    writing->call = NULL;
    settle(stretches, server, answer->code == NULL);
    if (answer->code)
        clock_after(stretches->ports->clock, &stretches->retry, RETRY_MS);
    else
        write(stretches, server);
}

static size_t gather(struct stretches *stretches, uint32_t server, const struct entry *out[BATCH])
{
    size_t count = 0;
    struct dict_entry *at = NULL;
    while (count < BATCH && (at = dict_next(&stretches->entries, at))) {
        struct entry *entry = at->value;
        if (entry->server != server || !entry->changed) continue;
        entry->changed = false;
        entry->sent = true;
        out[count++] = entry;
    }
    return count;
}

static void write(struct stretches *stretches, uint32_t server)
{
    struct cluster *cluster = stretches->ports->joint->cluster;
    struct writing *writing = &stretches->writing[server];
    const struct entry *entries[BATCH];
    struct bytes words[2 + BATCH * WORDS];
    char numbers[BATCH][2][NUMBER_SIZE];
    struct buf keys[BATCH];
    if (writing->call || !cluster_here(cluster, server)) return;
    const size_t count = gather(stretches, server, entries);
    if (!count) return;
    words[0] = cluster_node(cluster);
    words[1] = atom_bytes(stretches->app);
    for (size_t i = 0; i < count; i++) {
        keys[i] = BUF_EMPTY;
        add_user_key(&keys[i], entries[i]->user);
        words[2 + i * WORDS] = buf_bytes(&keys[i]);
        write_entry(entries[i], &words[2 + i * WORDS], numbers[i]);
    }
    writing->call = cluster_run(cluster, server, &cluster_scripts[SCRIPT_STRETCH], words, 2 + count * WORDS,
                                on_written, writing);
    for (size_t i = 0; i < count; i++) buf_destroy(&keys[i]);
}

static void write_all(struct stretches *stretches)
{
    for (uint32_t i = 0; i < cluster_servers(stretches->ports->joint->cluster); i++) write(stretches, i);
}

static void on_turn_s_end(struct job *job)
{
    write_all(CONTAINER(job, struct stretches, job));
}

static void on_retry(struct timer *timer)
{
    write_all(CONTAINER(timer, struct stretches, retry));
}

/* It may have forgotten what was written. */
static void on_here(struct joint_member *member, uint32_t server)
{
    struct stretches *stretches = CONTAINER(member, struct stretches, member);
    struct dict_entry *at = NULL;
    while ((at = dict_next(&stretches->entries, at))) {
        struct entry *entry = at->value;
        if (entry->server == server) entry->changed = true;
    }
    write(stretches, server);
}

/* ---- asking ---- */

static void take_in(struct stretches_question *question, uint32_t server, const struct redis_value *list)
{
    const uint64_t place = question->_cursor.at[server];
    for (size_t i = 0; i + 2 < list->count; i += 3) {
        const long long from = text_number(list->items[i + 1].text, INT64_MAX);
        const struct bytes end = list->items[i + 2].text;
        const long long to = bytes_is(end, "-") ? INT64_MAX : text_number(end, INT64_MAX);
        if (from < 0 || (uint64_t)from > place || (to >= 0 && (uint64_t)to < place)) continue;
        question->_concerned =
            xrealloc(question->_concerned, (question->_count + 1) * sizeof(*question->_concerned));
        question->_concerned[question->_count++] = atom_get(list->items[i].text);
    }
}

static void on_answer(void *owner, const struct redis_answer *answer)
{
    struct stretches_asked *asked = owner;
    struct stretches_question *question = asked->question;
    const uint32_t server = (uint32_t)(asked - question->_asked);
    asked->call = NULL;
    if (answer->value && answer->value->kind == REDIS_LIST)
        take_in(question, server, answer->value);
    else
        question->_failed |= 1u << server;
    if (--question->_open == 0) question->_done(question->_owner);
}

/* The filtered topics of one server. */
static void ask_server(struct stretches_question *question, uint32_t server, struct bytes user,
                       struct topic *const *topics, size_t count)
{
    struct stretches *stretches = question->_stretches;
    struct bytes *words = xmalloc((2 + count) * sizeof(*words));
    size_t used = 2;
    words[0] = atom_bytes(stretches->app);
    words[1] = user;
    for (size_t i = 0; i < count; i++)
        if (topic_server(topics[i]) == server) words[used++] = atom_bytes(topic_name(topics[i]));
    if (used > 2) {
        struct stretches_asked *asked = &question->_asked[server];
        asked->question = question;
        asked->call = cluster_run(stretches->ports->joint->cluster, server, &cluster_scripts[SCRIPT_STRETCHES],
                                  words, used, on_answer, asked);
        question->_open++;
    }
    xfree(words);
}

static size_t find_filtered(struct stretches *stretches, const struct bytes *names, size_t count,
                            struct topic **topics)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        struct topic *topic = hub_topic_find(*stretches->hub, names[i]);
        if (topic && topic_options(topic)->filtered) topics[found++] = topic;
    }
    return found;
}

bool stretches_ask(struct stretches *stretches, struct stretches_question *question, struct atom *user,
                   const struct bytes *names, size_t count, struct bytes cursor, stretches_done_f *done,
                   void *owner)
{
    *question = (struct stretches_question){._stretches = stretches, ._done = done, ._owner = owner};
    if (!order_read(stretches->ports->order, cursor, &question->_cursor, NULL)) return true;
    struct topic **topics = xmalloc((count ? count : 1) * sizeof(*topics));
    struct buf key = BUF_EMPTY;
    const size_t found = find_filtered(stretches, names, count, topics);
    add_user_key(&key, user);
    for (uint32_t i = 0; i < cluster_servers(stretches->ports->joint->cluster); i++)
        ask_server(question, i, buf_bytes(&key), topics, found);
    buf_destroy(&key);
    xfree(topics);
    return question->_open == 0;
}

void stretches_end(struct stretches_question *question)
{
    for (size_t i = 0; i < CLUSTER_SERVERS; i++)
        if (question->_asked[i].call) cluster_cancel(question->_asked[i].call);
    for (size_t i = 0; i < question->_count; i++) atom_unref(question->_concerned[i]);
    xfree(question->_concerned);
    *question = (struct stretches_question){._open = 0};
}

bool stretches_concern(const struct stretches_question *question, const struct topic *topic)
{
    if (question->_failed & 1u << topic_server(topic)) return true;
    for (size_t i = 0; i < question->_count; i++)
        if (question->_concerned[i] == topic_name(topic)) return true;
    return false;
}

/* ---- life ---- */

struct stretches *stretches_new(const struct engine_ports *ports, struct hub *const *hub, struct atom *app)
{
    struct stretches *stretches = xcalloc(1, sizeof(*stretches));
    stretches->port.changed = on_changed;
    stretches->ports = ports;
    stretches->hub = hub;
    stretches->app = atom_ref(app);
    for (size_t i = 0; i < CLUSTER_SERVERS; i++) stretches->writing[i].stretches = stretches;
    job_create(&stretches->job, on_turn_s_end);
    timer_init(&stretches->retry, on_retry);
    stretches->member.here = on_here;
    joint_add(ports->joint, &stretches->member);
    return stretches;
}

void stretches_free(struct stretches *stretches)
{
    struct dict_entry *at = NULL;
    joint_remove(&stretches->member);
    later_cancel(&stretches->job);
    clock_cancel(stretches->ports->clock, &stretches->retry);
    for (size_t i = 0; i < CLUSTER_SERVERS; i++)
        if (stretches->writing[i].call) cluster_cancel(stretches->writing[i].call);
    while ((at = dict_next(&stretches->entries, at))) forget(stretches, at->value);
    dict_destroy(&stretches->entries);
    atom_unref(stretches->app);
    xfree(stretches);
}

struct stretch_watcher *stretches_watcher(struct stretches *stretches)
{
    return &stretches->port;
}
