/* Whether a publish with an id was asked before. On this node the records say it (engine/idempotency.h); where nodes
 * share a Redis the first of a node asks there, too, when its turn has come, and keeps its place in line for the
 * time that that takes. While another node does it, it stands nowhere and looks again. */
#include "base/alloc.h"
#include "base/hash.h"
#include "engine/census.h"
#include "engine/ingest_answer.h"
#include "engine/ingest_state.h"

enum { KEPT_BYTES_MAX = 8 << 20, ID_MAX = 256 };

/* What one that is remembered may take longer than its handlers; how often is looked whether another node has done
 * it. */
enum { PUBLISHING_MS = 10000, LOOK_MS = 50 };

/* ---- what it is ---- */

enum { PARTS = 5 };

/* What must be the same for a request to be the same. */
static void parts_of(const struct http_request *request, struct bytes parts[PARTS])
{
    parts[0] = request->body;
    parts[1] = request->query;
    parts[2] = http_header_get(request, "content-type");
    parts[3] = http_header_get(request, "x-event-type");
    parts[4] = http_header_get(request, "x-session-tag");
}

static uint64_t hash_of(const struct http_request *request)
{
    struct bytes parts[PARTS];
    uint64_t hashes[PARTS];
    parts_of(request, parts);
    for (size_t i = 0; i < PARTS; i++)
        hashes[i] = hash_bytes(parts[i].size ? parts[i].data : "", parts[i].size);
    return hash_bytes(hashes, sizeof(hashes));
}

static struct bytes id_of(const struct publish *publish)
{
    const struct publication *publication = publish->publication;
    const struct bytes key = http_header_get(&publish->exchange->request, "idempotency-key");
    if (key.size) return key;
    return publication->count == 1 ? publication->events[0].id : (struct bytes){NULL, 0};
}

/* ---- its record ---- */

/* The first has failed: who waited for its answer longest does it now. */
void publish_pass_on(struct publish *publish)
{
    struct record *record = publish->record;
    publish->first = false;
    if (list_empty(&record->waiting)) {
        idempotency_forget(&publish->intake->kept, record);
        return;
    }
    struct publish *next = CONTAINER(record->waiting.next, struct publish, node);
    list_remove(&next->node);
    next->intake->parked--;
    next->first = true;
    later_post(app_ports(next->app)->later, LATER_SOON, &next->job);
}

/* Its record, and those who waited for it. */
void publish_keep(struct publish *publish, struct bytes answer)
{
    struct list waiting;
    const struct idempotency_bounds bounds = {.ttl_ms = publish->ingest->kept_ms,
                                              .count = publish->ingest->kept_max,
                                              .bytes = KEPT_BYTES_MAX};
    list_create(&waiting);
    list_move(&waiting, &publish->record->waiting);
    publish->first = false;
    idempotency_answer(&publish->intake->kept, publish->record, answer,
                       app_ports(publish->app)->clock->now_ms, &bounds);
    LIST_EACH(node, &waiting) {
        struct publish *waiter = CONTAINER(node, struct publish, node);
        publish_respond_kept(waiter, answer, true);
        publish_free(waiter);
    }
}

/* ---- does another node do it? ---- */

static void write_rest(const struct terms *terms, struct bytes result, struct buf *out)
{
    ingest_answer_rest(CONTAINER(terms, struct publish, terms)->publication, result, out);
}

const struct terms *publish_terms(struct publish *publish)
{
    const struct reservation *reservation = &publish->reservation;
    publish->terms =
        (struct terms){.record = buf_bytes(&reservation->key),
                       .record_hash = bytes_run(reservation->hash, RESERVATION_HASH_SIZE),
                       .record_ttl_ms = publish->ingest->kept_ms,
                       .write_rest = write_rest};
    return &publish->terms;
}

/* What such topics are given is published without Redis, and remembered on this node alone: the carrier sees to it
 * that nothing else is. */
static bool may_go_without(const struct publish *publish, const struct reservation_answer *answer)
{
    const struct plan *plan = app_plan(publish->app);
    bool local = false;
    for (size_t i = 0; i < plan->topic_count; i++) local = local || plan->topics[i]->options.away_local;
    return local && turn_stands(&publish->turn) && strcmp(answer->code, "away") == 0;
}

static void on_reserved(void *owner, const struct reservation_answer *answer)
{
    struct publish *publish = owner;
    const struct engine_ports *ports = app_ports(publish->app);
    switch (answer->reserved) {
    case RESERVED_MINE:
        publish->reserved = turn_stands(&publish->turn);
        (publish->reserved ? publish_run : publish_take_turn)(publish);
        break;
    case RESERVED_WAITS: /* and holds nobody up meanwhile */
        turn_end(&publish->turn);
        clock_after(ports->clock, &publish->again, LOOK_MS + random_below(ports->random, LOOK_MS));
        break;
    case RESERVED_AGAIN:
        publish_finish(publish, &answer->places, answer->rest, true);
        break;
    case RESERVED_OTHER:
        publish_fail_other(publish);
        break;
    case RESERVED_NOT:
        publish->reserved = may_go_without(publish, answer);
        if (publish->reserved)
            publish_run(publish);
        else
            publish_fail(publish, 503, "unavailable",
                         "Whether this was published before is not known: Redis is away; try again.");
        break;
    }
}

void publish_look_again(struct timer *timer)
{
    struct publish *publish = CONTAINER(timer, struct publish, again);
    reservation_ask(&publish->reservation, on_reserved, publish);
}

void publish_reserve(struct publish *publish)
{
    const struct publication *publication = publish->publication;
    const struct plan *plan = app_plan(publish->app);
    const struct bytes names[] = {atom_bytes(plan->app), atom_bytes(publish->intake->name),
                                  atom_bytes(publication->publisher.user), id_of(publish)};
    struct bytes parts[PARTS];
    parts_of(&publish->exchange->request, parts);
    if (!publish->reservation.key.size)
        reservation_create(&publish->reservation, app_ports(publish->app)->joint, names, 4, parts, PARTS,
                           plan->handler_deadline_ms + PUBLISHING_MS);
    reservation_ask(&publish->reservation, on_reserved, publish);
}

/* ---- has it been asked before? ---- */

static void park(struct publish *publish)
{
    if (publish->intake->parked >= WAITING_MAX) {
        publish_fail(publish, 503, "too_many_waiting", "Too many publishes wait already; try again.");
        return;
    }
    publish->intake->parked++;
    list_append(&publish->record->waiting, &publish->node);
}

void publish_look_up(struct publish *publish)
{
    const struct bytes id = id_of(publish);
    if (!id.size || !publish->ingest->kept_max) {
        publish_take_turn(publish);
        return;
    }
    if (id.size > ID_MAX) {
        publish_fail(publish, 400, "bad_id", "An Idempotency-Key has 256 bytes at most.");
        return;
    }
    switch (idempotency_look(&publish->intake->kept,
                             atom_bytes(publish->publication->publisher.user), id,
                             hash_of(&publish->exchange->request),
                             app_ports(publish->app)->clock->now_ms, &publish->record)) {
    case RECORD_NEW:
        publish->first = true;
        publish_take_turn(publish);
        break;
    case RECORD_UNDERWAY:
        park(publish);
        break;
    case RECORD_ANSWERED:
        publish_respond_kept(publish, publish->record->answer, true);
        publish_free(publish);
        break;
    case RECORD_OTHER:
        publish_fail_other(publish);
        break;
    }
}
