#include "engine/visit.h"

#include "base/alloc.h"
#include "engine/answer.h"
#include "engine/app.h"
#include "engine/asked.h"
#include "engine/errand.h"
#include "engine/guard.h"
#include "engine/hooks.h"

struct visit {
    struct app *app;
    struct generation *generation; /* the one of its route; held */
    const struct plan_route *route;
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

static void fail(struct visit *visit, int status, const char *code, const char *message)
{
    struct answer_headers headers = {.count = 0};
    guard_headers(&visit->route->at, &visit->exchange->request, &headers);
    answer_error(visit->exchange, status, code, message, status == 503 ? 1 : 0, &headers);
    visit_free(visit);
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
    guard_headers(&visit->route->at, &visit->exchange->request, &headers);
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

static void run(struct visit *visit)
{
    const struct hook_call call = {.kind = HOOK_ROUTE,
                                   .hook = visit->route->run,
                                   .request = &visit->exchange->request,
                                   .who = &visit->who,
                                   .tag = visit->tag,
                                   .pattern = visit->route->at.path,
                                   .params = &visit->match};
    call_hook(visit, &call, on_answered);
}

static void on_authenticated(void *owner, const struct hook_result *result)
{
    struct visit *visit = owner;
    errand_over(&visit->errand);
    if (result->forbidden) {
        fail(visit, 403, "forbidden", "You may not have what you asked for.");
    } else if (result->outcome == OUTCOME_NO) {
        fail(visit, 401, "unauthorized", "Who you are is not known here; sign in first.");
    } else if (result->outcome == OUTCOME_UNKNOWN) {
        fail(visit, 503, "unavailable", "Whether you may do this is not known now; try again.");
    } else {
        visit->who = result->who;
        atom_ref(visit->who.user);
        atom_ref(visit->who.data);
        run(visit);
    }
}

void visit_request(struct app *app, const struct plan_route *route, struct exchange *exchange,
                   struct pattern_match *match)
{
    struct atom *tag;
    if (!asked_tag(&route->at, exchange, &tag)) {
        pattern_match_destroy(match);
        return;
    }
    struct visit *visit = xcalloc(1, sizeof(*visit));
    visit->app = app;
    visit->generation = generation_ref(app_generation(app));
    visit->route = route;
    visit->exchange = exchange;
    visit->match = *match;
    visit->tag = tag;
    exchange->gone = on_gone;
    exchange->owner = visit;
    app_visit_began(app);
    if (!route->at.identity) {
        run(visit);
        return;
    }
    const struct hook_call call = {.kind = HOOK_AUTHENTICATE,
                                   .hook = route->at.identity,
                                   .request = &exchange->request,
                                   .tag = tag};
    call_hook(visit, &call, on_authenticated);
}
