#include "engine/visit.h"

#include "base/alloc.h"
#include "engine/answer.h"
#include "engine/app.h"
#include "engine/asked.h"
#include "engine/census.h"
#include "engine/errand.h"
#include "engine/finals.h"
#include "engine/guard.h"
#include "engine/hooks.h"
#include "engine/refusal.h"
#include "engine/unpublished.h"

struct visit {
    struct app *app;
    struct generation *generation; /* the one of its route; held */
    const struct plan_endpoint *at;
    const struct plan_route *route; /* NULL: the head of a stream is asked for */
    struct exchange *exchange;
    struct pattern_match match;
    struct identity who;
    struct atom *tag;
    struct errand errand;
};

static void visit_free(struct visit *visit)
{
    errand_cancel(&visit->errand);
    pattern_match_destroy(&visit->match);
    atom_unref(visit->who.user);
    atom_unref(visit->who.data);
    atom_unref(visit->tag);
    generation_unref(visit->generation);
    app_visit_ended(visit->app);
    xfree(visit);
}

static void on_gone(void *owner)
{
    visit_free(owner);
}

static void fail_for(struct visit *visit, int status, const char *code, const char *message,
                     unsigned retry_after_s)
{
    struct answer_headers headers = {.count = 0};
    guard_headers(visit->at, &visit->exchange->request, &headers);
    answer_error(visit->exchange, status, code, message, retry_after_s, &headers);
    visit_free(visit);
}

static void fail(struct visit *visit, int status, const char *code, const char *message)
{
    fail_for(visit, status, code, message, status == 503 ? 1 : 0);
}

static struct toll *toll_of(const struct visit *visit)
{
    return &app_census(visit->app)->toll;
}

/* 0 ms: it may go on. */
static bool pay(struct visit *visit, uint64_t wait_ms)
{
    enum { LONGEST_MS = 3600 * 1000 };
    if (!wait_ms) return true;
    if (wait_ms > LONGEST_MS) wait_ms = LONGEST_MS;
    app_census(visit->app)->routes_limited++;
    fail_for(visit, 429, "rate", "You ask more often than you may; wait.",
             (unsigned)((wait_ms + 999) / 1000));
    return false;
}

static bool has_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (bytes_is(response->headers[i].name, name)) return true;
    return false;
}

/* The rule's answer, with the headers that every answer of a route has. */
static void on_answered(void *owner, const struct hook_result *result)
{
    struct visit *visit = owner;
    errand_over(&visit->errand);
    if (result->unpublished) {
        fail(visit, 503, "unavailable", unpublished_sentence(result->unpublished));
        return;
    }
    if (result->outcome != OUTCOME_YES) {
        fail(visit, 500, "rule_failed", "The rule for this request failed.");
        return;
    }
    struct http_response response = result->response;
    struct answer_headers headers = {.count = 0};
    if (response.header_count > ANSWER_HEADERS_MAX - 8) {
        fail(visit, 500, "too_many_headers", "The rule answered with too many headers.");
        return;
    }
    guard_headers(visit->at, &visit->exchange->request, &headers);
    for (size_t i = 0; i < response.header_count; i++)
        headers.items[headers.count++] = response.headers[i];
    if (!has_header(&response, "cache-control"))
        answer_header(&headers, "cache-control", BYTES("no-store"));
    response.headers = headers.items;
    response.header_count = headers.count;
    visit->exchange->ops->respond(visit->exchange, &response);
    visit_free(visit);
}

/* The visit may be gone afterwards: see errand_start. */
static void call_hook(struct visit *visit, const struct hook_call *call, hook_done_f *done)
{
    errand_start(&visit->errand, visit->generation, call, done, visit);
}

/* A GET would be told that its stream was ended for good. */
static bool is_final(const struct visit *visit)
{
    return !visit->route && finals_has(app_finals(visit->app), visit->at->name, visit->who.user,
                                       visit->tag, app_ports(visit->app)->clock->now_ms);
}

/* What a GET would begin with. */
static void answer_head(struct visit *visit)
{
    struct exchange *exchange = visit->exchange;
    struct answer_headers headers = {.count = 0};
    if (is_final(visit)) {
        guard_headers(visit->at, &exchange->request, &headers);
        refusal_answer(exchange, REFUSED_FINAL, REFUSE_STATUS, 0, app_ports(visit->app)->random,
                       &headers);
        visit_free(visit);
        return;
    }
    answer_stream_headers(&headers);
    guard_headers(visit->at, &exchange->request, &headers);
    struct sink *sink = exchange->ops->stream(exchange, 200, headers.items, headers.count);
    sink->ops->close(sink, "head");
    visit_free(visit);
}

static void run(struct visit *visit)
{
    if (!visit->route) {
        answer_head(visit);
        return;
    }
    const struct hook_call call = {.kind = HOOK_ROUTE,
                                   .hook = visit->route->run,
                                   .request = &visit->exchange->request,
                                   .who = &visit->who,
                                   .tag = visit->tag,
                                   .pattern = visit->at->path,
                                   .params = &visit->match};
    call_hook(visit, &call, on_answered);
}

static void fail_no(struct visit *visit, enum no no)
{
    if (no == NO_FORBIDDEN)
        fail(visit, 403, "forbidden", "You may not have what you asked for.");
    else if (no == NO_BAD_REQUEST)
        fail(visit, 400, "bad_request", "Something in the request is missing or wrong.");
    else
        fail(visit, 401, "unauthorized", "Who you are is not known here; sign in first.");
}

static void on_authenticated(void *owner, const struct hook_result *result)
{
    struct visit *visit = owner;
    errand_over(&visit->errand);
    if (result->outcome == OUTCOME_NO) {
        fail_no(visit, result->no);
    } else if (result->outcome == OUTCOME_UNKNOWN) {
        fail(visit, 503, "unavailable", "Whether you may do this is not known now; try again.");
    } else {
        visit->who = result->who;
        atom_ref(visit->who.user);
        atom_ref(visit->who.data);
        const uint64_t wait_ms =
            toll_user(toll_of(visit), app_plan(visit->app)->app, visit->at, visit->who.user);
        if (is_final(visit) || pay(visit, wait_ms)) run(visit);
    }
}

static struct visit *visit_new(struct app *app, const struct plan_endpoint *at,
                               struct exchange *exchange, struct atom *tag)
{
    struct visit *visit = xcalloc(1, sizeof(*visit));
    visit->app = app;
    visit->generation = generation_ref(app_generation(app));
    visit->at = at;
    visit->exchange = exchange;
    visit->tag = tag;
    exchange->gone = on_gone;
    exchange->owner = visit;
    app_visit_began(app);
    return visit;
}

static void begin(struct visit *visit)
{
    if (!visit->at->identity) {
        run(visit);
        return;
    }
    const struct hook_call call = {.kind = HOOK_AUTHENTICATE,
                                   .hook = visit->at->identity,
                                   .request = &visit->exchange->request,
                                   .tag = visit->tag};
    call_hook(visit, &call, on_authenticated);
}

void visit_request(struct app *app, const struct plan_route *route, struct exchange *exchange,
                   struct pattern_match *match)
{
    struct atom *tag;
    if (!asked_tag(&route->at, exchange, &tag)) {
        pattern_match_destroy(match);
        return;
    }
    struct visit *visit = visit_new(app, &route->at, exchange, tag);
    visit->route = route;
    visit->match = *match;
    if (pay(visit, toll_route(toll_of(visit), app_plan(app)->app, visit->at, exchange->request.address)))
        begin(visit);
}

void visit_head(struct app *app, const struct plan_stream *stream, struct exchange *exchange)
{
    struct atom *tag;
    if (!asked_tag(&stream->at, exchange, &tag)) return;
    struct visit *visit = visit_new(app, &stream->at, exchange, tag);
    if (!census_has_room(app_census(app)))
        fail(visit, 503, "full", "No more streams can be taken now; try again.");
    else if (pay(visit, toll_stream(toll_of(visit), app_plan(app)->app, visit->at, exchange->request.address)))
        begin(visit);
}
