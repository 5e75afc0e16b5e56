/* What comes by the channel is taken only where it is the next one; whatever else it is, the log is asked, so there
 * is one way in which things are found again: "give me what is behind this number". */
#include "cluster/announcements.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "cluster/scripts.h"

enum { SERVER = 0, BATCH = 100, NUMBER_SIZE = 24, SAY_AGAIN_MS = 60000 };

/* What the log is told once a minute, however often it is so. */
enum said { SAID_WAITS, SAID_DROPPED, SAID };

struct waiting {
    struct list node;
    size_t size;
    char bytes[]; /* "NODE NAME payload" */
};

struct announcements {
    struct cluster *cluster;
    struct clock *clock;
    struct log *log;
    uint64_t said_ms[SAID]; /* not before this again */
    struct cluster_watcher watcher;
    struct cluster_channel channel;
    struct list hearers;
    struct list waiting; /* struct waiting, the oldest first; `count` of them, the first `sent` on their way */
    size_t count, sent;
    struct cluster_call *sending, *asking; /* NULL: none is under way */
    bool subscribed, behind; /* there is something to ask for */
    bool begun;              /* `last` is known */
    uint64_t last;           /* the number of the newest that was heard */
};

/* ---- hearing ---- */

static bool take_word(struct bytes *text, struct bytes *word)
{
    const char *space = text->size ? memchr(text->data, ' ', text->size) : NULL;
    if (!space) return false;
    *word = bytes_run(text->data, (size_t)(space - text->data));
    *text = bytes_run(space + 1, text->size - word->size - 1);
    return true;
}

/* "NODE NAME payload" */
static void hear(struct announcements *announcements, struct bytes said, uint64_t age_ms, bool early)
{
    struct bytes node, name;
    if (!take_word(&said, &node) || !take_word(&said, &name)) return;
    if (bytes_equal(node, cluster_node(announcements->cluster))) return;
    LIST_EACH(at, &announcements->hearers) {
        struct announced *announced = CONTAINER(at, struct announced, _node);
        if (bytes_equal(announced->name, name)) announced->heard(announced, said, age_ms, early);
    }
}

static void tell_lost(struct announcements *announcements)
{
    LIST_EACH(at, &announcements->hearers) {
        struct announced *announced = CONTAINER(at, struct announced, _node);
        announced->lost(announced);
    }
}

/* ---- what was missed ---- */

static uint64_t number_in(const struct redis_value *value)
{
    const long long number = text_number(value->text, INT64_MAX);
    return number < 0 ? 0 : (uint64_t)number;
}

/* { newest, "lost" or "", now, number, said, … } */
static void take_in(struct announcements *announcements, const struct redis_value *list)
{
    const bool early = !announcements->begun;
    const uint64_t now_us = number_in(&list->items[2]);
    announcements->begun = true;
    if (!early && list->items[1].text.size) tell_lost(announcements);
    for (size_t i = 3; i + 1 < list->count; i += 2) {
        const uint64_t number = number_in(&list->items[i]);
        if (number <= announcements->last) continue;
        announcements->last = number;
        hear(announcements, list->items[i + 1].text, now_us > number ? (now_us - number) / 1000 : 0, early);
    }
    const uint64_t newest = number_in(&list->items[0]);
    if (newest > announcements->last) announcements->last = newest;
}

static void ask(struct announcements *announcements);

static void on_asked(void *owner, const struct redis_answer *answer)
{
    struct announcements *announcements = owner;
    const struct redis_value *value = answer->value;
    announcements->asking = NULL;
    if (!value || value->kind != REDIS_LIST || value->count < 3) {
        announcements->behind = true; /* a beat, or what is subscribed anew, asks again */
        return;
    }
    take_in(announcements, value);
    ask(announcements);
}

static void ask(struct announcements *announcements)
{
    char number[NUMBER_SIZE] = "";
    if (!announcements->subscribed || !announcements->behind || announcements->asking) return;
    announcements->behind = false;
    if (announcements->begun) snprintf(number, sizeof(number), "%" PRIu64, announcements->last);
    const struct bytes from = bytes_of(number);
    announcements->asking = cluster_run(announcements->cluster, SERVER, &cluster_scripts[SCRIPT_ANNOUNCED],
                                        &from, 1, on_asked, announcements);
}

static void on_subscribed(struct cluster_channel *channel)
{
    struct announcements *announcements = CONTAINER(channel, struct announcements, channel);
    announcements->subscribed = announcements->behind = true;
    ask(announcements);
}

/* "EPOCH NUMBER BEFORE NODE NAME payload" */
static void on_message(struct cluster_channel *channel, struct bytes said)
{
    struct announcements *announcements = CONTAINER(channel, struct announcements, channel);
    struct bytes epoch;
    uint64_t number, before;
    if (!take_word(&said, &epoch) || !text_take_number(&said, ' ', &number) ||
        !text_take_number(&said, ' ', &before))
        return;
    if (!bytes_equal(epoch, cluster_epoch(announcements->cluster, SERVER))) return;
    const bool next = announcements->begun && !announcements->asking && before == announcements->last;
    if (next) {
        announcements->last = number;
        hear(announcements, said, 0, false);
    } else if (!announcements->begun || number > announcements->last) {
        announcements->behind = true;
        ask(announcements);
    }
}

/* ---- announcing ---- */

static void drop_oldest(struct announcements *announcements)
{
    struct waiting *waiting = CONTAINER(announcements->waiting.next, struct waiting, node);
    list_remove(&waiting->node);
    announcements->count--;
    xfree(waiting);
}

static bool says(struct announcements *announcements, enum said what)
{
    const uint64_t now_ms = announcements->clock->now_ms;
    if (now_ms < announcements->said_ms[what]) return false;
    announcements->said_ms[what] = now_ms + SAY_AGAIN_MS;
    return true;
}

static void send(struct announcements *announcements);

static void on_sent(void *owner, const struct redis_answer *answer)
{
    struct announcements *announcements = owner;
    announcements->sending = NULL;
    if (answer->code) {
        if (says(announcements, SAID_WAITS))
            LOG(announcements->log, LOG_WARN, "an announcement to the other nodes waits",
                F_TEXT("why", answer->sentence ? answer->sentence : answer->code));
        announcements->sent = 0;
        return;
    }
    for (; announcements->sent; announcements->sent--) drop_oldest(announcements);
    send(announcements);
}

static void send(struct announcements *announcements)
{
    struct bytes words[BATCH];
    if (announcements->sending || !announcements->count) return;
    if (!cluster_here(announcements->cluster, SERVER)) return;
    CHECK(!announcements->sent);
    LIST_EACH(at, &announcements->waiting) {
        const struct waiting *waiting = CONTAINER(at, struct waiting, node);
        if (announcements->sent == BATCH) break;
        words[announcements->sent++] = bytes_run(waiting->bytes, waiting->size);
    }
    announcements->sending = cluster_run(announcements->cluster, SERVER, &cluster_scripts[SCRIPT_ANNOUNCE],
                                         words, announcements->sent, on_sent, announcements);
}

static void make_room(struct announcements *announcements)
{
    if (announcements->count < ANNOUNCEMENTS_WAITING) return;
    if (says(announcements, SAID_DROPPED))
        LOG(announcements->log, LOG_ERROR, "too much waits to be announced to the other nodes: the oldest is dropped",
            F_NUMBER("waiting", announcements->count));
    drop_oldest(announcements);
    if (announcements->sent) announcements->sent--;
}

void announce(struct announcements *announcements, struct bytes name, struct bytes payload)
{
    struct buf text = BUF_EMPTY;
    buf_add_bytes(&text, cluster_node(announcements->cluster));
    buf_add_char(&text, ' ');
    buf_add_bytes(&text, name);
    buf_add_char(&text, ' ');
    buf_add_bytes(&text, payload);
    make_room(announcements);
    struct waiting *waiting = xmalloc(sizeof(*waiting) + text.size);
    waiting->size = text.size;
    memcpy(waiting->bytes, text.data, text.size);
    list_create(&waiting->node);
    list_append(&announcements->waiting, &waiting->node);
    announcements->count++;
    buf_destroy(&text);
    send(announcements);
}

/* ---- what becomes of the server ---- */

/* Another epoch has no log of what was announced in the one before. */
static void on_entered(struct cluster_watcher *watcher, uint32_t server, bool fresh)
{
    struct announcements *announcements = CONTAINER(watcher, struct announcements, watcher);
    if (server != SERVER) return;
    if (fresh && announcements->begun) {
        announcements->last = 0;
        tell_lost(announcements);
    }
    send(announcements);
}

static void on_away(struct cluster_watcher *watcher, uint32_t server)
{
    struct announcements *announcements = CONTAINER(watcher, struct announcements, watcher);
    if (server == SERVER) announcements->subscribed = false;
}

static void on_beat(struct cluster_watcher *watcher, uint32_t server, uint64_t place)
{
    struct announcements *announcements = CONTAINER(watcher, struct announcements, watcher);
    (void)place;
    if (server != SERVER) return;
    ask(announcements);
    send(announcements);
}

/* ---- life ---- */

struct announcements *announcements_new(struct cluster *cluster, const struct cluster_ports *ports)
{
    struct announcements *announcements = xcalloc(1, sizeof(*announcements));
    announcements->cluster = cluster;
    announcements->clock = ports->clock;
    announcements->log = ports->log;
    list_create(&announcements->hearers);
    list_create(&announcements->waiting);
    announcements->watcher = (struct cluster_watcher){.entered = on_entered, .away = on_away, .beat = on_beat};
    list_create(&announcements->watcher._node);
    cluster_watch(cluster, &announcements->watcher);
    announcements->channel = (struct cluster_channel){.subscribed = on_subscribed, .message = on_message};
    cluster_listen(cluster, SERVER, BYTES("all"), &announcements->channel);
    return announcements;
}

void announcements_free(struct announcements *announcements)
{
    CHECK(list_empty(&announcements->hearers));
    if (announcements->sending) cluster_cancel(announcements->sending);
    if (announcements->asking) cluster_cancel(announcements->asking);
    cluster_unlisten(announcements->cluster, &announcements->channel);
    cluster_unwatch(&announcements->watcher);
    while (announcements->count) drop_oldest(announcements);
    xfree(announcements);
}

void announcements_hear(struct announcements *announcements, struct announced *announced)
{
    list_create(&announced->_node);
    list_append(&announcements->hearers, &announced->_node);
}

void announcements_hear_no_more(struct announced *announced)
{
    list_remove(&announced->_node);
}
