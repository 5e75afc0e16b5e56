/* Feeds: leases, what links bring in order and one at a time, back-pressure, who is told of what is
 * lost, closing with work left. */
#include "engine/feeds.c"

#include "engine_world.h"

static struct world *world;

static int begin(void **state)
{
    (void)state;
    world = world_new();
    make_handler(world->inbox, "@lost");
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free(world);
    return 0;
}

/* The link of the newest wire opens. */
static struct wire *opened(void)
{
    struct wire *wire = newest_wire(world);
    wire_answers(wire, 200);
    settle(world);
    return wire;
}

static void start(void)
{
    world_start(world, NULL);
}

static struct client *tab(const char *user)
{
    struct client *client = connect_tab(world, user);
    assert_int_equal(client->state, CLIENT_STREAM);
    client_forget(client);
    return client;
}

static void send(struct wire *wire, const char *data)
{
    char event[100];
    snprintf(event, sizeof(event), "event: note\ndata: %s\n\n", data);
    wire_sends(world, wire, event);
}

static const char RESYNC[] =
    "resync {\"reason\":\"upstream\",\"missed\":null,\"topics\":[\"user:ann\"]}\n";

/* ---- leases ---- */

static void counts_one_lease_for_each_subscriber(void **state)
{
    (void)state;
    start();
    struct client *first = tab("ann"), *second = tab("ann"), *other = tab("bob");
    assert_int_equal(leases(world), 3);
    assert_int_equal(node_links(world->node), 2);
    client_cut(first);
    settle(world);
    assert_int_equal(leases(world), 2);
    client_cut(second);
    client_cut(other);
    settle(world);
    assert_int_equal(leases(world), 0);
    assert_int_equal(node_links(world->node), 2);
    advance(world, 9999);
    assert_int_equal(node_links(world->node), 2);
    advance(world, 1);
    assert_int_equal(node_links(world->node), 0);
}

static void keeps_the_link_for_who_comes_back_in_time(void **state)
{
    (void)state;
    start();
    struct client *first = tab("ann");
    struct wire *wire = opened();
    client_cut(first);
    advance(world, 9999);
    tab("ann");
    advance(world, 60000);
    assert_ptr_equal(newest_wire(world), wire);
    assert_int_equal(leases(world), 1);
}

static void opens_with_the_newest_leaseholders_data(void **state)
{
    (void)state;
    start();
    struct client *old = request(world, "GET", "/events", NULL, "x-user: ann\nx-data: old");
    assert_true(has(&newest_wire(world)->request, "http://up/ann?old"));
    opened();
    struct client *new = request(world, "GET", "/events", NULL, "x-user: ann\nx-data: new");
    wire_ends(world, newest_wire(world));
    advance(world, 1000);
    assert_true(has(&newest_wire(world)->request, "http://up/ann?new"));
    client_cut(new);
    client_cut(old);
    settle(world);
}

static void opens_with_the_last_ones_data_when_that_is_all_there_is(void **state)
{
    (void)state;
    start();
    world->inbox->policy.grace_ms = 100000;
    struct client *client = request(world, "GET", "/events", NULL, "x-user: ann\nx-data: token");
    wire_ends(world, newest_wire(world));
    client_cut(client);
    settle(world);
    struct client *back = tab("ann"); /* whose data is none */
    advance(world, 2000);
    assert_true(has(&newest_wire(world)->request, "http://up/ann?"));
    assert_false(has(&newest_wire(world)->request, "token"));
    client_cut(back);
}

static void asks_again_after_a_request_that_failed(void **state)
{
    (void)state;
    world->answers[HOOK_REQUEST] = ANSWER_UNKNOWN;
    start();
    tab("ann");
    assert_true(list_empty(&world->wires));
    assert_true(has(&world->said, "event:@lost:{\"status\":0,\"detail\":\"the rule failed\""));
    world->answers[HOOK_REQUEST] = ANSWER_NO;
    advance(world, 1000);
    assert_true(has(&world->said, "the rule gave no request"));
    world->answers[HOOK_REQUEST] = ANSWER_YES;
    advance(world, 4000);
    assert_false(list_empty(&world->wires));
}

static void cancels_the_request_when_nobody_wants_it_any_more(void **state)
{
    (void)state;
    world->answers[HOOK_REQUEST] = ANSWER_WAIT;
    start();
    struct client *client = tab("ann");
    assert_int_equal(waiting(world), 1);
    client_cut(client);
    settle(world);
    assert_int_equal(world->cancelled, 1);
    tab("ann");
    world_answer(world, HOOK_REQUEST, OUTCOME_YES);
    assert_false(list_empty(&world->wires));
}

static void closes_while_the_request_is_asked_for(void **state)
{
    (void)state;
    world->answers[HOOK_REQUEST] = ANSWER_WAIT;
    start();
    tab("ann");
    node_drain(world->node, 0);
    assert_int_equal(world->cancelled, 1);
    settle(world);
    assert_true(node_idle(world->node));
}

/* ---- events ---- */

static void handles_events_in_order_one_at_a_time(void **state)
{
    (void)state;
    start();
    tab("ann");
    struct wire *wire = opened();
    buf_clear(&world->said);
    world->answers[HOOK_EVENT] = ANSWER_WAIT;
    send(wire, "1");
    send(wire, "2");
    send(wire, "3");
    assert_said(world, "event:note:1");
    world_answer(world, HOOK_EVENT, OUTCOME_YES);
    assert_said(world, "event:note:2");
    world->answers[HOOK_EVENT] = ANSWER_YES;
    world_answer(world, HOOK_EVENT, OUTCOME_YES);
    assert_said(world, "event:note:3");
    assert_int_equal(app_feeds(world->app)->counters.events, 3);
}

static void handles_other_keys_beside(void **state)
{
    (void)state;
    start();
    tab("ann");
    struct wire *first = opened();
    tab("bob");
    struct wire *second = opened();
    buf_clear(&world->said);
    world->answers[HOOK_EVENT] = ANSWER_WAIT;
    send(first, "1");
    send(second, "2");
    assert_said(world, "event:note:1 event:note:2");
    assert_int_equal(waiting(world), 2);
}

static void counts_what_no_rule_handles(void **state)
{
    (void)state;
    start();
    tab("ann");
    struct wire *wire = opened();
    buf_clear(&world->said);
    wire_sends(world, wire, "event: other\ndata: 1\n\ndata: 2\n\n");
    send(wire, "3");
    assert_said(world, "event:note:3");
    assert_int_equal(app_feeds(world->app)->counters.events, 3);
    assert_int_equal(app_feeds(world->app)->counters.unhandled, 2);
}

static void lets_no_upstream_speak_for_the_link(void **state)
{
    (void)state;
    start();
    tab("ann");
    buf_clear(&world->said);
    wire_sends(world, opened(), "event: @lost\ndata: {}\n\n");
    assert_said(world, "");
    assert_int_equal(app_feeds(world->app)->counters.unhandled, 1);
}

static void tells_the_rules_of_the_links_life(void **state)
{
    (void)state;
    make_handler(world->inbox, "@open");
    make_handler(world->inbox, "@unauthorized");
    start();
    tab("ann");
    opened();
    assert_said(world, "authenticate key topics request event:@open:{\"reopened\":false}");
    wire_ends(world, newest_wire(world));
    assert_true(has(&world->said, "event:@lost:{\"status\":200,\"detail\":\"network: cut\","));
    buf_clear(&world->said);
    advance(world, 1000);
    opened();
    assert_said(world, "request event:@open:{\"reopened\":true}");
    wire_ends(world, newest_wire(world));
    advance(world, 1000);
    wire_answers(newest_wire(world), 401);
    settle(world);
    wire_answers(newest_wire(world), 401);
    settle(world);
    assert_true(has(&world->said,
                    "@unauthorized:{\"status\":401,\"detail\":\"status 401\",\"retry\":null}"));
}

/* ---- back-pressure ---- */

static void pauses_the_link_when_the_rules_are_slow(void **state)
{
    (void)state;
    start();
    tab("ann");
    struct wire *wire = opened();
    world->answers[HOOK_EVENT] = ANSWER_WAIT;
    send(wire, "1"); /* with the handler */
    send(wire, "2");
    send(wire, "3");
    send(wire, "4");
    assert_false(wire->paused);
    send(wire, "5"); /* four wait: queue_max */
    assert_true(wire->paused);
    wire_sends(world, wire, "event: note\ndata: 6\n\nevent: note\ndata: 7\n\n"); /* under way */
    buf_clear(&world->said);
    for (int i = 0; i < 3; i++) {
        assert_true(wire->paused);
        world_answer(world, HOOK_EVENT, OUTCOME_YES);
    }
    assert_true(wire->paused);
    world_answer(world, HOOK_EVENT, OUTCOME_YES); /* two wait */
    assert_false(wire->paused);
    world->answers[HOOK_EVENT] = ANSWER_YES;
    world_answer(world, HOOK_EVENT, OUTCOME_YES);
    assert_said(world, "event:note:2 event:note:3 event:note:4 event:note:5 event:note:6 "
                       "event:note:7");
}

static void does_not_hold_up_the_turn(void **state)
{
    (void)state;
    world->inbox->queue_max = 1000;
    start();
    tab("ann");
    struct wire *wire = opened();
    buf_clear(&world->said);
    struct buf events = BUF_EMPTY;
    for (int i = 0; i < 200; i++) buf_printf(&events, "event: note\ndata: %d\n\n", i);
    wire->events->bytes(wire->owner, buf_bytes(&events));
    buf_destroy(&events);
    assert_said(world, ""); /* not in the transport's call-back */
    later_round(&world->later);
    assert_true(has(&world->said, "event:note:63"));
    assert_false(has(&world->said, "event:note:64"));
    settle(world);
    assert_true(has(&world->said, "event:note:199"));
}

/* ---- what is lost is told ---- */

static void tells_the_topic_when_a_handler_fails(void **state)
{
    (void)state;
    start();
    struct client *client = tab("ann"), *other = tab("bob");
    opened();
    client_forget(client);
    client_forget(other);
    tab("ann");
    struct wire *wire = CONTAINER(world->wires.next, struct wire, node); /* ann's */
    wire_answers(wire, 200);
    settle(world);
    client_forget(client);
    world->answers[HOOK_EVENT] = ANSWER_UNKNOWN;
    send(wire, "1");
    assert_story(client,
                 "resync {\"reason\":\"rule\",\"missed\":null,\"topics\":[\"user:ann\"]}\n");
    assert_story(other, "");
    world->answers[HOOK_EVENT] = ANSWER_WAIT;
    send(wire, "2");
    assert_story(client, "");
    world_answer(world, HOOK_EVENT, OUTCOME_UNKNOWN);
    assert_int_equal(client_count(client, "resync"), 1);
    assert_int_equal(app_feeds(world->app)->counters.failed, 2);
}

static void tells_the_leaseholders_where_there_is_no_topic(void **state)
{
    (void)state;
    world->inbox->topic = NULL;
    world->names = "news open:1";
    start();
    struct client *client = tab("ann");
    struct wire *wire = opened();
    client_forget(client);
    tab("bob");
    world->answers[HOOK_EVENT] = ANSWER_UNKNOWN;
    send(wire, "1");
    assert_story(
        client, "resync {\"reason\":\"rule\",\"missed\":null,\"topics\":[\"news\",\"open:1\"]}\n");
}

static void emit_data(struct world *of, const struct hook_call *call)
{
    if (call->kind != HOOK_EVENT || call->event->type.data[0] == '@') return;
    const struct app_emit item = {.name = BYTES("user:ann"),
                                  .emit = {.type = BYTES("t"), .data = call->event->data}};
    app_emit(of->app, &item, 1);
}

static void tells_of_a_reopened_link_in_its_place(void **state)
{
    (void)state;
    start();
    struct client *client = tab("ann");
    struct wire *wire = opened();
    client_forget(client);
    world->on_call = emit_data;
    send(wire, "1");
    world->answers[HOOK_EVENT] = ANSWER_WAIT;
    send(wire, "2"); /* emits at once, and holds the queue */
    send(wire, "3");
    wire_ends(world, wire);
    advance(world, 1000);
    wire = opened();
    send(wire, "4");
    assert_story(client, "t 1\nt 2\n");
    world->answers[HOOK_EVENT] = ANSWER_YES;
    world_answer(world, HOOK_EVENT, OUTCOME_YES);
    char want[200];
    snprintf(want, sizeof(want), "t 3\n%st 4\n", RESYNC);
    assert_story(client, want);
}

static void trusts_a_resumed_link_only_when_it_had_an_id(void **state)
{
    (void)state;
    world->inbox->policy.trust_resume = true;
    start();
    struct client *client = tab("ann");
    struct wire *wire = opened();
    client_forget(client);
    wire_ends(world, wire);
    advance(world, 1000);
    wire = opened(); /* there was no id to resume from */
    assert_story(client, RESYNC);
    wire_sends(world, wire, "id: 7\nevent: note\ndata: 1\n\n");
    wire_ends(world, wire);
    advance(world, 1000);
    assert_true(has(&newest_wire(world)->request, "=7"));
    opened();
    assert_story(client, "");
}

static void tells_those_who_came_before_the_first_opening(void **state)
{
    (void)state;
    start();
    struct client *early = tab("ann"), *also = tab("ann");
    opened();
    struct client *late = tab("ann");
    assert_story(early, RESYNC);
    assert_story(also, RESYNC);
    assert_story(late, "");
    wire_ends(world, newest_wire(world));
    advance(world, 1000);
    opened();
    assert_story(early, RESYNC); /* once, by the topic */
    assert_story(late, RESYNC);
}

/* A transport may open within the lease: then nothing lies between page and link, unless the page
 * was here before. */
static void tells_who_comes_back_while_the_link_opens(void **state)
{
    (void)state;
    world->wires_open = true;
    start();
    struct client *client = connect_tab(world, "ann");
    assert_story(client, "ready {\"resumed\":false,\"missed\":null,\"tag\":null}\n");
    char query[100];
    snprintf(query, sizeof(query), "last_event_id=%.*s", (int)client->parser.last_id.size,
             client->parser.last_id.data);
    client_cut(client);
    advance(world, 20000);
    assert_int_equal(node_links(world->node), 0);
    client = request(world, "GET", "/events", query, "x-user: ann");
    char want[200];
    snprintf(want, sizeof(want), "ready {\"resumed\":true,\"missed\":0,\"tag\":null}\n%s", RESYNC);
    assert_story(client, want);
}

/* ---- ends ---- */

static void handles_what_came_before_the_link_closed(void **state)
{
    (void)state;
    start();
    struct client *client = tab("ann");
    struct wire *wire = opened();
    world->answers[HOOK_EVENT] = ANSWER_WAIT;
    send(wire, "1");
    send(wire, "2");
    client_cut(client);
    advance(world, 10000);
    assert_int_equal(node_links(world->node), 0);
    client = tab("ann"); /* a link and a feed of its own */
    assert_int_equal(node_links(world->node), 1);
    buf_clear(&world->said);
    world->answers[HOOK_EVENT] = ANSWER_YES;
    world_answer(world, HOOK_EVENT, OUTCOME_YES);
    assert_said(world, "event:note:2");
    assert_int_equal(leases(world), 1);
}

static void is_not_idle_before_all_is_handled(void **state)
{
    (void)state;
    start();
    tab("ann");
    struct wire *wire = opened();
    world->answers[HOOK_EVENT] = ANSWER_WAIT;
    send(wire, "1");
    send(wire, "2");
    node_drain(world->node, 0);
    settle(world);
    assert_int_equal(node_links(world->node), 0);
    assert_int_equal(streams(world), 0);
    assert_false(node_idle(world->node));
    world_answer(world, HOOK_EVENT, OUTCOME_YES);
    assert_false(node_idle(world->node));
    world_answer(world, HOOK_EVENT, OUTCOME_UNKNOWN);
    assert_true(node_idle(world->node));
}

/* The feed's job stands in front of what ends the subscribers. */
static void survives_a_drain_in_the_turn_of_an_event(void **state)
{
    (void)state;
    start();
    struct client *client = tab("ann");
    struct wire *wire = opened();
    wire->events->bytes(wire->owner, BYTES("event: note\ndata: 1\n\n"));
    node_drain(world->node, 0);
    settle(world);
    assert_said(world, "authenticate key topics request event:note:1"); /* all the same */
    assert_string_equal(client->why, "drain");
    assert_true(node_idle(world->node));
}

static void survives_leases_that_outlive_their_link(void **state)
{
    (void)state;
    world->events->disconnect = HOOK_DISCONNECT + 1;
    world->answers[HOOK_DISCONNECT] = ANSWER_WAIT;
    start();
    struct client *client = tab("ann");
    opened();
    feeds_close(app_feeds(world->app));
    settle(world);
    assert_int_equal(node_links(world->node), 0);
    client_cut(client);
    settle(world);
    assert_true(feeds_idle(app_feeds(world->app)));
    world_answer(world, HOOK_DISCONNECT, OUTCOME_YES);
    assert_int_equal(streams(world), 0);
}

static void bounds_the_links_of_a_node(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.links = 1;
    world_start(world, &limits);
    struct client *first = tab("ann");
    assert_int_equal(connect_tab(world, "bob")->status, 503);
    assert_int_equal(connect_tab(world, "ann")->state, CLIENT_STREAM);
    client_cut(first);
    assert_int_equal(leases(world), 2);
    settle(world);
    assert_int_equal(leases(world), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(counts_one_lease_for_each_subscriber),
        TEST(keeps_the_link_for_who_comes_back_in_time),
        TEST(opens_with_the_newest_leaseholders_data),
        TEST(opens_with_the_last_ones_data_when_that_is_all_there_is),
        TEST(asks_again_after_a_request_that_failed),
        TEST(cancels_the_request_when_nobody_wants_it_any_more),
        TEST(closes_while_the_request_is_asked_for),
        TEST(handles_events_in_order_one_at_a_time),
        TEST(handles_other_keys_beside),
        TEST(counts_what_no_rule_handles),
        TEST(lets_no_upstream_speak_for_the_link),
        TEST(tells_the_rules_of_the_links_life),
        TEST(pauses_the_link_when_the_rules_are_slow),
        TEST(does_not_hold_up_the_turn),
        TEST(tells_the_topic_when_a_handler_fails),
        TEST(tells_the_leaseholders_where_there_is_no_topic),
        TEST(tells_of_a_reopened_link_in_its_place),
        TEST(trusts_a_resumed_link_only_when_it_had_an_id),
        TEST(tells_those_who_came_before_the_first_opening),
        TEST(tells_who_comes_back_while_the_link_opens),
        TEST(handles_what_came_before_the_link_closed),
        TEST(is_not_idle_before_all_is_handled),
        TEST(survives_a_drain_in_the_turn_of_an_event),
        TEST(survives_leases_that_outlive_their_link),
        TEST(bounds_the_links_of_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
