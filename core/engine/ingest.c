#include "engine/ingest_state.h"

#include "base/alloc.h"
#include "base/text.h"
#include "engine/census.h"
#include "engine/ingest_answer.h"
#include "engine/shadow.h"
#include "engine/unpublished.h"

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

void publish_free(struct publish *publish)
{
    errand_cancel(&publish->errand);
    later_cancel(&publish->job);
    clock_cancel(app_ports(publish->app)->clock, &publish->again);
    reservation_destroy(&publish->reservation);
    turn_end(&publish->turn);
    if (publish->first)
        publish_pass_on(publish);
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

void publish_fail(struct publish *publish, int status, const char *code, const char *message)
{
    fail_for(publish, status, code, message, status == 429 || status == 503 ? 1 : 0);
}

static void fail_by(struct publish *publish, const struct publication_fault *fault)
{
    publish_fail(publish, fault->status, fault->code, fault->sentence);
}

void publish_fail_other(struct publish *publish)
{
    publish_fail(publish, 409, "other_request",
                 "Something else was published under this id; another event needs another id.");
}

/* Its publisher may have gone. */
static void respond(struct publish *publish, const struct http_response *response)
{
    if (!publish->exchange) return;
    ingest_answer(publish->exchange, publish->ingest, response);
    publish->exchange = NULL;
}

void publish_respond_kept(struct publish *publish, struct bytes kept, bool duplicate)
{
    if (publish->exchange) ingest_answer_kept(publish->exchange, publish->ingest, kept, duplicate);
    publish->exchange = NULL;
    if (duplicate) app_census(publish->app)->publish_duplicates++;
}

/* ---- the handlers have ended ---- */

void publish_finish(struct publish *publish, const struct places *places, struct bytes rest,
                    bool duplicate)
{
    struct buf body = BUF_EMPTY;
    reservation_kept(&publish->reservation);
    ingest_answer_write(app_hub(publish->app), places, rest, &body);
    publish_respond_kept(publish, buf_bytes(&body), duplicate);
    if (publish->first) publish_keep(publish, buf_bytes(&body));
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
    publish_finish(publish, result->published, buf_bytes(&rest), false);
    buf_destroy(&rest);
}

static void on_handled(void *owner, const struct hook_result *result)
{
    struct publish *publish = owner;
    struct shadow *shadow = app_shadow(publish->app);
    errand_over(&publish->errand);
    if (shadow) shadow_live_ended(shadow, publish->publication->events, result->outcome);
    if (result->again.data) {
        publish_finish(publish, result->published, result->again, true);
    } else if (result->outcome == OUTCOME_YES) {
        succeed(publish, result);
    } else if (result->outcome == OUTCOME_NO) {
        app_census(publish->app)->publishes_refused++;
        respond(publish, &result->response);
        publish_free(publish);
    } else if (result->unpublished && strcmp(result->unpublished, "other") == 0) {
        publish_fail_other(publish);
    } else if (result->unpublished) {
        publish_fail(publish, 503, "unavailable", unpublished_sentence(result->unpublished));
    } else {
        publish_fail(publish, 500, "rule_failed",
                     "The rule for this event failed; nothing of this request was published.");
    }
}

/* ---- its handlers ---- */

void publish_run(struct publish *publish)
{
    struct generation *generation = app_generation(publish->app);
    struct publication_fault fault;
    const struct plan_ingest *ingest =
        plan_ingest_named(generation_plan(generation), publish->intake->name);
    if (!ingest) {
        publish_fail(publish, 404, "not_found", "Nothing is published here any more.");
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
        .kind = HOOK_PUBLISH,
        .hook = ingest->run,
        .publication = publish->publication,
        .terms = publish->reserved ? publish_terms(publish) : NULL};
    if (shadow) shadow_publication(shadow, publish->publication);
    publish->handling = true;
    app_census(publish->app)->ingest_events += publish->publication->count;
    errand_start(&publish->errand, generation, &call, on_handled, publish);
}

/* ---- its turn ---- */

static void handle(struct publish *publish)
{
    if (publish->first && app_ports(publish->app)->joint)
        publish_reserve(publish);
    else
        publish_run(publish);
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

void publish_take_turn(struct publish *publish)
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
        publish_fail(publish, 429, "too_many_waiting",
                     "Too many publishes of this publisher wait already; try again.");
    else if (taken == TURN_ALL_FULL)
        publish_fail(publish, 503, "too_many_waiting", "Too many publishes wait already; try again.");
    else if (taken == TURN_COME)
        handle(publish);
}

static void on_turn(struct turn *turn)
{
    struct publish *publish = CONTAINER(turn, struct publish, turn);
    later_post(app_ports(publish->app)->later, LATER_SOON, &publish->job);
}

/* Its turn has come, or the one that it waited for has failed. */
void publish_go_on(struct job *job)
{
    struct publish *publish = CONTAINER(job, struct publish, job);
    if (turn_stands(&publish->turn))
        handle(publish);
    else
        publish_take_turn(publish);
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
        publish_look_up(publish);
}

static void fail_no(struct publish *publish, enum no no)
{
    if (no == NO_FORBIDDEN)
        publish_fail(publish, 403, "forbidden", "You may not publish here.");
    else if (no == NO_BAD_REQUEST)
        publish_fail(publish, 400, "bad_request", "Something in the request is missing or wrong.");
    else
        publish_fail(publish, 401, "unauthorized", "Who publishes here must say who it is.");
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
        publish_fail(publish, 503, "unavailable", "Whether you may publish is not known now; try again.");
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
        publish_fail(publish, 401, "unauthorized", "Who publishes here needs a key: Authorization: Bearer.");
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
    job_create(&publish->job, publish_go_on);
    timer_init(&publish->again, publish_look_again);
    exchange->gone = on_gone;
    exchange->owner = publish;
    app_visit_began(app);
    authorize(publish);
}
