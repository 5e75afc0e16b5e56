/* A subscriber's way in: every step with every answer, at once and late, with the client gone or
 * the node draining meanwhile; what it asks for; how it is refused; drains. */
#include "engine/attach.c"

#include "engine/reload.h"
#include "engine/drain.h"
#include "engine_world.h"

#define TAG "0123456789abcdef"

static struct world *world;

static int begin(void **state)
{
    (void)state;
    world = world_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free(world);
    return 0;
}

/* As many leases as live subscribers: each has one upstream here. */
static void assert_leases(uint32_t count)
{
    assert_int_equal(leases(world), count);
    assert_int_equal(hub_counters(app_hub(world->app))->subscribers, count);
}

static struct client *ask_for(const char *query)
{
    return request(world, "GET", "/events", query, "x-user: ann\nx-data: token");
}

static void assert_refused(const struct client *client, int status, const char *code)
{
    assert_int_equal(client->state, CLIENT_ANSWERED);
    assert_int_equal(client->status, status);
    assert_true(has(&client->body, code));
    assert_int_equal(has(&client->head, "retry-after: "), status == 503);
    assert_int_equal(streams(world), 0);
}

/* ---- every step ---- */

static const struct step {
    enum hook_kind kind;
    int no; /* the status when it says no; 200: goes on without */
    const char *no_code;
} steps[] = {
    {HOOK_AUTHENTICATE, 401, "\"unauthorized\""},
    {HOOK_KEY, 200, NULL},
    {HOOK_TOPICS, 200, NULL},
    {HOOK_SUBSCRIBE, 403, "\"forbidden\""},
};

static void check_answer(const struct client *client, const struct step *step, enum outcome outcome)
{
    if (outcome == OUTCOME_UNKNOWN)
        assert_refused(client, 503, "\"unavailable\"");
    else if (outcome == OUTCOME_NO && step->no != 200)
        assert_refused(client, step->no, step->no_code);
    else
        assert_int_equal(client->state, CLIENT_STREAM);
    const bool live = client->state == CLIENT_STREAM;
    const bool leased = live && !(step->kind == HOOK_KEY && outcome == OUTCOME_NO);
    assert_int_equal(leases(world), leased ? 1 : 0);
    assert_int_equal(waiting(world), 0);
    assert_int_equal(streams(world), live ? 1 : 0);
}

static void goes_by_every_answer_at_once(void **state)
{
    (void)state;
    world_start(world, NULL);
    for (size_t i = 0; i < COUNT(steps); i++) {
        for (int outcome = OUTCOME_YES; outcome <= OUTCOME_UNKNOWN; outcome++) {
            world->answers[steps[i].kind] = (enum answer)outcome;
            struct client *client = ask_for("topic=open:1");
            check_answer(client, &steps[i], (enum outcome)outcome);
            client_cut(client);
            settle(world);
            assert_leases(0);
            world->answers[steps[i].kind] = ANSWER_YES;
        }
    }
}

static void goes_by_every_answer_that_comes_late(void **state)
{
    (void)state;
    world_start(world, NULL);
    for (size_t i = 0; i < COUNT(steps); i++) {
        for (int outcome = OUTCOME_YES; outcome <= OUTCOME_UNKNOWN; outcome++) {
            world->answers[steps[i].kind] = ANSWER_WAIT;
            struct client *client = ask_for("topic=open:1");
            assert_int_equal(client->state, CLIENT_WAITING);
            assert_leases(0);
            advance(world, 3000);
            world_answer(world, steps[i].kind, (enum outcome)outcome);
            check_answer(client, &steps[i], (enum outcome)outcome);
            client_cut(client);
            settle(world);
            assert_leases(0);
            world->answers[steps[i].kind] = ANSWER_YES;
        }
    }
    assert_int_equal(world->cancelled, 0);
}

static void undoes_it_when_the_client_goes(void **state)
{
    (void)state;
    world_start(world, NULL);
    for (size_t i = 0; i < COUNT(steps); i++) {
        world->answers[steps[i].kind] = ANSWER_WAIT;
        struct client *client = ask_for("topic=open:1");
        client_cut(client);
        assert_int_equal(waiting(world), 0);
        assert_int_equal(world->cancelled, (int)i + 1);
        assert_int_equal(streams(world), 0);
        assert_leases(0);
        world->answers[steps[i].kind] = ANSWER_YES;
    }
}

static void refuses_those_on_the_way_in_when_it_drains(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        world_start(world, NULL);
        world->answers[steps[i].kind] = ANSWER_WAIT;
        struct client *client = ask_for("topic=open:1");
        node_drain(world->node, 0);
        assert_refused(client, 503, "\"unavailable\"");
        assert_int_equal(world->cancelled, 1);
        world_free(world);
        world = world_new();
    }
    world_start(world, NULL);
}

static void asks_in_order(void **state)
{
    (void)state;
    world->events->connect = HOOK_CONNECT + 1;
    world->events->disconnect = HOOK_DISCONNECT + 1;
    world_start(world, NULL);
    struct client *client = ask_for("topic=open:1&x=y&topic=open:2");
    assert_said(world, "authenticate key topics subscribe:open:1 subscribe:open:2 request connect");
    client_cut(client);
    settle(world);
    assert_said(world, "disconnect:client");
}

/* ---- connect and disconnect ---- */

static void ends_whom_connect_refuses(void **state)
{
    (void)state;
    world->events->connect = HOOK_CONNECT + 1;
    world->events->disconnect = HOOK_DISCONNECT + 1;
    world_start(world, NULL);
    world->answers[HOOK_CONNECT] = ANSWER_NO;
    struct client *client = ask_for(NULL);
    assert_int_equal(client->state, CLIENT_ENDED);
    assert_string_equal(client->why, "refused");
    assert_said(world, "authenticate key topics request connect disconnect:refused");
    world->answers[HOOK_CONNECT] = ANSWER_WAIT;
    client = ask_for(NULL);
    assert_int_equal(client->state, CLIENT_STREAM);
    world_answer(world, HOOK_CONNECT, OUTCOME_NO);
    assert_string_equal(client->why, "refused");
    assert_leases(0);
}

static void lets_be_whom_a_broken_connect_met(void **state)
{
    (void)state;
    world->events->connect = HOOK_CONNECT + 1;
    world->answers[HOOK_CONNECT] = ANSWER_UNKNOWN;
    world_start(world, NULL);
    assert_int_equal(ask_for(NULL)->state, CLIENT_STREAM);
}

static void cancels_a_connect_that_waits_and_keeps_the_seat_for_disconnect(void **state)
{
    (void)state;
    world->events->connect = HOOK_CONNECT + 1;
    world->events->disconnect = HOOK_DISCONNECT + 1;
    world->answers[HOOK_CONNECT] = world->answers[HOOK_DISCONNECT] = ANSWER_WAIT;
    world_start(world, NULL);
    struct client *client = ask_for(NULL);
    client_cut(client);
    settle(world);
    assert_int_equal(world->cancelled, 1);
    assert_leases(0);
    assert_int_equal(streams(world), 1); /* until the rule has heard of it */
    assert_false(node_idle(world->node));
    world_answer(world, HOOK_DISCONNECT, OUTCOME_UNKNOWN);
    assert_int_equal(streams(world), 0);
}

static void end_subscriber(struct world *of, const struct hook_call *call)
{
    (void)of;
    struct subscriber *subscriber = call->seat ? seat_subscriber(call->seat) : NULL;
    if (subscriber) subscriber_end(subscriber, END_KICKED);
}

static void survives_a_rule_that_ends_whom_it_is_asked_about(void **state)
{
    (void)state;
    world->events->connect = HOOK_CONNECT + 1;
    world->events->disconnect = HOOK_DISCONNECT + 1;
    world->on_call = end_subscriber;
    for (int i = 0; i < 2; i++) {
        world->answers[HOOK_CONNECT] = i ? ANSWER_WAIT : ANSWER_YES;
        if (!i) world_start(world, NULL);
        struct client *client = ask_for(NULL);
        assert_string_equal(client->why, "kicked");
        assert_said(world, "authenticate key topics request connect disconnect:kicked");
        assert_leases(0);
        advance(world, 20000);
    }
}

static void tells_disconnect_only_of_those_who_connected(void **state)
{
    (void)state;
    world->events->disconnect = HOOK_DISCONNECT + 1;
    world->names = "secret:1";
    world_start(world, NULL);
    struct client *first = ask_for(NULL);
    emit(world, "secret:1", "x");
    char query[100];
    snprintf(query, sizeof(query), "last_event_id=%.*s", (int)first->parser.last_id.size,
             first->parser.last_id.data);
    emit(world, "secret:1", "y");
    buf_clear(&world->said);
    world->on_call = end_subscriber; /* in the filter that the replay asks */
    struct client *second = ask_for(query);
    assert_string_equal(second->why, "kicked");
    assert_said(world, "authenticate key topics filter:y");
    assert_leases(1);
}

/* ---- what it asks for ---- */

static void gives_what_the_rule_and_the_client_named(void **state)
{
    (void)state;
    world->names = "user:ann news user:ann";
    world_start(world, NULL);
    struct client *client = ask_for("topic=open%3Ablue&topic=news&topic=open:blue");
    assert_int_equal(client->state, CLIENT_STREAM);
    assert_said(world, "authenticate key topics subscribe:open:blue request");
    client_forget(client);
    emit(world, "user:ann", "1");
    emit(world, "news", "2");
    emit(world, "open:blue", "3");
    emit(world, "open:red", "4");
    assert_story(client, "t 1\nt 2\nt 3\n");
}

static void refuses_what_nobody_may_ask_for(void **state)
{
    (void)state;
    world_start(world, NULL);
    static const char *const queries[] = {"topic=news", "topic=nothing", "topic=open:a:b",
                                          "topic=open:1&topic=news", "topic=%zz", "topic=%00",
                                          "topic=", "x=1&topic=&y"};
    for (size_t i = 0; i < COUNT(queries); i++)
        assert_refused(ask_for(queries[i]), 403, "\"forbidden\"");
    assert_leases(0);
    assert_int_equal(node_counters(world->node)->refused[REFUSED_FORBIDDEN], COUNT(queries));
}

static void takes_so_many_topics(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *client = ask_for("topic=open:1&topic=open:2&topic=open:3");
    assert_int_equal(client->state, CLIENT_STREAM);
    client_cut(client);
    settle(world);
    assert_refused(ask_for("topic=open:1&topic=open:2&topic=open:3&topic=open:4"), 403,
                   "\"forbidden\"");
}

static void takes_very_many_topics_without_piling_up(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.hub.topics = 10000;
    world->events->topics_max = 6000;
    world_start(world, &limits);
    struct buf query = BUF_EMPTY;
    for (int i = 0; i < 5000; i++) buf_printf(&query, "topic=open:%d&", i);
    struct client *client = ask_for(buf_text(&query));
    assert_int_equal(client->state, CLIENT_STREAM);
    buf_destroy(&query);
}

/* A fault of the rule is no "no" to the client. */
static void says_what_rule_gives_a_topic_that_is_none(void **state)
{
    (void)state;
    world_start(world, NULL);
    world->names = "user:ann nothing:1";
    assert_refused(ask_for(NULL), 503, "\"unavailable\"");
    world->names = "open:1 open:2 open:3 open:4 open:5";
    assert_refused(ask_for(NULL), 503, "\"unavailable\"");
    assert_text(buf_bytes(&world->faults),
                "a topic cannot be had\na stream's rule gave too many topics\n");
    buf_clear(&world->faults);
    assert_leases(0);
}

static void refuses_where_there_is_no_room_for_a_topic(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.hub.topics = 1;
    world_start(world, &limits);
    struct client *client = ask_for(NULL);
    assert_int_equal(client->state, CLIENT_STREAM);
    client = request(world, "GET", "/events", NULL, "x-user: bob");
    assert_int_equal(client->status, 503);
    assert_true(has(&client->body, "\"full\""));
    assert_leases(1);
    buf_clear(&world->faults);
}

static void resumes_where_the_client_was(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *keep = ask_for(NULL), *gone = ask_for(NULL);
    emit(world, "user:ann", "1");
    client_cut(gone);
    emit(world, "user:ann", "2");
    char header[200], query[100];
    snprintf(query, sizeof(query), "last_event_id=%.*s", (int)gone->parser.last_id.size,
             gone->parser.last_id.data);
    struct client *back = ask_for(query);
    assert_story(back, "ready {\"resumed\":true,\"missed\":1,\"tag\":null}\nt 2\n");
    assert_int_equal(back->retry_ms, 2000);
    snprintf(header, sizeof(header), "x-user: ann\nlast-event-id: %.*s",
             (int)keep->parser.last_id.size, keep->parser.last_id.data);
    back = request(world, "GET", "/events", query, header); /* the header wins */
    assert_story(back, "ready {\"resumed\":true,\"missed\":0,\"tag\":null}\n");
}

static void takes_a_tag_by_header_then_by_query(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *client = request(world, "GET", "/events", "tag=" TAG, "x-user: ann");
    assert_story(client, "ready {\"resumed\":false,\"missed\":null,\"tag\":\"" TAG "\"}\n");
    client = request(world, "GET", "/events", "tag=" TAG,
                     "x-user: ann\nx-session-tag: fedcba9876543210");
    assert_story(client,
                 "ready {\"resumed\":false,\"missed\":null,\"tag\":\"fedcba9876543210\"}\n");
    struct atom *ann = atom_of("ann"), *tag = atom_of(TAG);
    assert_true(app_tab_open(world->app, ann, tag));
    atom_unref(ann);
    atom_unref(tag);
}

static void refuses_a_malformed_tag(void **state)
{
    (void)state;
    world->events->at.origins = xcalloc(1, sizeof(struct atom *));
    world->events->at.origins[world->events->at.origin_count++] = atom_of("https://b.ex");
    world_start(world, NULL);
    assert_int_equal(request(world, "GET", "/events", "tag=short", "x-user: ann")->status, 400);
    struct client *client = request(world, "GET", "/events", "tag=" TAG,
                                    "origin: https://b.ex\nx-session-tag: a tag with spaces in it");
    assert_int_equal(client->status, 400);
    assert_head(client, "access-control-allow-origin: https://b.ex"); /* the page may read it */
    assert_said(world, "");
    assert_int_equal(streams(world), 0);
}

/* ---- limits ---- */

static void takes_so_many_streams_of_a_user(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.streams_per_user = 2;
    world_start(world, &limits);
    assert_int_equal(ask_for(NULL)->state, CLIENT_STREAM);
    world->answers[HOOK_TOPICS] = ANSWER_WAIT;
    struct client *second = ask_for(NULL), *third = ask_for(NULL); /* both are let on */
    world_answer(world, HOOK_TOPICS, OUTCOME_YES);
    assert_int_equal(second->state, CLIENT_STREAM);
    world_answer(world, HOOK_TOPICS, OUTCOME_YES);
    assert_int_equal(third->status, 503);
    assert_int_equal(ask_for(NULL)->status, 503);
    world->answers[HOOK_TOPICS] = ANSWER_YES;
    assert_int_equal(request(world, "GET", "/events", NULL, "x-user: bob")->status, 200);
    assert_leases(3);
}

static void gives_back_what_it_took_when_there_are_too_many_links(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.links = 1;
    make_upstreams(world->events, make_upstream(world->plan, "other", NULL));
    world_start(world, &limits);
    struct client *client = ask_for(NULL);
    assert_int_equal(client->status, 503);
    assert_leases(0);
    assert_int_equal(node_links(world->node), 1); /* in its grace period */
    advance(world, 10000);
    assert_int_equal(node_links(world->node), 0);
}

/* ---- refusals ---- */

static void can_refuse_so_that_a_browser_comes_back(void **state)
{
    (void)state;
    world->events->refusal = REFUSE_RETRY;
    world->answers[HOOK_AUTHENTICATE] = ANSWER_UNKNOWN;
    world_start(world, NULL);
    struct client *client = ask_for(NULL);
    assert_int_equal(client->status, 200);
    assert_int_equal(client->state, CLIENT_ENDED);
    assert_head(client, "content-type: text/event-stream");
    assert_true(client->retry_ms >= 2000 && client->retry_ms < 10000);
    assert_int_equal(client->writes, 1);
    assert_story(client, "");
    world->answers[HOOK_AUTHENTICATE] = ANSWER_NO; /* a plain no is always a status */
    assert_refused(ask_for(NULL), 401, "\"unauthorized\"");
}

static void lets_everybody_in_where_there_is_no_identity(void **state)
{
    (void)state;
    make_stream(world->plan, "public", "/public")->topics = HOOK_TOPICS + 1;
    make_stream(world->plan, "bare", "/bare");
    world->names = "news";
    world_start(world, NULL);
    struct client *client = request(world, "GET", "/public", NULL, NULL);
    assert_int_equal(client->state, CLIENT_STREAM);
    assert_said(world, "topics");
    assert_int_equal(request(world, "GET", "/bare", NULL, NULL)->state, CLIENT_STREAM);
    assert_said(world, "");
    client_forget(client);
    emit(world, "news", "1");
    assert_story(client, "t 1\n");
}

/* ---- ends ---- */

static void ends_when_its_time_is_over(void **state)
{
    (void)state;
    world->events->lifetime_ms = 10000;
    world_start(world, NULL);
    struct client *client = ask_for(NULL);
    advance(world, 7999);
    assert_int_equal(client->state, CLIENT_STREAM);
    advance(world, 2001);
    assert_string_equal(client->why, "lifetime");
    assert_int_equal(node_counters(world->node)->ends[END_LIFETIME], 1);
    assert_leases(0);
}

static void ends_when_what_it_is_expires(void **state)
{
    (void)state;
    world->events->lifetime_ms = 1000000;
    world_start(world, NULL);
    world->expires_wall_ms = world->clock.wall_ms + 20000;
    struct client *clients[10];
    for (size_t i = 0; i < COUNT(clients); i++) clients[i] = ask_for(NULL);
    advance(world, 17999);
    for (size_t i = 0; i < COUNT(clients); i++) assert_int_equal(clients[i]->state, CLIENT_STREAM);
    size_t left = 0;
    advance(world, 1000);
    for (size_t i = 0; i < COUNT(clients); i++) left += clients[i]->state == CLIENT_STREAM;
    assert_in_range(left, 1, COUNT(clients) - 1); /* not all in one moment */
    advance(world, 1001);
    for (size_t i = 0; i < COUNT(clients); i++) {
        assert_string_equal(clients[i]->why, "expired");
        assert_int_equal(client_count(clients[i], "expired"), 1);
    }
    assert_leases(0);
    struct client *late = ask_for(NULL); /* it is over already */
    advance(world, 1);
    assert_string_equal(late->why, "expired");
}

/* ---- reloads on the way in ---- */

/* Rules that declare no `secret` any more. */
static void reload(void)
{
    struct plan *plan = another_plan(world, BYTES("app"));
    struct plan_upstream *inbox = make_upstream(plan, "inbox", make_topic(plan, "user:{user}"));
    make_upstreams(make_stream(plan, "events", "/events"), inbox);
    reload_app(world->app, generation_new(plan, &world->hooks, &world->later, NULL, NULL));
    settle(world);
}

static void goes_live_under_the_rules_that_are_there_now(void **state)
{
    (void)state;
    world_start(world, NULL);
    world->answers[HOOK_TOPICS] = ANSWER_WAIT;
    struct client *client = ask_for(NULL);
    reload();
    world_answer(world, HOOK_TOPICS, OUTCOME_YES);
    assert_int_equal(client->state, CLIENT_STREAM);
    assert_leases(1);
}

static void gives_no_topic_that_lost_its_guard_on_the_way(void **state)
{
    (void)state;
    world_start(world, NULL);
    world->names = "secret:1";
    world->answers[HOOK_TOPICS] = ANSWER_WAIT;
    struct client *client = ask_for(NULL);
    const struct app_emit held = {.name = BYTES("secret:1"), /* a window keeps the topic */
                                  .emit = {.type = BYTES("t"),
                                           .data = BYTES("held"),
                                           .replaces = BYTES("k"),
                                           .within_ms = 60000}};
    app_emit(world->app, &held, 1);
    reload();
    world_answer(world, HOOK_TOPICS, OUTCOME_YES);
    assert_refused(client, 503, "\"unavailable\"");
}

/* ---- drains ---- */

static void sends_everybody_away_with_a_time_to_come_back(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *clients[10];
    uint64_t first = 0, different = 0;
    for (size_t i = 0; i < COUNT(clients); i++) clients[i] = ask_for(NULL);
    node_drain(world->node, 5000);
    settle(world);
    for (size_t i = 0; i < COUNT(clients); i++) {
        assert_string_equal(clients[i]->why, "drain");
        assert_true(clients[i]->retry_ms >= 1000 && clients[i]->retry_ms <= 6000);
        if (!i) first = clients[i]->retry_ms;
        different += clients[i]->retry_ms != first;
    }
    assert_true(different > 5);
    assert_true(node_idle(world->node));
    struct client *late = ask_for(NULL);
    assert_int_equal(late->status, 503);
    assert_true(node_idle(world->node));
}

static void gives_what_waits_in_windows_before_it_sends_away(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *client = ask_for(NULL);
    client_forget(client);
    const struct app_emit held = {.name = BYTES("user:ann"),
                                  .emit = {.type = BYTES("t"),
                                           .data = BYTES("held"),
                                           .replaces = BYTES("k"),
                                           .within_ms = 60000}};
    app_emit(world->app, &held, 1);
    settle(world);
    assert_story(client, "");
    const struct app_emit now = {.name = BYTES("user:ann"),
                                 .emit = {.type = BYTES("t"), .data = BYTES("now")}};
    app_emit(world->app, &now, 1); /* not fanned out yet */
    node_drain(world->node, 0);
    settle(world);
    assert_story(client, "t now\nt held\n");
    assert_string_equal(client->why, "drain");
}

static void drains_while_a_filter_waits(void **state)
{
    (void)state;
    world->names = "secret:1";
    world->answers[HOOK_FILTER] = ANSWER_WAIT;
    world_start(world, NULL);
    struct client *client = ask_for(NULL);
    emit(world, "secret:1", "x");
    assert_int_equal(waiting(world), 1);
    node_drain(world->node, 0);
    settle(world);
    assert_int_equal(waiting(world), 0);
    assert_int_equal(world->cancelled, 1);
    assert_string_equal(client->why, "drain");
    assert_true(node_idle(world->node));
}

static void drains_a_client_that_takes_nothing(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *client = ask_for(NULL);
    client->room = 0;
    emit(world, "user:ann", "x");
    node_drain(world->node, 0);
    settle(world);
    assert_string_equal(client->why, "drain");
    assert_true(node_idle(world->node));
}

/* Nobody is sent away before what was emitted is fanned out, and nobody else waits for all farewells. */
static void sends_many_away_in_rounds(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.streams = 1000;
    limits.streams_per_user = 0;
    world_start(world, &limits);
    for (int i = 0; i < 5 * DRAIN_ROUND; i++) client_forget(ask_for(NULL));
    node_drain(world->node, 0);
    uint32_t before = node_counters(world->node)->streams, rounds = 0;
    while (later_round(&world->later)) {
        const uint32_t now = node_counters(world->node)->streams;
        assert_true(before - now <= DRAIN_ROUND);
        before = now;
        rounds++;
    }
    assert_true(rounds >= 5);
    assert_int_equal(before, 0);
    assert_true(node_idle(world->node));
}

static void gives_the_slow_a_while_to_take_what_waits(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.drain_patience_ms = 1000;
    world_start(world, &limits);
    struct client *slow = ask_for(NULL), *dead = ask_for(NULL);
    client_forget(slow);
    slow->room = dead->room = 0;
    emit(world, "user:ann", "x");
    node_drain(world->node, 0);
    settle(world);
    advance(world, 500);
    assert_null(slow->why);
    client_takes(slow, SIZE_MAX);
    settle(world);
    advance(world, 100);
    assert_string_equal(slow->why, "drain");
    assert_story(slow, "t x\n");
    assert_null(dead->why);
    advance(world, 500);
    assert_string_equal(dead->why, "drain");
    assert_true(node_idle(world->node));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(goes_by_every_answer_at_once),
        TEST(goes_by_every_answer_that_comes_late),
        TEST(undoes_it_when_the_client_goes),
        TEST(refuses_those_on_the_way_in_when_it_drains),
        TEST(asks_in_order),
        TEST(ends_whom_connect_refuses),
        TEST(lets_be_whom_a_broken_connect_met),
        TEST(cancels_a_connect_that_waits_and_keeps_the_seat_for_disconnect),
        TEST(survives_a_rule_that_ends_whom_it_is_asked_about),
        TEST(tells_disconnect_only_of_those_who_connected),
        TEST(gives_what_the_rule_and_the_client_named),
        TEST(refuses_what_nobody_may_ask_for),
        TEST(takes_so_many_topics),
        TEST(takes_very_many_topics_without_piling_up),
        TEST(says_what_rule_gives_a_topic_that_is_none),
        TEST(refuses_where_there_is_no_room_for_a_topic),
        TEST(resumes_where_the_client_was),
        TEST(takes_a_tag_by_header_then_by_query),
        TEST(refuses_a_malformed_tag),
        TEST(takes_so_many_streams_of_a_user),
        TEST(gives_back_what_it_took_when_there_are_too_many_links),
        TEST(can_refuse_so_that_a_browser_comes_back),
        TEST(lets_everybody_in_where_there_is_no_identity),
        TEST(ends_when_its_time_is_over),
        TEST(ends_when_what_it_is_expires),
        TEST(goes_live_under_the_rules_that_are_there_now),
        TEST(gives_no_topic_that_lost_its_guard_on_the_way),
        TEST(sends_everybody_away_with_a_time_to_come_back),
        TEST(gives_what_waits_in_windows_before_it_sends_away),
        TEST(drains_while_a_filter_waits),
        TEST(drains_a_client_that_takes_nothing),
        TEST(sends_many_away_in_rounds),
        TEST(gives_the_slow_a_while_to_take_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
