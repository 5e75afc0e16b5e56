/* Thousands of seeded schedules of everything that may happen to a hub, against a
 * model that is as plain as possible (hub_model.h).
 *
 * It holds each client's record to the promise: at the end, for every trigger of
 * its topics, delivered or told. It also holds the hub to not telling without need:
 * the numbers of lagged resyncs are counted after, the topics of history resyncs
 * predicted. SEED=n runs one schedule. */
#include "hub/fanout.c"

#include "hub_model.h"

enum { SCHEDULES = 3000, ACTIONS = 220 };

/* ---- connections ---- */

static size_t take(struct sink *sink, const struct iovec *pieces, int count)
{
    struct connection *connection = CONTAINER(sink, struct connection, sink);
    size_t taken = 0;
    assert_false(connection->full);
    observe();
    for (int i = 0; i < count && !connection->full; i++) {
        size_t size = pieces[i].iov_len;
        if (size > connection->room) size = connection->room;
        if (connection->room != SIZE_MAX) connection->room -= size;
        if (connection->client)
            sse_parser_feed(&connection->client->parser, bytes_run(pieces[i].iov_base, size));
        taken += size;
        connection->full = size < pieces[i].iov_len;
    }
    if (count > 1 && !connection->full) happened[ONE_WRITE_FOR_MANY]++;
    return taken;
}

static void closed(struct sink *sink, const char *why)
{
    struct connection *connection = CONTAINER(sink, struct connection, sink);
    if (strcmp(why, "slow") == 0) happened[STALLED]++;
    connection->full = true;
}

static const struct sink_ops sink_operations = {.write = take, .close = closed};

static void forget(struct client *client)
{
    client->connection->client = NULL;
    client->connection = NULL;
}

static void on_ended(void *owner, enum end_reason reason)
{
    struct connection *connection = owner;
    (void)reason;
    if (connection->client) forget(connection->client);
    xfree(connection);
}

static const struct subscriber_events ending = {.ended = on_ended};

static const struct subscriber_options random_options = {.queue_frames = 6,
                                                         .queue_bytes = 1 << 20,
                                                         .stall_ms = 5000,
                                                         .heartbeat_ms = 3000,
                                                         .retry_ms = 3000,
                                                         .verdict_ms = 500,
                                                         .replay_max = 12};

static void predict(struct client *client, int64_t cursor)
{
    struct connection *connection = client->connection;
    uint32_t candidates = 0;
    observe();
    for (int i = 0; i < TOPICS; i++)
        connection->concerned[i] = client->in[i] && (uint64_t)cursor < lost(i);
    for (uint64_t at = (uint64_t)cursor + 1; at <= model.known; at++) {
        const struct fact *fact = &model.facts[at];
        if (!client->in[fact->topic] || connection->concerned[fact->topic]) continue;
        bool echo_of_own = is_echo(client, fact, client->asked_tag);
        happened[ECHO_IN_REPLAY] += echo_of_own;
        candidates += !echo_of_own;
    }
    if (candidates <= random_options.replay_max) return;
    happened[TOO_MUCH]++;
    for (uint64_t at = (uint64_t)cursor + 1; at <= model.known; at++)
        if (client->in[model.facts[at].topic]) connection->concerned[model.facts[at].topic] = true;
}

static void rounds(uint64_t count)
{
    while (count-- && later_round(&model.world->later)) continue;
}

static void emit_random(void);

static void start(struct client *client)
{
    struct connection *connection = client->connection;
    struct bytes cursor = buf_bytes(&client->parser.last_id);
    client->fresh = !cursor.size || chance_of(5);
    for (int i = 0; i < TOPICS; i++)
        if (client->fresh && client->in[i]) client->since[i] = model.world->order.position;
    if (client->fresh) cursor.size = 0;
    if (!client->fresh && chance_of(4)) cursor = BYTES("0123456789abcdef0123456789abcdef");
    int64_t position = read_cursor(&model.world->order.epoch, cursor);
    connection->from = model.world->order.position;
    if (!client->fresh && position < 0) happened[FOREIGN]++;
    if (position >= 0) predict(client, position);
    connection->cursor = position >= 0 ? (uint64_t)position : 1;
    for (int i = 0; i < TOPICS; i++)
        if (client->in[i] && (position < 0 || connection->concerned[i])) await_retained(client, i);
    for (int i = 0; i < TOPICS && position >= 0; i++) { /* it asks for all of that, again perhaps */
        if (client->in[i] && client->since[i] > connection->cursor)
            client->since[i] = connection->cursor;
        if (client->known[i] > connection->cursor) client->known[i] = connection->cursor;
    }
    connection->replayed = 0;
    if (fanning()) happened[STARTED_IN_FAN_OUT]++;
    connection->started = true;
    subscriber_start(connection->subscriber, cursor);
}

static void connect_client(struct client *client)
{
    struct world *world = model.world;
    struct connection *connection = xcalloc(1, sizeof(*connection));
    *connection = (struct connection){.sink = {.ops = &sink_operations},
                                      .client = client,
                                      .number = ++model.connections,
                                      .room = chance_of(60) ? SIZE_MAX : below(400)};
    client->connection = connection;
    sse_parser_reset(&client->parser);
    char user[2] = {(char)('0' + client->user), '\0'};
    struct atom *user_atom = client->user < 0 ? NULL : atom_of(user);
    struct atom *tag_atom = client->user < 0 ? NULL : atom_of(client->asked_tag);
    connection->subscriber = subscriber_new(world->hub, &random_options, &connection->sink,
                                            user_atom, tag_atom, &ending, connection);
    atom_unref(user_atom);
    atom_unref(tag_atom);
    struct atom *got_tag = subscriber_tag(connection->subscriber);
    if (got_tag) memcpy(client->tag, got_tag->text, got_tag->size + 1);
    if (got_tag && strcmp(client->tag, client->asked_tag) != 0) happened[RENAMED]++;
    uint64_t cursor = 0;
    int64_t position = read_cursor(&world->order.epoch, buf_bytes(&client->parser.last_id));
    if (position > 0) cursor = (uint64_t)position;
    for (int i = 0; i < TOPICS; i++) {
        if (chance_of(4)) client->in[i] = !client->in[i];
        if (!client->in[i]) continue;
        if (client->since[i] == UINT64_MAX) client->since[i] = cursor; /* joined while away */
        if (!hub_topic_find(world->hub, bytes_of(names[i])) && lost(i)) happened[TOPIC_CAME_BACK]++;
        assert_true(subscriber_join(connection->subscriber, topic_at(i)));
    }
    for (int i = 0; i < TOPICS; i++)
        if (!client->in[i]) client->since[i] = UINT64_MAX;
    if (chance_of(30)) {
        happened[EMITTED_BEFORE_START]++;
        emit_random();
        rounds(below(3));
        if (!client->connection) return;
    }
    start(client);
}

static void cut(struct client *client)
{
    struct connection *connection = client->connection;
    happened[connection->full ? CUT_IN_FRAME : CUT]++;
    if (fanning()) happened[ENDED_IN_FAN_OUT]++;
    forget(client);
    if (chance_of(30)) { /* the server does not know yet; it will run into a wall */
        happened[HALF_OPEN]++;
        connection->room = 0;
        return;
    }
    connection->full = true;
    connection->sink.events->gone(connection->sink.owner, "closed");
}

static void give_room(struct connection *connection, size_t room)
{
    if (!connection->client || subscriber_ended(connection->subscriber)) return;
    connection->room = room;
    if (!connection->full) return;
    connection->full = false;
    connection->sink.events->writable(connection->sink.owner);
}

/* ---- access ---- */

static struct mark *mark_of(struct client *client, const struct frame *frame)
{
    return &client->marks[frame->position];
}

static void withheld(struct subscriber *subscriber, const struct frame *frame)
{
    struct connection *connection = subscriber_owner(subscriber);
    struct atom *user = subscriber_user(subscriber);
    model.withheld[user ? number_of(atom_bytes(user)) + 1 : 0][fact_of(frame)->topic] = true;
    if (!connection->client || !frame->position) return;
    struct mark *mark = mark_of(connection->client, frame);
    if (mark->asked_by == connection->number && !(mark->flags & DELIVERED))
        mark->flags = (mark->flags & ~TOLD) | WITHHELD | EVER_WITHHELD;
}

static void on_asked(struct world *world, struct subscriber *subscriber, struct frame *frame)
{
    struct connection *connection = subscriber_owner(subscriber);
    observe();
    const struct fact *fact = fact_of(frame);
    int user =
        subscriber_user(subscriber) ? number_of(atom_bytes(subscriber_user(subscriber))) : -1;
    enum verdict final = permits(user, fact) ? VERDICT_YES : VERDICT_NO;
    uint64_t what = below(100);
    world->verdict = model.mood == 0 || what < 50 ? final
                     : what < 60                  ? VERDICT_UNKNOWN
                                                  : VERDICT_PENDING;
    struct mark *mark =
        connection->client && frame->position ? mark_of(connection->client, frame) : NULL;
    if (mark && mark->asked_by != connection->number) { /* else it is asked about again */
        mark->asked_by = connection->number;
        mark->flags &= (uint8_t)~WITHHELD;
    }
    if (world->verdict == VERDICT_UNKNOWN) {
        happened[UNKNOWN]++;
        withheld(subscriber, frame);
    }
}

static void on_cancelled(struct verdicts *verdicts, struct asking *asking, bool late)
{
    struct connection *connection = subscriber_owner(asking->subscriber);
    /* Because of time, of room or of a newer one with its key: the last is not withheld, but
     * then it is replaced. */
    if (connection->client && !subscriber_ended(asking->subscriber)) happened[TIMED_OUT]++;
    withheld(asking->subscriber, asking->frame);
    world_cancel(verdicts, asking, late);
}

static void answer_random(void)
{
    struct world *world = model.world;
    uint64_t count = 0;
    LIST_EACH(node, &world->askings)
    {
        count++;
    }
    if (!count) return;
    struct list *node = world->askings.next;
    for (uint64_t skip = below(count); skip--;) node = node->next;
    struct asking asking = *CONTAINER(node, struct asking, node);
    list_remove(node);
    xfree(CONTAINER(node, struct asking, node));
    int user = subscriber_user(asking.subscriber)
                   ? number_of(atom_bytes(subscriber_user(asking.subscriber)))
                   : -1;
    enum verdict verdict =
        permits(user, fact_of(asking.frame)) ? VERDICT_YES : VERDICT_NO;
    if (chance_of(20)) {
        verdict = VERDICT_UNKNOWN;
        withheld(asking.subscriber, asking.frame);
    }
    happened[verdict == VERDICT_YES ? YES_LATE : verdict == VERDICT_NO ? NO_LATE : UNKNOWN_LATE]++;
    if (asking.subscriber->state == STATE_LAGGED) happened[LAGGED_WITH_QUESTION]++;
    asking.done(asking.owner, verdict);
}

/* ---- snapshots ---- */

static struct exposure *expose(struct snapshots *snapshots, struct subscriber *subscriber,
                               struct atom *topic, snapshot_done_f *done, void *owner)
{
    struct connection *connection = subscriber_owner(subscriber);
    const int index = topic_named(topic);
    if (subscriber->checking) happened[SNAPSHOT_RENEWED]++;
    assert_true(!connection->client || subscriber->checking || connection->exposure[index] == -1);
    connection->exposure[index] = ++model.exposures;
    return world_expose(snapshots, subscriber, topic, done, owner);
}

static void cover(struct snapshots *snapshots, struct exposure *exposure, bool late)
{
    struct connection *connection = subscriber_owner(exposure->subscriber);
    if (late) happened[SNAPSHOT_LATE]++;
    if (!late && exposure->subscriber->state == STATE_LIVE && !exposure->subscriber->checking) {
        happened[SNAPSHOT_LEFT]++;
        connection->exposure[topic_named(exposure->topic)] = 0;
    }
    world_cover(snapshots, exposure, late);
}

/* A subscriber that lags waits for none: the resync stands for it. */
static void snapshot_random(void)
{
    struct world *world = model.world;
    if (list_empty(&world->exposures)) return;
    struct exposure *exposure =
        CONTAINER(chance_of(50) ? world->exposures.next : world->exposures.prev, struct exposure,
                  node);
    const struct subscriber *subscriber = exposure->subscriber;
    struct connection *connection = subscriber_owner(subscriber);
    int *number = &connection->exposure[topic_named(exposure->topic)];
    char data[16];
    snprintf(data, sizeof(data), "%d", *number);
    assert_int_equal(subscriber->state, STATE_LIVE);
    if (queue_at(subscriber->queue, subscriber->queue->count - 1)->kind == SLOT_TRIGGER)
        happened[SNAPSHOT_WAITED_FOR]++;
    uint64_t what = below(100);
    happened[SNAPSHOT_NONE] += what < 20;
    happened[SNAPSHOT_UNKNOWN] += what >= 80;
    if (what < 20) *number = 0;
    world_snapshot(exposure, what < 80, what < 20 ? NULL : data);
}

/* What a reload does to a queue, where there are snapshots to be made anew and no verdicts to be asked for again. */
static void reload_one(struct client *client)
{
    struct subscriber *subscriber = client->connection ? client->connection->subscriber : NULL;
    struct queue *queue = subscriber ? subscriber->queue : NULL;
    for (uint32_t i = 0; queue && i < queue->count; i++) {
        const struct slot *slot = queue_at(queue, i);
        if (slot->kind == SLOT_TRIGGER && filtered(topic_named(slot->frame->topic))) return;
    }
    if (!queue || !client->connection->started) return;
    subscriber->unchecked = UNCHECKED_ALL;
    flush_post(subscriber);
}

/* ---- actions ---- */

static void emit_random(void)
{
    int topic = (int)below(TOPICS);
    char data[16], key[4], user[2] = "0";
    snprintf(data, sizeof(data), "%d", ++model.serial);
    snprintf(key, sizeof(key), "%d", (int)below(2));
    struct emit emit = {.type = BYTES("t"), .data = bytes_of(data)};
    struct client *from = &model.clients[below(CLIENTS)];
    if (chance_of(30) && from->user >= 0) {
        user[0] = (char)('0' + from->user);
        emit.user = bytes_of(user);
        emit.tag = bytes_of(from->tag);
    }
    if (model.keys && chance_of(50)) {
        emit.replaces = bytes_of(key);
        if (topic < 2 && chance_of(30)) emit.within_ms = 1 + below(300);
    }
    uint64_t before = model.world->hub->counters.replaced;
    topic_emit(topic_at(topic), &emit);
    happened[MERGED] += model.world->hub->counters.replaced - before;
    observe();
}

static void pass(uint64_t ms)
{
    struct clock *clock = &model.world->clock;
    for (uint64_t until = clock->now_ms + ms; clock->now_ms < until;) {
        uint64_t next = wheel_next(&clock->wheel);
        clock->now_ms = next < until ? next : until;
        wheel_advance(&clock->wheel, clock->now_ms);
        observe();
        rounds(below(4));
    }
}

static void join_or_leave(struct client *client)
{
    struct connection *connection = client->connection;
    int topic = (int)below(TOPICS);
    if (client->in[topic]) {
        if (fanning()) happened[LEFT_IN_FAN_OUT]++;
        happened[LEFT]++;
        subscriber_leave(connection->subscriber, topic_at(topic));
        connection->left = true;
        connection->awaits[topic] = connection->exposure[topic] = 0;
        client->since[topic] = UINT64_MAX;
    } else {
        if (fanning()) happened[JOINED_IN_FAN_OUT]++;
        subscriber_join(connection->subscriber, topic_at(topic));
        client->since[topic] = model.world->order.position;
        observe();
        if (connection->started) await_retained(client, topic);
        subscriber_greet(connection->subscriber, topic_at(topic));
    }
    client->in[topic] = !client->in[topic];
}

static void act_on(struct client *client)
{
    struct connection *connection = client->connection;
    if (!connection) {
        connect_client(client);
        return;
    }
    if (subscriber_ended(connection->subscriber)) return;
    uint64_t what = below(100);
    if (what < 55)
        give_room(connection, chance_of(60) ? below(500) : SIZE_MAX);
    else if (what < 75)
        cut(client);
    else if (what < 85)
        connection->room = 0;
    else if (what < 92)
        join_or_leave(client);
    else if (what < 95)
        subscriber_resync(connection->subscriber, "private", NULL);
    else if (what < 98)
        subscriber_control(connection->subscriber, "hello", BYTES("{}"));
    else {
        happened[KICKED]++;
        subscriber_end(connection->subscriber, END_KICKED);
    }
}

static void act(void)
{
    uint64_t what = below(100);
    if (what < 40)
        emit_random();
    else if (what < 70)
        act_on(&model.clients[below(CLIENTS)]);
    else if (what < 77)
        answer_random();
    else if (what < 80)
        snapshot_random();
    else if (what < 84)
        pass(below(50));
    else if (what < 86)
        pass(below(chance_of(10) ? 12000 : 1500));
    else if (what < 87) {
        happened[TOPIC_RESYNC]++;
        topic_resync(topic_at((int)below(TOPICS)), "upstream", 0);
        observe();
    } else if (what < 88) {
        hub_windows_flush(model.world->hub);
        observe();
    } else if (what < 89) {
        reload_one(&model.clients[below(CLIENTS)]);
    }
    rounds(below(4));
}

/* ---- the promise ---- */

static bool excused(const struct client *client, uint64_t at, const bool *newer)
{
    const struct fact *fact = &model.facts[at];
    int topic = fact->topic;
    if (!client->in[topic] || at <= client->since[topic] || at <= client->known[topic]) return true;
    if (fact->resync) return false;
    uint8_t flags = client->marks[at].flags;
    if (flags & DELIVERED || !permits(client->user, fact)) return true;
    if ((flags & OWN) || is_echo(client, fact, client->asked_tag)) return true;
    if ((flags & EVER_WITHHELD) && (flags & TOLD)) return true;
    return fact->key >= 0 && newer[topic * 2 + fact->key];
}

static void check_complete(const struct client *client)
{
    bool newer[TOPICS * 2] = {false};
    for (uint64_t at = model.known; at > 1; at--) {
        const struct fact *fact = &model.facts[at];
        if (!excused(client, at, newer)) {
            print_error("client %d: trigger %d of %s at %d is missing, flags %d\n",
                        (int)(client - model.clients), fact->serial, names[fact->topic], (int)at,
                        client->marks[at].flags);
            fail();
        }
        if (fact->key >= 0 && permits(client->user, fact))
            newer[fact->topic * 2 + fact->key] = true;
    }
}

static void come_to_rest(void)
{
    model.mood = 0;
    for (int pass_number = 0; pass_number < 3; pass_number++) {
        for (int i = 0; i < CLIENTS; i++) {
            struct client *client = &model.clients[i];
            if (!client->connection) connect_client(client);
            if (client->connection) give_room(client->connection, SIZE_MAX);
        }
        while (!list_empty(&model.world->askings)) answer_random();
        while (!list_empty(&model.world->exposures)) snapshot_random();
        settle(model.world);
        observe();
        pass(5000);
        settle(model.world);
    }
    pass(61000); /* what is stale is asked about again */
    settle(model.world);
}

static void begin(uint64_t seed)
{
    memset(&model, 0, sizeof(model));
    model.chance = seed;
    model.world = world_new();
    model.world->on_ask = on_asked;
    model.world->verdicts.cancel = on_cancelled;
    model.world->snapshots = (struct snapshots){expose, cover};
    model.world->hub->fanout.step_cost = 1 + (int)below(12);
    model.known = 1;
    model.keys = seed % 2;
    model.mood = seed % 3 ? 1 : 0;
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &model.clients[i];
        client->user = i == CLIENTS - 1 ? -1 : i % USERS;
        int tag = i < 2 * USERS ? i / 2 : i; /* some share one */
        snprintf(client->asked_tag, sizeof(client->asked_tag), "tab-%012d", tag);
        strcpy(client->tag, client->asked_tag);
        sse_parser_create(&client->parser, 1 << 20, &reading, client);
        for (int topic = 0; topic < TOPICS; topic++) {
            client->in[topic] = chance_of(50);
            client->since[topic] = client->in[topic] ? 0 : UINT64_MAX;
        }
    }
}

static void run(uint64_t seed)
{
    begin(seed);
    for (int i = 0; i < ACTIONS && model.known < FACTS - 60; i++) act();
    come_to_rest();
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &model.clients[i];
        assert_non_null(client->connection);
        assert_int_equal(subscriber_queued(client->connection->subscriber), 0);
        check_complete(client);
        for (int topic = 0; topic < TOPICS; topic++)
            assert_true(client->connection->told[topic] ||
                        (!client->connection->awaits[topic] && !client->connection->exposure[topic]));
    }
    const struct hub_counters *counters = hub_counters(model.world->hub);
    happened[REPLACED] += counters->replaced;
    happened[ECHO] += counters->echoes;
    happened[HEARTBEAT] += counters->heartbeats;
    for (int i = 0; i < CLIENTS; i++) {
        subscriber_end(model.clients[i].connection->subscriber, END_DRAIN);
        sse_parser_destroy(&model.clients[i].parser);
    }
    world_free(model.world);
}

static uint64_t running; /* the seed at hand */

static int say_seed(void **state)
{
    (void)state;
    if (running) print_error("again: SEED=%llu\n", (unsigned long long)running);
    return 0;
}

static void every_record_is_complete_and_in_order_or_told(void **state)
{
    (void)state;
    const char *only = getenv("SEED");
    if (only) {
        running = strtoull(only, NULL, 10);
        run(running);
        running = 0;
        return;
    }
    for (running = 1; running <= SCHEDULES; running++) run(running);
    running = 0;
    for (int i = 0; i < OVERLAP_COUNT; i++)
        print_message("%s %llu%s", overlap_names[i], (unsigned long long)happened[i],
                      i % 6 == 5 || i == OVERLAP_COUNT - 1 ? "\n" : ", ");
    for (int i = 0; i < OVERLAP_COUNT; i++) assert_true(happened[i] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_record_is_complete_and_in_order_or_told, say_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
