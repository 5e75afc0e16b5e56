#include "server/record.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/answer.h"
#include "engine/node.h"
#include "loop/loop.h"
#include "server/admin.h"
#include "server/config.h"
#include "server/owners.h"
#include "server/roll.h"
#include "server/server.h"
#include "server/version.h"
#include "upstream/link.h"

enum { WAITING_MAX = 16 << 20, WAITING_ROLL = 4 << 20, SECRETS_MAX = 200000, APPS_MAX = 64 };

struct recorder {
    struct server *server;
    const struct order *order;
    struct taps taps;
    struct owners owners;
    struct roll roll;
    struct tape *tape; /* NULL: nobody reads */
    struct sink *sink;
    bool blocked; /* the sink took less than all */
    struct job flush;
};

/* ---- the reader ---- */

static void finish(struct recorder *recorder, const char *why)
{
    LOG(loop_log(recorder->server->loop), LOG_INFO, "recording ended", F_TEXT("why", why),
        F_NUMBER("entries", tape_entries(recorder->tape)));
    roll_stop(&recorder->roll);
    taps_set(&recorder->taps, NULL);
    later_cancel(&recorder->flush);
    tape_free(recorder->tape);
    recorder->tape = NULL;
    recorder->sink = NULL;
}

static void flush(struct recorder *recorder)
{
    const struct bytes waiting = tape_bytes(recorder->tape);
    const struct iovec piece = {(void *)waiting.data, waiting.size};
    struct sink *sink = recorder->sink;
    if (waiting.size && !recorder->blocked) {
        const size_t taken = sink->ops->write(sink, &piece, 1);
        recorder->blocked = taken < waiting.size;
        tape_take(recorder->tape, taken);
        roll_go_on(&recorder->roll);
    }
    if (recorder->blocked || !tape_over(recorder->tape)) return;
    finish(recorder, "over");
    sink->ops->close(sink, "over");
}

static void on_flush(struct job *job)
{
    flush(CONTAINER(job, struct recorder, flush));
}

static void on_written(void *owner)
{
    struct recorder *recorder = owner;
    later_post(loop_later(recorder->server->loop), LATER_LAST, &recorder->flush);
}

static void on_writable(void *owner)
{
    struct recorder *recorder = owner;
    recorder->blocked = false;
    flush(recorder);
}

static void on_gone(void *owner, const char *why)
{
    finish(owner, why);
}

static const struct sink_events sink_events = {.writable = on_writable, .gone = on_gone};

void recorder_end(struct recorder *recorder, const char *why)
{
    if (!recorder->tape) return;
    tape_end(recorder->tape, why);
    flush(recorder);
}

/* ---- the beginning ---- */

static void write_beginning(struct entry *entry, const void *ctx)
{
    const struct recorder *recorder = ctx;
    const struct node *node = recorder->server->node;
    struct bytes apps[APPS_MAX];
    size_t count = 0;
    char cursor[CURSOR_MAX];
    struct places now;
    for (; count < node_apps(node) && count < APPS_MAX; count++)
        apps[count] = atom_bytes(app_plan(node_app(node, count))->app);
    order_places(recorder->order, recorder->order->position, &now);
    const size_t size = cursor_write(&recorder->order->epoch, &now, cursor);
    entry_number(entry, "version", 1);
    entry_text(entry, "sluice", BYTES(SLUICE_VERSION));
    entry_number(entry, "wall_ms", (long long)loop_clock(recorder->server->loop)->wall_ms);
    entry_list(entry, "apps", apps, count);
    entry_number(entry, "streams_before", node_counters(node)->streams);
    entry_text(entry, "cursor", bytes_run(cursor, size));
}

/* A link that was open once, and is not now, opens again: what its rules hear then is something else
 * than at a first opening. */
struct lost {
    struct recorder *recorder;
    struct tap_owner owner;
};

static void write_link(struct entry *entry, const void *ctx)
{
    const struct tap_owner *owner = ctx;
    entry_text(entry, "app", owner->app);
    entry_text(entry, "upstream", owner->upstream);
    entry_text(entry, "key", owner->key);
}

static void look_lost(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                      struct link *link)
{
    struct lost *lost = ctx;
    if (!link_ever_opened(link) || link_state(link) == LINK_OPEN) return;
    lost->owner.upstream = atom_bytes(upstream->name);
    lost->owner.key = key;
    tape_add(lost->recorder->tape, "lost", write_link, &lost->owner);
}

static void write_lost(struct recorder *recorder)
{
    const struct node *node = recorder->server->node;
    for (size_t i = 0; i < node_apps(node); i++) {
        struct lost lost = {.recorder = recorder,
                            .owner = {.app = atom_bytes(app_plan(node_app(node, i))->app)}};
        app_links_each(node_app(node, i), look_lost, &lost);
    }
}

static void begin(struct recorder *recorder)
{
    struct server *server = recorder->server;
    const struct config_list *names = &server->config->record_secrets;
    const struct tape_options options = {.clock = loop_clock(server->loop),
                                         .names = (const char *const *)names->items,
                                         .name_count = names->count,
                                         .secrets_max = SECRETS_MAX,
                                         .most_bytes = WAITING_MAX,
                                         .written = on_written,
                                         .owner = recorder};
    recorder->tape = tape_new(&options);
    recorder->blocked = false;
    tape_add(recorder->tape, "recording", write_beginning, recorder);
    owners_sort(&recorder->owners, server->node);
    taps_set(&recorder->taps, recorder->tape);
    owners_drop(&recorder->owners);
    write_lost(recorder);
    roll_begin(&recorder->roll);
    LOG(loop_log(server->loop), LOG_INFO, "recording",
        F_NUMBER("streams", node_counters(server->node)->streams));
}

static void answer_head(struct exchange *exchange)
{
    struct buf body = BUF_EMPTY;
    admin_answer(exchange, 200, "application/x-ndjson", &body);
}

void record_answer(struct server *server, struct exchange *exchange)
{
    struct recorder *recorder = server->recorder;
    struct answer_headers headers = {.count = 0};
    if (recorder->tape) {
        admin_refuse(exchange, 409, "recording", "A recording is under way; one at a time.");
        return;
    }
    if (bytes_is(exchange->request.method, "HEAD")) {
        answer_head(exchange);
        return;
    }
    answer_header(&headers, "content-type", BYTES("application/x-ndjson"));
    answer_header(&headers, "cache-control", BYTES("no-store"));
    recorder->sink = exchange->ops->stream(exchange, 200, headers.items, headers.count);
    recorder->sink->events = &sink_events;
    recorder->sink->owner = recorder;
    begin(recorder);
}

/* ---- life ---- */

/* A wire is opened by its link. */
static bool find_owner(void *ctx, const void *owner, struct tap_owner *found)
{
    const struct recorder *recorder = ctx;
    return owners_find(&recorder->owners, recorder->server->node, owner, found);
}

struct recorder *recorder_new(struct server *server, struct fetch *fetch,
                              struct transport *transport, const struct order *order)
{
    struct recorder *recorder = xcalloc(1, sizeof(*recorder));
    recorder->server = server;
    recorder->order = order;
    taps_create(&recorder->taps, fetch, transport, &order->epoch, find_owner, recorder);
    roll_create(&recorder->roll, server, &recorder->taps, WAITING_ROLL);
    job_create(&recorder->flush, on_flush);
    return recorder;
}

void recorder_free(struct recorder *recorder)
{
    CHECK(!recorder->tape);
    xfree(recorder);
}

struct taps *recorder_taps(struct recorder *recorder)
{
    return &recorder->taps;
}
