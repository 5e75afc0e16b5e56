#include "engine/ingest.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/app.h"
#include "engine/census.h"
#include "engine/errand.h"
#include "engine/idempotency.h"
#include "engine/ingest_answer.h"
#include "engine/publication.h"
#include "engine/publishers.h"
#include "engine/shadow.h"
#include "engine/unpublished.h"

enum { WAITING_MAX = 4096, KEPT_BYTES_MAX = 8 << 20, ID_MAX = 256 };

/* What stays of an ingest. */
struct intake {
    struct list node;
    struct atom *name;
    struct publishers publishers;
    struct idempotency kept;
    uint32_t under_way, parked; /* parked: wait for the answer of another */
};

struct publish {
    struct app *app;
    struct intake *intake;
    struct generation *generation; /* that `ingest` is of; held */
    const struct plan_ingest *ingest;
    struct exchange *exchange; /* NULL: its publisher has gone */
    struct publication *publication;
    struct record *record; /* its own, or that of the one it waits for */
    struct list node;      /* in the record's waiting; else alone */
    struct turn turn;
    struct job job;
    struct errand errand;
    bool first, handling; /* first: the record is its own */
};

/* ---- what stays ---- */

static void on_turn(struct turn *turn);

void ingests_create(struct ingests *ingests, struct app *app)
{
    ingests->_app = app;
    list_create(&ingests->_intakes);
}

static struct intake *intake_of(struct ingests *ingests, struct atom *name)
{
    LIST_EACH(node, &ingests->_intakes) {
        struct intake *intake = CONTAINER(node, struct intake, node);
        if (intake->name == name) return intake;
    }
    struct intake *intake = xcalloc(1, sizeof(*intake));
    intake->name = atom_ref(name);
    publishers_create(&intake->publishers, on_turn);
    idempotency_create(&intake->kept);
    list_append(&ingests->_intakes, &intake->node);
    return intake;
}

static void intake_free(struct intake *intake)
{
    list_remove(&intake->node);
    publishers_destroy(&intake->publishers);
    idempotency_destroy(&intake->kept);
    atom_unref(intake->name);
    xfree(intake);
}

void ingests_destroy(struct ingests *ingests)
{
    LIST_EACH(node, &ingests->_intakes) intake_free(CONTAINER(node, struct intake, node));
}

void ingests_swap(struct ingests *ingests)
{
    LIST_EACH(node, &ingests->_intakes) {
        struct intake *intake = CONTAINER(node, struct intake, node);
        if (!intake->under_way && !plan_ingest_named(app_plan(ingests->_app), intake->name))
            intake_free(intake);
    }
}

/* ---- the end of one ---- */

/* The first has failed: who waited for its answer longest does it now. */
static void pass_on(struct publish *publish)
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

static void publish_free(struct publish *publish)
{
    errand_cancel(&publish->errand);
    later_cancel(&publish->job);
    turn_end(&publish->turn);
    if (publish->first)
        pass_on(publish);
    else if (!list_empty(&publish->node))
        publish->intake->parked--;
    list_remove(&publish->node);
    if (publish->publication) publication_free(publish->publication);
    generation_unref(publish->generation);
    publish->intake->under_way--;
    app_visit_ended(publish->app);
    xfree(publish);
}

static void on_gone(void *owner)
{
    struct publish *publish = owner;
    publish->exchange = NULL;
    if (!publish->handling) publish_free(publish);
}

/* ---- answers ---- */

static void fail_for(struct publish *publish, int status, const char *code, const char *message,
                     unsigned retry_after_s)
{
    app_census(publish->app)->publishes_refused++;
    if (publish->exchange)
        ingest_answer_error(publish->exchange, publish->ingest, status, code, message, retry_after_s);
    publish_free(publish);
}

static void fail(struct publish *publish, int status, const char *code, const char *message)
{
    fail_for(publish, status, code, message, status == 429 || status == 503 ? 1 : 0);
}

static void fail_by(struct publish *publish, const struct publication_fault *fault)
{
    fail(publish, fault->status, fault->code, fault->sentence);
}

/* Its publisher may have gone. */
static void respond(struct publish *publish, const struct http_response *response)
{
    if (!publish->exchange) return;
    ingest_answer(publish->exchange, publish->ingest, response);
    publish->exchange = NULL;
}

static void respond_kept(struct publish *publish, struct bytes kept, bool duplicate)
{
    if (publish->exchange) ingest_answer_kept(publish->exchange, publish->ingest, kept, duplicate);
    publish->exchange = NULL;
    if (duplicate) app_census(publish->app)->publish_duplicates++;
}

/* ---- the handlers have ended ---- */

/* Its record, and those who waited for it. */
static void keep(struct publish *publish, struct bytes answer)
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
        respond_kept(waiter, answer, true);
        publish_free(waiter);
    }
}

static void finish(struct publish *publish, const struct places *places, struct bytes rest,
                   bool duplicate)
{
    struct buf body = BUF_EMPTY;
    ingest_answer_write(app_hub(publish->app), places, rest, &body);
    respond_kept(publish, buf_bytes(&body), duplicate);
    if (publish->first) keep(publish, buf_bytes(&body));
    buf_destroy(&body);
    publish_free(publish);
}

static void succeed(struct publish *publish, const struct hook_result *result)
{
    struct census *census = app_census(publish->app);
    struct buf rest = BUF_EMPTY;
    census->publishes++;
    census->published_events += publish->publication->count;
    ingest_answer_rest(publish->publication, result->text, &rest);
    finish(publish, result->published, buf_bytes(&rest), false);
    buf_destroy(&rest);
}

static void on_handled(void *owner, const struct hook_result *result)
{
    struct publish *publish = owner;
    struct shadow *shadow = app_shadow(publish->app);
    errand_over(&publish->errand);
    if (shadow) shadow_live_ended(shadow, publish->publication->events, result->outcome);
    if (result->outcome == OUTCOME_YES) {
        succeed(publish, result);
    } else if (result->outcome == OUTCOME_NO) {
        app_census(publish->app)->publishes_refused++;
        respond(publish, &result->response);
        publish_free(publish);
    } else if (result->unpublished) {
        fail(publish, 503, "unavailable", unpublished_sentence(result->unpublished));
    } else {
        fail(publish, 500, "rule_failed",
             "The rule for this event failed; nothing of this request was published.");
    }
}

/* ---- its turn ---- */

static void handle(struct publish *publish)
{
    struct generation *generation = app_generation(publish->app);
    struct publication_fault fault;
    const struct plan_ingest *ingest =
        plan_ingest_named(generation_plan(generation), publish->intake->name);
    if (!ingest) {
        fail(publish, 404, "not_found", "Nothing is published here any more.");
        return;
    }
    generation_set(&publish->generation, generation);
    publish->ingest = ingest;
    if (!publication_resolve(publish->publication, ingest, &fault)) {
        fail_by(publish, &fault);
        return;
    }
    struct shadow *shadow = app_shadow(publish->app);
    const struct hook_call call = {
        .kind = HOOK_PUBLISH, .hook = ingest->run, .publication = publish->publication};
    if (shadow) shadow_publication(shadow, publish->publication);
    publish->handling = true;
    app_census(publish->app)->ingest_events += publish->publication->count;
    errand_start(&publish->errand, generation, &call, on_handled, publish);
}

/* Its events' keys; without one, its publisher's own line. */
static struct bytes *make_keys(const struct publish *publish, struct buf *text)
{
    const struct publication *publication = publish->publication;
    const struct bytes publisher = atom_bytes(publication->publisher.user);
    struct bytes *keys = xmalloc(publication->count * sizeof(*keys));
    size_t size = 0;
    for (size_t i = 0; i < publication->count; i++) {
        const struct bytes key = publication->events[i].key;
        size += 1 + (key.data ? key.size : publisher.size);
    }
    char *at = buf_reserve(text, size);
    for (size_t i = 0; i < publication->count; i++) {
        const struct bytes key = publication->events[i].key;
        keys[i] = bytes_run(at, 1 + (key.data ? key.size : publisher.size));
        buf_add_char(text, key.data ? 'k' : 'p');
        buf_add_bytes(text, key.data ? key : publisher);
        at += keys[i].size;
    }
    return keys;
}

static void take_turn(struct publish *publish)
{
    struct buf text = BUF_EMPTY;
    struct bytes *keys = make_keys(publish, &text);
    const struct publishers_bounds bounds = {.line = publish->ingest->waiting_max,
                                             .all = WAITING_MAX};
    const enum turn_taken taken = turn_take(&publish->turn, &publish->intake->publishers, keys,
                                            publish->publication->count, &bounds);
    xfree(keys);
    buf_destroy(&text);
    if (taken == TURN_LINE_FULL)
        fail(publish, 429, "too_many_waiting",
             "Too many publishes of this publisher wait already; try again.");
    else if (taken == TURN_ALL_FULL)
        fail(publish, 503, "too_many_waiting", "Too many publishes wait already; try again.");
    else if (taken == TURN_COME)
        handle(publish);
}

static void on_turn(struct turn *turn)
{
    struct publish *publish = CONTAINER(turn, struct publish, turn);
    later_post(app_ports(publish->app)->later, LATER_SOON, &publish->job);
}

/* Its turn has come, or the one that it waited for has failed. */
static void go_on(struct job *job)
{
    struct publish *publish = CONTAINER(job, struct publish, job);
    if (turn_stands(&publish->turn))
        handle(publish);
    else
        take_turn(publish);
}

/* ---- has it been asked before? ---- */

static uint64_t hash_of(const struct http_request *request)
{
    const struct bytes parts[] = {request->body, request->query,
                                  http_header_get(request, "content-type"),
                                  http_header_get(request, "x-event-type"),
                                  http_header_get(request, "x-session-tag")};
    uint64_t hashes[sizeof(parts) / sizeof(parts[0])];
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
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

static void park(struct publish *publish)
{
    if (publish->intake->parked >= WAITING_MAX) {
        fail(publish, 503, "too_many_waiting", "Too many publishes wait already; try again.");
        return;
    }
    publish->intake->parked++;
    list_append(&publish->record->waiting, &publish->node);
}

static void look_up(struct publish *publish)
{
    const struct bytes id = id_of(publish);
    if (!id.size || !publish->ingest->kept_max) {
        take_turn(publish);
        return;
    }
    if (id.size > ID_MAX) {
        fail(publish, 400, "bad_id", "An Idempotency-Key has 256 bytes at most.");
        return;
    }
    switch (idempotency_look(&publish->intake->kept,
                             atom_bytes(publish->publication->publisher.user), id,
                             hash_of(&publish->exchange->request),
                             app_ports(publish->app)->clock->now_ms, &publish->record)) {
    case RECORD_NEW:
        publish->first = true;
        take_turn(publish);
        break;
    case RECORD_UNDERWAY:
        park(publish);
        break;
    case RECORD_ANSWERED:
        respond_kept(publish, publish->record->answer, true);
        publish_free(publish);
        break;
    case RECORD_OTHER:
        fail(publish, 409, "other_request",
             "Something else was published under this id; another event needs another id.");
        break;
    }
}

/* ---- who is it? ---- */

/* Before it is looked up: to be asked the same again costs as well. */
static bool pay(struct publish *publish)
{
    enum { LONGEST_MS = 3600 * 1000 };
    struct census *census = app_census(publish->app);
    const struct publication *publication = publish->publication;
    uint64_t wait_ms =
        toll_publish(&census->toll, app_plan(publish->app)->app, &publish->ingest->at,
                     publication->publisher.user, (uint32_t)publication->count);
    if (!wait_ms) return true;
    if (wait_ms > LONGEST_MS) wait_ms = LONGEST_MS;
    census->publishes_limited++;
    fail_for(publish, 429, "rate", "You publish more events than you may; wait.",
             (unsigned)((wait_ms + 999) / 1000));
    return false;
}

static void authorized(struct publish *publish, const struct identity *who, bool is_app)
{
    struct publication_fault fault = {0};
    const struct plan_ingest *ingest = publish->ingest;
    publish->publication = publication_read(&publish->exchange->request, ingest->at.name,
                                            ingest->batch_max, &fault);
    if (!publish->publication ||
        !publication_publisher(publish->publication, who, is_app || ingest->any_user, &fault))
        fail_by(publish, &fault);
    else if (pay(publish))
        look_up(publish);
}

static void fail_no(struct publish *publish, enum no no)
{
    if (no == NO_FORBIDDEN)
        fail(publish, 403, "forbidden", "You may not publish here.");
    else if (no == NO_BAD_REQUEST)
        fail(publish, 400, "bad_request", "Something in the request is missing or wrong.");
    else
        fail(publish, 401, "unauthorized", "Who publishes here must say who it is.");
}

static void on_authorized(void *owner, const struct hook_result *result)
{
    struct publish *publish = owner;
    errand_over(&publish->errand);
    if (result->outcome == OUTCOME_YES)
        authorized(publish, &result->who, !result->who.user);
    else if (result->outcome == OUTCOME_NO)
        fail_no(publish, result->no);
    else
        fail(publish, 503, "unavailable", "Whether you may publish is not known now; try again.");
}

/* All are compared, so that the time does not say which it is. */
static bool has_key(const struct plan_ingest *ingest, const struct http_request *request)
{
    static const struct bytes scheme = {"bearer ", 7};
    const struct bytes given = http_header_get(request, "authorization");
    bool found = false;
    if (given.size < scheme.size ||
        !text_equal_nocase(bytes_run(given.data, scheme.size), scheme))
        return false;
    const struct bytes token = bytes_run(given.data + scheme.size, given.size - scheme.size);
    for (size_t i = 0; i < ingest->key_count; i++)
        found |= text_equal_secret(atom_bytes(ingest->keys[i]), token);
    return found;
}

static void authorize(struct publish *publish)
{
    const struct plan_ingest *ingest = publish->ingest;
    const struct identity nobody = {NULL, NULL, 0};
    if (ingest->at.identity) {
        const struct hook_call call = {.kind = HOOK_AUTHORIZE,
                                       .hook = ingest->at.identity,
                                       .request = &publish->exchange->request};
        errand_start(&publish->errand, publish->generation, &call, on_authorized, publish);
    } else if (!ingest->key_count) {
        authorized(publish, &nobody, false);
    } else if (has_key(ingest, &publish->exchange->request)) {
        authorized(publish, &nobody, true);
    } else {
        fail(publish, 401, "unauthorized", "Who publishes here needs a key: Authorization: Bearer.");
    }
}

void ingest_request(struct app *app, const struct plan_ingest *ingest, struct exchange *exchange,
                    struct pattern_match *match)
{
    struct publish *publish = xcalloc(1, sizeof(*publish));
    pattern_match_destroy(match);
    publish->app = app;
    publish->generation = generation_ref(app_generation(app));
    publish->ingest = ingest;
    publish->intake = intake_of(app_ingests(app), ingest->at.name);
    publish->intake->under_way++;
    publish->exchange = exchange;
    list_create(&publish->node);
    job_create(&publish->job, go_on);
    exchange->gone = on_gone;
    exchange->owner = publish;
    app_visit_began(app);
    authorize(publish);
}
