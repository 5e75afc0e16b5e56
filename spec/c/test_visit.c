/* Visits of routes: identity, the rule's answer, what every answer has, clients that go, drains. */
#include "engine/visit.c"

#include "engine_world.h"

#define TAG "0123456789abcdef"

static struct world *world;

static int set_up(void **state)
{
    (void)state;
    world = world_new();
    world->post->at.origins = xcalloc(1, sizeof(struct atom *));
    world->post->at.origins[world->post->at.origin_count++] = atom_of("https://b.ex");
    world_start(world, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_free(world);
    return 0;
}

static struct client *visit_room(const char *headers)
{
    return request(world, "POST", "/rooms/a%2Fb", NULL, headers);
}

static void assert_error(const struct client *client, int status, const char *code)
{
    assert_int_equal(client->state, CLIENT_ANSWERED);
    assert_int_equal(client->status, status);
    assert_true(has(&client->body, code));
    assert_head(client, "cache-control: no-store");
    assert_int_equal(has(&client->head, "retry-after: "), status == 503);
}

/* ---- outcomes ---- */

static void answers_what_the_rule_said(void **state)
{
    (void)state;
    struct client *client = visit_room("x-user: ann");
    assert_said(world, "authenticate route");
    assert_int_equal(client->status, 200);
    assert_text(buf_bytes(&client->body), "done");
    assert_text(buf_bytes(&client->head), "vary: Origin\nx-rule: said\ncache-control: no-store\n");
}

static const struct {
    enum hook_kind kind;
    enum outcome outcome;
    int status;
    const char *code;
} outcomes[] = {
    {HOOK_AUTHENTICATE, OUTCOME_YES, 200, "done"},
    {HOOK_AUTHENTICATE, OUTCOME_NO, 401, "\"unauthorized\""},
    {HOOK_AUTHENTICATE, OUTCOME_UNKNOWN, 503, "\"unavailable\""},
    {HOOK_ROUTE, OUTCOME_YES, 200, "done"},
    {HOOK_ROUTE, OUTCOME_NO, 500, "\"rule_failed\""},
    {HOOK_ROUTE, OUTCOME_UNKNOWN, 500, "\"rule_failed\""},
};

static void goes_by_every_answer_at_once_and_late(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(outcomes); i++) {
        for (int late = 0; late < 2; late++) {
            world->answers[outcomes[i].kind] =
                late ? ANSWER_WAIT : (enum answer)outcomes[i].outcome;
            struct client *client = visit_room("x-user: ann");
            if (late) assert_int_equal(client->state, CLIENT_WAITING);
            if (late) world_answer(world, outcomes[i].kind, outcomes[i].outcome);
            if (outcomes[i].status == 200)
                assert_text(buf_bytes(&client->body), "done");
            else
                assert_error(client, outcomes[i].status, outcomes[i].code);
            world->answers[outcomes[i].kind] = ANSWER_YES;
        }
    }
    assert_int_equal(waiting(world), 0);
}

static void stops_when_the_client_goes(void **state)
{
    (void)state;
    for (enum hook_kind kind = 0; kind < HOOK_KINDS; kind++) {
        if (kind != HOOK_AUTHENTICATE && kind != HOOK_ROUTE) continue;
        world->answers[kind] = ANSWER_WAIT;
        struct client *client = visit_room("x-user: ann");
        assert_int_equal(waiting(world), 1);
        client_cut(client);
        assert_int_equal(waiting(world), 0);
        world->answers[kind] = ANSWER_YES;
    }
    assert_int_equal(world->cancelled, 2);
    assert_true(app_idle(world->app));
}

static void goes_on_while_the_node_drains(void **state)
{
    (void)state;
    world->answers[HOOK_ROUTE] = ANSWER_WAIT;
    struct client *client = visit_room("x-user: ann");
    node_drain(world->node, 0);
    settle(world);
    assert_int_equal(client->state, CLIENT_WAITING);
    assert_false(node_idle(world->node));
    world_answer(world, HOOK_ROUTE, OUTCOME_YES);
    assert_int_equal(client->status, 200);
    assert_true(node_idle(world->node));
    world->answers[HOOK_ROUTE] = ANSWER_YES;
    assert_int_equal(visit_room("x-user: ann")->status, 200); /* on a connection that is kept */
}

/* ---- what the rule is given ---- */

static struct {
    char user[16], data[16], tag[40], room[16];
} given;

static void copy(char *to, size_t size, struct bytes from)
{
    snprintf(to, size, "%.*s", (int)from.size, from.data ? from.data : "");
}

static void note_given(struct world *of, const struct hook_call *call)
{
    (void)of;
    if (call->kind != HOOK_ROUTE) return;
    assert_text(pattern_param(call->pattern, 0), "room");
    copy(given.user, sizeof(given.user), atom_bytes(call->who->user));
    copy(given.data, sizeof(given.data), atom_bytes(call->who->data));
    copy(given.tag, sizeof(given.tag), atom_bytes(call->tag));
    copy(given.room, sizeof(given.room), call->params->values[0]);
}

static void gives_the_rule_who_asks_and_for_what(void **state)
{
    (void)state;
    world->on_call = note_given;
    visit_room("x-user: ann\nx-data: token\nx-session-tag: " TAG);
    assert_string_equal(given.user, "ann");
    assert_string_equal(given.data, "token");
    assert_string_equal(given.tag, TAG);
    assert_string_equal(given.room, "a/b");
    world->post->at.identity = 0;
    visit_room("x-user: ann");
    assert_string_equal(given.user, "");
    assert_string_equal(given.tag, "");
    world->post->at.identity = HOOK_AUTHENTICATE + 1;
}

static void refuses_a_malformed_tag(void **state)
{
    (void)state;
    struct client *client = visit_room("x-user: ann\norigin: https://b.ex\nx-session-tag: short");
    assert_error(client, 400, "\"bad_tag\"");
    assert_head(client, "access-control-allow-origin: https://b.ex");
    assert_said(world, "");
}

/* ---- what every answer has ---- */

static void lets_a_listed_page_read_every_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(outcomes); i++) {
        world->answers[outcomes[i].kind] = (enum answer)outcomes[i].outcome;
        struct client *client = visit_room("x-user: ann\nhost: a.ex\norigin: https://b.ex");
        assert_int_equal(client->status, outcomes[i].status);
        assert_head(client, "access-control-allow-origin: https://b.ex");
        assert_head(client, "access-control-allow-credentials: true");
        world->answers[outcomes[i].kind] = ANSWER_YES;
    }
}

static void keeps_the_rules_own_cache_control(void **state)
{
    (void)state;
    const struct http_header headers[] = {{BYTES("cache-control"), BYTES("max-age=60")}};
    const struct http_response response = {.status = 201, .headers = headers, .header_count = 1};
    world->response = &response;
    struct client *client = visit_room("x-user: ann");
    assert_int_equal(client->status, 201);
    assert_text(buf_bytes(&client->head), "vary: Origin\ncache-control: max-age=60\n");
    world->response = NULL;
}

static void bounds_the_rules_headers(void **state)
{
    (void)state;
    struct http_header headers[ANSWER_HEADERS_MAX + 1];
    struct http_response response = {.status = 200, .headers = headers};
    for (size_t i = 0; i < COUNT(headers); i++)
        headers[i] = (struct http_header){BYTES("x-many"), BYTES("1")};
    world->response = &response;
    response.header_count = ANSWER_HEADERS_MAX - 8;
    assert_int_equal(visit_room("x-user: ann\norigin: https://b.ex\nhost: b.ex")->status, 200);
    response.header_count++;
    assert_error(visit_room("x-user: ann"), 500, "\"too_many_headers\"");
    world->response = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(answers_what_the_rule_said),
        TEST(goes_by_every_answer_at_once_and_late),
        TEST(stops_when_the_client_goes),
        TEST(goes_on_while_the_node_drains),
        TEST(gives_the_rule_who_asks_and_for_what),
        TEST(refuses_a_malformed_tag),
        TEST(lets_a_listed_page_read_every_answer),
        TEST(keeps_the_rules_own_cache_control),
        TEST(bounds_the_rules_headers),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
