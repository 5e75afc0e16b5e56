/* hub_world: a hub with everything around it: virtual time, the end of the turn,
 * clients in memory that take as many bytes as they are told to and read what
 * they get with the parser, and an access service that answers as it is told to. */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"
#include "event/parser.h"
#include "hub/hub.h"
#include "hub/subscriber.h"
#include "cursors.h"
#include "unit.h"

enum { WORLD_TABS = 64 };

struct asking {
    struct list node;
    verdict_done_f *done;
    void *owner;
    struct frame *frame;
    struct subscriber *subscriber;
};

struct exposure {
    struct list node;
    snapshot_done_f *done;
    void *owner;
    struct subscriber *subscriber;
    struct atom *topic;
};

/* A client: the browser's tab with its sink. */
struct tab {
    struct sink sink;
    struct world *world;
    struct subscriber *subscriber; /* NULL once it ended */
    struct sse_parser parser;
    struct buf story; /* a line for each event: type, space, data */
    size_t room;      /* bytes that the sink takes before it is full */
    bool full;        /* it took less than offered, and has not called yet */
    bool open;
    int writes, ended, pieces; /* pieces of the last write */
    enum end_reason reason;
    uint64_t retry_ms;
    const char *why; /* it was closed with */
};

struct world {
    struct clock clock;
    struct later later;
    struct random random;
    struct log log;
    struct order order;
    struct verdicts verdicts;
    struct snapshots snapshots;
    struct hub_ports ports;
    struct hub *hub;
    uint64_t chance;
    enum verdict verdict; /* what is answered at once */
    struct list askings;  /* what is not answered yet */
    int asked, cancelled;
    struct list exposures; /* snapshots that are not made yet */
    void (*on_ask)(struct world *world, struct subscriber *subscriber, struct frame *frame);
    struct tab tabs[WORLD_TABS];
    int count;
};

static const struct topic_options PLAIN = {.history_size = 64, .history_ttl_ms = 300000};
static const struct topic_options FILTERED = {
    .history_size = 64, .history_ttl_ms = 300000, .filtered = true};
static const struct topic_options RETAINING = {
    .history_size = 64, .history_ttl_ms = 300000, .retain = true};
static const struct topic_options RETAINING_FILTERED = {
    .history_size = 64, .history_ttl_ms = 300000, .filtered = true, .retain = true};
static const struct topic_options SNAPSHOTS = {
    .history_size = 64, .history_ttl_ms = 300000, .snapshot = true};
static const struct topic_options SHORT = {.history_size = 3, .history_ttl_ms = 10000};
static const struct subscriber_options DEFAULTS = {.queue_frames = 256,
                                                   .queue_bytes = 1 << 20,
                                                   .stall_ms = 30000,
                                                   .heartbeat_ms = 20000,
                                                   .retry_ms = 3000,
                                                   .verdict_ms = 2000,
                                                   .replay_max = 300};

/* ---- the sink ---- */

static inline size_t tab_write(struct sink *sink, const struct iovec *pieces, int count)
{
    struct tab *tab = CONTAINER(sink, struct tab, sink);
    size_t taken = 0;
    assert_true(tab->open && !tab->full && count > 0 && count <= 256);
    tab->writes++;
    tab->pieces = count;
    for (int i = 0; i < count; i++) {
        assert_true(pieces[i].iov_len > 0);
        size_t size = pieces[i].iov_len < tab->room ? pieces[i].iov_len : tab->room;
        sse_parser_feed(&tab->parser, bytes_run(pieces[i].iov_base, size));
        tab->room -= tab->room == SIZE_MAX ? 0 : size;
        taken += size;
        if (size < pieces[i].iov_len) tab->full = true;
    }
    return taken;
}

static inline void tab_closed(struct sink *sink, const char *why)
{
    struct tab *tab = CONTAINER(sink, struct tab, sink);
    assert_true(tab->open);
    tab->open = false;
    tab->why = why;
}

static const struct sink_ops TAB_OPS = {.write = tab_write, .close = tab_closed};

static inline void tab_event(void *owner, const struct sse_event *event)
{
    struct tab *tab = owner;
    buf_add_bytes(&tab->story, event->type);
    buf_add_char(&tab->story, ' ');
    buf_add_bytes(&tab->story, event->data);
    buf_add_char(&tab->story, '\n');
}

static inline void tab_retry(void *owner, uint64_t retry_ms)
{
    ((struct tab *)owner)->retry_ms = retry_ms;
}

static const struct sse_parser_events TAB_EVENTS = {.event = tab_event, .retry = tab_retry};

static inline void tab_ended(void *owner, enum end_reason reason)
{
    struct tab *tab = owner;
    tab->ended++;
    tab->reason = reason;
    tab->subscriber = NULL;
}

static const struct subscriber_events SUBSCRIBER_EVENTS = {.ended = tab_ended};

/* ---- the access service ---- */

static inline enum verdict world_ask(struct verdicts *verdicts, const struct topic_options *topic,
                                     struct subscriber *subscriber, struct frame *frame,
                                     verdict_done_f *done, void *owner, struct asking **asking)
{
    struct world *world = CONTAINER(verdicts, struct world, verdicts);
    (void)topic;
    world->asked++;
    if (world->on_ask) world->on_ask(world, subscriber, frame);
    if (world->verdict != VERDICT_PENDING) return world->verdict;
    struct asking *made = xmalloc(sizeof(*made));
    *made = (struct asking){.done = done, .owner = owner, .frame = frame, .subscriber = subscriber};
    list_create(&made->node);
    list_append(&world->askings, &made->node);
    *asking = made;
    return VERDICT_PENDING;
}

static inline void world_cancel(struct verdicts *verdicts, struct asking *asking, bool late)
{
    (void)late;
    CONTAINER(verdicts, struct world, verdicts)->cancelled++;
    list_remove(&asking->node);
    xfree(asking);
}

/* Answers the open question about the trigger with this data, or with NULL the oldest one. */
static inline void world_answer(struct world *world, const char *data, enum verdict verdict)
{
    LIST_EACH(node, &world->askings)
    {
        struct asking *asking = CONTAINER(node, struct asking, node);
        if (data && !bytes_is(frame_data(asking->frame), data)) continue;
        struct asking copy = *asking;
        list_remove(node);
        xfree(asking);
        copy.done(copy.owner, verdict);
        return;
    }
    fail_msg("no such question: %s", data ? data : "any");
}

/* ---- who makes snapshots ---- */

static inline struct exposure *world_expose(struct snapshots *snapshots,
                                            struct subscriber *subscriber, struct atom *topic,
                                            snapshot_done_f *done, void *owner)
{
    struct exposure *exposure = xmalloc(sizeof(*exposure));
    *exposure = (struct exposure){
        .done = done, .owner = owner, .subscriber = subscriber, .topic = topic};
    list_create(&exposure->node);
    list_append(&CONTAINER(snapshots, struct world, snapshots)->exposures, &exposure->node);
    return exposure;
}

static inline void world_cover(struct snapshots *snapshots, struct exposure *exposure, bool late)
{
    (void)snapshots, (void)late;
    list_remove(&exposure->node);
    xfree(exposure);
}

/* Ends one with a state of one event, or of none (data NULL), or without knowing it. */
static inline void world_snapshot(struct exposure *exposure, bool known, const char *data)
{
    const struct exposure copy = *exposure;
    const struct snapshot_event event = {BYTES("snap"), bytes_of(data ? data : "")};
    list_remove(&exposure->node);
    xfree(exposure);
    copy.done(copy.owner, &(struct snapshot){
                              .known = known, .count = known && data != NULL, .events = &event});
}

/* ---- time ---- */

static inline uint64_t world_random(struct random *random)
{
    return draw(&CONTAINER(random, struct world, random)->chance);
}

static inline void world_log(struct log *log, enum log_level level, const char *message,
                             const struct log_field *fields, size_t count)
{
    (void)log, (void)level, (void)message, (void)fields, (void)count;
}

static inline void settle(struct world *world)
{
    while (later_round(&world->later)) continue;
}

/* The time passes; what a timer brings, its turn ends. */
static inline void advance(struct world *world, uint64_t ms)
{
    uint64_t until = world->clock.now_ms + ms;
    settle(world);
    while (world->clock.now_ms < until) {
        uint64_t next = wheel_next(&world->clock.wheel);
        world->clock.now_ms = next < until ? next : until;
        wheel_advance(&world->clock.wheel, world->clock.now_ms);
        settle(world);
    }
}

/* ---- life ---- */

/* With a bus, so many servers give the places. */
static inline struct world *world_new_on(struct bus *bus, uint32_t servers,
                                         struct hub_limits limits)
{
    struct world *world = xcalloc(1, sizeof(*world));
    world->clock.now_ms = 1000000;
    wheel_create(&world->clock.wheel, world->clock.now_ms);
    later_create(&world->later);
    world->random.next = world_random;
    world->log = (struct log){LOG_DEBUG, world_log};
    order_create(&world->order);
    cursor_epoch_create(&world->order.epoch, 7, (struct hash_key){1, 2}, (struct hash_key){3, 4});
    if (bus) order_share(&world->order, servers);
    world->verdicts = (struct verdicts){world_ask, world_cancel};
    world->snapshots = (struct snapshots){world_expose, world_cover};
    list_create(&world->askings);
    list_create(&world->exposures);
    world->ports = (struct hub_ports){.clock = &world->clock,
                                      .later = &world->later,
                                      .random = &world->random,
                                      .log = &world->log,
                                      .order = &world->order,
                                      .verdicts = &world->verdicts,
                                      .snapshots = &world->snapshots,
                                      .bus = bus};
    world->hub = hub_new(&world->ports, &limits);
    return world;
}

static inline struct world *world_new_with(struct hub_limits limits)
{
    return world_new_on(NULL, 1, limits);
}

static inline struct world *world_new(void)
{
    return world_new_with(
        (struct hub_limits){.forgotten_topics = 100, .topics = 1000, .windows = 100});
}

static inline void tab_forget(struct tab *tab)
{
    sse_parser_destroy(&tab->parser);
    buf_destroy(&tab->story);
}

/* Ends what is left; nothing may stay behind. */
static inline void world_free(struct world *world)
{
    for (int i = 0; i < world->count; i++)
        if (world->tabs[i].subscriber) subscriber_end(world->tabs[i].subscriber, END_DRAIN);
    settle(world);
    assert_true(hub_idle(world->hub));
    assert_int_equal(hub_counters(world->hub)->queued.slots, 0);
    assert_int_equal(hub_counters(world->hub)->users, 0);
    assert_true(list_empty(&world->askings));
    assert_true(list_empty(&world->exposures));
    hub_free(world->hub);
    for (int i = 0; i < world->count; i++) {
        assert_int_equal(world->tabs[i].ended, 1);
        tab_forget(&world->tabs[i]);
    }
    assert_int_equal(world->clock.wheel.count, 0);
    xfree(world);
    assert_int_equal(frame_live(), 0);
    assert_int_equal(atom_live(), 0);
    assert_int_equal(alloc_live(), 0);
}

/* The topic; the first letter of its name says what it is: filtered, short,
 * retaining (fr: both), of which rules make snapshots (v, a view), else plain. */
static inline struct topic *topic_of(struct world *world, const char *name)
{
    const struct topic_options *options = strcmp(name, "fr") == 0 ? &RETAINING_FILTERED
                                          : *name == 'f'           ? &FILTERED
                                          : *name == 'r'           ? &RETAINING
                                          : *name == 's'           ? &SHORT
                                          : *name == 'v'           ? &SNAPSHOTS
                                                                   : &PLAIN;
    return hub_topic(world->hub, bytes_of(name), options);
}

/* A client that is not started yet, in no topic. */
static inline struct tab *tab_new(struct world *world, const struct subscriber_options *options,
                                  const char *user, const char *tag)
{
    assert_true(world->count < WORLD_TABS);
    struct tab *tab = &world->tabs[world->count++];
    *tab = (struct tab){.sink = {.ops = &TAB_OPS}, .world = world, .room = SIZE_MAX, .open = true};
    sse_parser_create(&tab->parser, 1 << 22, &TAB_EVENTS, tab);
    struct atom *user_atom = user ? atom_of(user) : NULL, *tag_atom = tag ? atom_of(tag) : NULL;
    tab->subscriber = subscriber_new(world->hub, options ? options : &DEFAULTS, &tab->sink,
                                     user_atom, tag_atom, &SUBSCRIBER_EVENTS, tab);
    atom_unref(user_atom);
    atom_unref(tag_atom);
    return tab;
}

/* Starts, with the cursor where another client stands, or NULL. */
static inline void tab_start(struct tab *tab, const struct tab *cursor)
{
    subscriber_start(tab->subscriber,
                     cursor ? buf_bytes(&cursor->parser.last_id) : (struct bytes){NULL, 0});
    settle(tab->world);
}

/* A client in one topic, started, its first events read. */
static inline struct tab *tab_in(struct world *world, const char *topic, const char *user,
                                 const char *tag)
{
    struct tab *tab = tab_new(world, NULL, user, tag);
    assert_true(subscriber_join(tab->subscriber, topic_of(world, topic)));
    tab_start(tab, NULL);
    buf_clear(&tab->story);
    return tab;
}

/* The client is gone, as its sink sees it. */
static inline void tab_cut(struct tab *tab)
{
    assert_true(tab->open);
    tab->open = false;
    tab->sink.events->gone(tab->sink.owner, "closed");
    settle(tab->world);
}

/* The sink takes so many bytes more. */
static inline void tab_takes(struct tab *tab, size_t room)
{
    tab->room = room;
    if (!tab->full) return;
    tab->full = false;
    tab->sink.events->writable(tab->sink.owner);
    settle(tab->world);
}

static inline uint64_t tab_position(const struct tab *tab)
{
    int64_t position = read_cursor(&tab->world->order.epoch, buf_bytes(&tab->parser.last_id));
    return position < 0 ? 0 : (uint64_t)position;
}

/* What the client read since the last call. */
static inline void tab_read(struct tab *tab, const char *want, const char *file, int line)
{
    assert_bytes_at(buf_bytes(&tab->story), bytes_of(want), file, line);
    buf_clear(&tab->story);
}

#define assert_read(tab, want) tab_read((tab), (want), __FILE__, __LINE__)

/* ---- emits ---- */

static inline uint64_t emit_to(struct topic *topic, const char *type, const char *data)
{
    return topic_emit(topic, &(struct emit){.type = bytes_of(type), .data = bytes_of(data)});
}

static inline uint64_t emit(struct world *world, const char *topic, const char *data)
{
    return emit_to(topic_of(world, topic), "t", data);
}
