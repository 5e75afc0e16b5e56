/*
 *   AWAY ──due──▶ CONNECTING ──▶ ASKED ──head, ready──▶ OPEN
 *    ▲                │            │                      │
 *    └────────────────┴── refused, ended, cut ────────────┘
 */
#include "tabs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/die.h"
#include "bench/reply.h"
#include "spec/swarm/event.h"
#include "spec/swarm/wire.h"

enum {
    ROOMS_MAX = 4,
    PLACES = ROOMS_MAX + 1,
    AT_ONCE = 100,
    RETRY_MS = 1000,
    READ_BYTES = 256 * 1024,
    STEPS = 12,
    EPOCH_TOLD_MS = 30000 /* all are told of one by then, also who is at a node that was stopped */
};
enum state { AWAY, CONNECTING, ASKED, OPEN };

/* What a tab saw last, for a fault's sentence. */
struct step {
    uint64_t at_ms;
    char what[40];
};

struct tab {
    struct source source;
    struct tabs *tabs;
    enum state state;
    bool has_id; /* it gave one when it asked */
    unsigned number, user, node;
    uint64_t due_ms;
    struct reply reply;
    struct event_reader reader;
    struct place places[PLACES];
    unsigned place_count;
    struct step steps[STEPS];
    unsigned step_count;
};

struct tabs {
    struct swarm *swarm;
    struct tab *all;
    unsigned count;
    uint32_t cut_every_ms;
    uint64_t next_cut_ms;
};

static const char REASON[] = "{\"reason\":\"";
static char read_buffer[READ_BYTES];

static void note(struct tab *tab, const char *what, const char *more)
{
    struct step *step = &tab->steps[tab->step_count++ % STEPS];

    step->at_ms = tab->tabs->swarm->now_ms;
    snprintf(step->what, sizeof step->what, "%s %.30s", what, more);
}

static void tell_steps(const struct tab *tab)
{
    unsigned from = tab->step_count > STEPS ? tab->step_count - STEPS : 0;

    fprintf(stderr, "tab %u, user %u, node %u:\n", tab->number, tab->user, tab->node);
    for (unsigned i = from; i < tab->step_count; i++)
        fprintf(stderr, "  %8.3f %s\n", (double)tab->steps[i % STEPS].at_ms / 1000,
                tab->steps[i % STEPS].what);
}

/* ---- what comes ---- */

static struct place *find_place(struct tab *tab, const char *name, size_t length)
{
    for (unsigned i = 0; i < tab->place_count; i++) {
        struct place *place = &tab->places[i];

        if (strlen(place->topic->name) == length && memcmp(place->topic->name, name, length) == 0)
            return place;
    }
    return NULL;
}

static void on_trigger(struct tab *tab, const char *data)
{
    struct swarm *swarm = tab->tabs->swarm;
    const char *blank = strchr(data, ' ');
    struct place *place = blank ? find_place(tab, data, (size_t)(blank - data)) : NULL;
    struct place before = place ? *place : (struct place){0};
    enum verdict verdict =
        place ? ledger_take(&swarm->ledger, place, (uint32_t)strtoul(blank, NULL, 10))
              : LEDGER_UNKNOWN;

    note(tab, "<-", data);
    if (verdict == LEDGER_GOOD) return;
    swarm->counts.holes += verdict == LEDGER_HOLE;
    swarm->counts.doubles += verdict == LEDGER_DOUBLE;
    swarm->counts.strangers += verdict == LEDGER_UNKNOWN;
    swarm_fault(swarm, "tab %u: \"%.40s\" after %u, by %u, before the epoch %u", tab->number, data,
                before.last, before.by, before.before);
    tell_steps(tab);
}

static uint64_t *count_of(struct swarm_counts *counts, const char *reason)
{
    if (strncmp(reason, "epoch\"", 6) == 0) return &counts->resync_epoch;
    if (strncmp(reason, "history\"", 8) == 0) return &counts->resync_history;
    if (strncmp(reason, "lagged\"", 7) == 0) return &counts->resync_lagged;
    if (strncmp(reason, "upstream\"", 9) == 0) return &counts->resync_upstream;
    return &counts->resync_other;
}

/* {"reason":…,"missed":…,"topics":[…]}; without a topic it is about all. */
static void on_resync(struct tab *tab, const char *data)
{
    struct swarm *swarm = tab->tabs->swarm;
    const char *topics = strstr(data, "\"topics\":[");
    const char *reason =
        strncmp(data, REASON, sizeof REASON - 1) == 0 ? data + sizeof REASON - 1 : "";
    uint64_t *count = count_of(&swarm->counts, reason);
    bool anew = count == &swarm->counts.resync_epoch;

    note(tab, "resync", reason);
    swarm->counts.resyncs++;
    ++*count;
    if (anew &&
        (!swarm->ledger.epoch_ms || swarm->now_ms > swarm->ledger.epoch_ms + EPOCH_TOLD_MS)) {
        swarm_fault(swarm, "tab %u: told of an epoch that did not begin", tab->number);
        tell_steps(tab);
    }
    for (unsigned i = 0; i < tab->place_count; i++) {
        char quoted[40];

        snprintf(quoted, sizeof quoted, "\"%s\"", tab->places[i].topic->name);
        if (topics && topics[strlen("\"topics\":[")] != ']' && !strstr(topics, quoted)) continue;
        if (anew)
            ledger_begin_anew(&tab->places[i]);
        else
            ledger_lose(&tab->places[i]);
    }
}

/* Without an id nothing is known of what was before; with one, what is not resumed is told by a
 * resync. */
static void on_ready(struct tab *tab, const char *data)
{
    struct swarm *swarm = tab->tabs->swarm;

    note(tab, "ready", data);
    tab->state = OPEN;
    if (!tab->has_id) {
        for (unsigned i = 0; i < tab->place_count; i++) ledger_lose(&tab->places[i]);
    } else if (strstr(data, "\"resumed\":true")) {
        swarm->counts.resumed++;
    } else {
        swarm->counts.not_resumed++;
    }
}

static void on_event(void *owner, const char *type, const char *data)
{
    struct tab *tab = owner;

    if (strcmp(type, "ready") == 0)
        on_ready(tab, data);
    else if (strcmp(type, "resync") == 0)
        on_resync(tab, data);
    else if (strcmp(type, "say") == 0)
        on_trigger(tab, data);
    else
        swarm_fault(tab->tabs->swarm, "tab %u: an event \"%s\", which nobody sent", tab->number,
                    type);
}

/* ---- its connection ---- */

static uint32_t retry_of(const struct tab *tab)
{
    return tab->reader.retry_ms ? tab->reader.retry_ms : RETRY_MS;
}

static void leave(struct tab *tab, uint32_t back_in_ms)
{
    if (tab->state != AWAY) loop_close(&tab->tabs->swarm->loop, &tab->source);
    tab->state = AWAY;
    tab->due_ms = tab->tabs->swarm->now_ms + back_in_ms;
}

static void ask(struct tab *tab)
{
    const struct swarm *swarm = tab->tabs->swarm;
    char request[1024];
    int length = snprintf(request, sizeof request, "GET %s?user=u%u&tag=tab-of-the-swarm-%06u",
                          swarm->path, tab->user, tab->number);

    if (swarm->linked) /* its page has been read up to there */
        length += snprintf(request + length, sizeof request - (size_t)length, "&row=%u",
                           swarm->users[tab->user].acked);
    for (unsigned i = 0; i < tab->place_count; i++)
        if (tab->places[i].topic->name[0] == 'r')
            length += snprintf(request + length, sizeof request - (size_t)length, "&topic=%s",
                               tab->places[i].topic->name);
    length += snprintf(
        request + length, sizeof request - (size_t)length,
        " HTTP/1.1\r\nHost: swarm\r\nAccept: text/event-stream\r\nCache-Control: no-store\r\n");
    if (tab->reader.last_id[0])
        length += snprintf(request + length, sizeof request - (size_t)length,
                           "Last-Event-ID: %s\r\n", tab->reader.last_id);
    length += snprintf(request + length, sizeof request - (size_t)length, "\r\n");
    tab->has_id = tab->reader.last_id[0] != '\0';
    tab->state = ASKED;
    if (!wire_send(tab->source.fd, request, (size_t)length)) leave(tab, retry_of(tab));
}

/* Answers false where the stream is over. */
static bool read_piece(struct tab *tab, const char *at, const char *end)
{
    struct swarm *swarm = tab->tabs->swarm;
    const char *body;
    size_t length;
    enum reply_step step;

    while ((step = reply_step(&tab->reply, &at, end, &body, &length)) != REPLY_MORE) {
        if (step == REPLY_BODY && tab->reply.status == 200)
            event_feed(&tab->reader, body, length, on_event, tab);
        if (step == REPLY_END) return false;
        if (step != REPLY_HEAD || tab->reply.status == 200) continue;
        swarm->counts.statuses++;
        swarm_fault(swarm, "tab %u: answered %u, and an EventSource gives up", tab->number,
                    tab->reply.status);
    }
    return true;
}

static void read_all(struct tab *tab)
{
    for (;;) {
        ssize_t got = recv(tab->source.fd, read_buffer, sizeof read_buffer, MSG_DONTWAIT);

        if (got < 0 && errno == EAGAIN) return;
        if (got > 0 && read_piece(tab, read_buffer, read_buffer + got)) continue;
        note(tab, "ended", got < 0 ? strerror(errno) : "");
        tab->tabs->swarm->counts.ends++;
        leave(tab, retry_of(tab));
        return;
    }
}

static void on_ready_socket(struct source *source, uint32_t events)
{
    struct tab *tab = (struct tab *)source;

    if (tab->state == CONNECTING && (events & (EPOLLERR | EPOLLHUP) || !wire_stands(source->fd))) {
        tab->tabs->swarm->counts.refused++;
        leave(tab, retry_of(tab));
    } else if (tab->state == CONNECTING && events & EPOLLOUT) {
        ask(tab);
    } else if (tab->state != CONNECTING && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        read_all(tab);
    }
}

static void begin(struct tab *tab)
{
    struct swarm *swarm = tab->tabs->swarm;
    unsigned others = swarm->node_count > 1 ? swarm->node_count - 1 : 1;
    int fd;

    tab->node = (tab->node + 1 + swarm_random(swarm, others)) % swarm->node_count;
    fd = wire_connect(&swarm->nodes[tab->node]);
    swarm->counts.connects++;
    if (fd < 0) {
        swarm->counts.refused++;
        leave(tab, retry_of(tab));
        return;
    }
    note(tab, "connects", tab->reader.last_id);
    tab->state = CONNECTING;
    tab->reply = (struct reply){0};
    event_reset(&tab->reader);
    tab->source.ready = on_ready_socket;
    loop_add(&swarm->loop, &tab->source, fd, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* ---- all of them ---- */

static void add_room(struct tab *tab)
{
    struct swarm *swarm = tab->tabs->swarm;
    struct topic *topic = &swarm->rooms[swarm_random(swarm, swarm->room_count)];

    if (!find_place(tab, topic->name, strlen(topic->name)))
        tab->places[tab->place_count++].topic = topic;
}

struct tabs *tabs_new(struct swarm *swarm, unsigned count)
{
    struct tabs *tabs = zalloc(1, sizeof *tabs);

    *tabs = (struct tabs){.swarm = swarm,
                          .count = count,
                          .next_cut_ms = UINT64_MAX,
                          .all = zalloc(count, sizeof *tabs->all)};
    for (unsigned i = 0; i < count; i++) {
        struct tab *tab = &tabs->all[i];

        tab->tabs = tabs;
        tab->number = i;
        tab->user = i % swarm->user_count;
        tab->node = swarm_random(swarm, SWARM_NODES);
        tab->due_ms = UINT64_MAX;
        if (swarm->linked) tab->places[tab->place_count++].topic = &swarm->users[tab->user];
        for (unsigned left = swarm->room_count ? 1 + swarm_random(swarm, ROOMS_MAX) : 0; left > 0;
             left--)
            add_room(tab);
    }
    return tabs;
}

void tabs_let(struct tabs *tabs, unsigned count)
{
    struct swarm *swarm = tabs->swarm;

    for (unsigned i = 0; i < tabs->count; i++) {
        struct tab *tab = &tabs->all[i];

        if (i < count && tab->state == AWAY && tab->due_ms == UINT64_MAX)
            tab->due_ms = swarm->now_ms;
        if (i < count) continue;
        leave(tab, 0);
        tab->due_ms = UINT64_MAX;
    }
}

void tabs_set_cuts(struct tabs *tabs, uint32_t mean_ms)
{
    tabs->cut_every_ms = mean_ms;
    tabs->next_cut_ms = swarm_next(tabs->swarm, mean_ms);
}

static void cut_some(struct tabs *tabs)
{
    struct swarm *swarm = tabs->swarm;

    while (tabs->next_cut_ms <= swarm->now_ms) {
        struct tab *tab = &tabs->all[swarm_random(swarm, tabs->count)];

        tabs->next_cut_ms += 1 + swarm_random(swarm, 2 * tabs->cut_every_ms);
        if (tab->state != OPEN) continue;
        if (swarm_random(swarm, 2)) wire_harden(tab->source.fd);
        note(tab, "cut", "");
        swarm->counts.cuts++;
        leave(tab, swarm_random(swarm, 1000));
    }
}

void tabs_tick(struct tabs *tabs)
{
    unsigned begun = 0;

    cut_some(tabs);
    for (unsigned i = 0; i < tabs->count && begun < AT_ONCE; i++) {
        struct tab *tab = &tabs->all[i];

        if (tab->state != AWAY || tab->due_ms > tabs->swarm->now_ms) continue;
        begin(tab);
        begun++;
    }
}

unsigned tabs_open(const struct tabs *tabs)
{
    unsigned open = 0;

    for (unsigned i = 0; i < tabs->count; i++) open += tabs->all[i].state == OPEN;
    return open;
}

unsigned tabs_missing(const struct tabs *tabs, char *first, unsigned size)
{
    unsigned missing = 0;

    for (unsigned i = 0; i < tabs->count; i++)
        for (unsigned j = 0; j < tabs->all[i].place_count; j++) {
            const struct place *place = &tabs->all[i].places[j];

            if (tabs->all[i].due_ms == UINT64_MAX || !ledger_misses(place)) continue;
            if (missing++ == 0)
                snprintf(first, size, "tab %u on node %u has %s up to %u of %u, by %u", i,
                         tabs->all[i].node, place->topic->name, place->last, place->topic->acked,
                         place->by);
        }
    return missing;
}

void tabs_users(const struct tabs *tabs, bool *there)
{
    for (unsigned i = 0; i < tabs->count; i++)
        if (tabs->all[i].state == OPEN) there[tabs->all[i].user] = true;
}
