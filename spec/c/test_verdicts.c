/* Filters: what the hub is told, at once and late; what it costs; questions that nobody waits for
 * any more. */
#include "engine/verdicts.c"

#include "engine_world.h"

static struct world *world;
static struct client *ann, *bob;

static struct client *tab(const char *user)
{
    struct client *client = connect_tab(world, user);
    assert_int_equal(client->state, CLIENT_STREAM);
    client_forget(client);
    return client;
}

static int begin(void **state)
{
    (void)state;
    world = world_new();
    world->names = "secret:a%2Fb";
    world_start(world, NULL);
    ann = tab("ann");
    bob = tab("bob");
    buf_clear(&world->said);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free(world);
    return 0;
}

static void tell(const char *data)
{
    emit(world, "secret:a%2Fb", data);
}

static const struct hub_counters *counters(void)
{
    return hub_counters(app_hub(world->app));
}

static void lets_through_what_the_rule_permits(void **state)
{
    (void)state;
    tell("1");
    assert_said(world, "filter:1 filter:1");
    assert_story(ann, "t 1\n");
    assert_story(bob, "t 1\n");
}

static void keeps_back_what_it_does_not(void **state)
{
    (void)state;
    world->answers[HOOK_FILTER] = ANSWER_NO;
    tell("1");
    assert_story(ann, "");
    assert_int_equal(counters()->denied, 2);
    advance(world, 60000);
    assert_story(ann, ""); /* nor is it told of it */
}

static void tells_what_was_not_known_once_it_is(void **state)
{
    (void)state;
    world->answers[HOOK_FILTER] = ANSWER_UNKNOWN;
    tell("1");
    assert_story(ann, "");
    assert_int_equal(counters()->withheld, 2);
    world->answers[HOOK_FILTER] = ANSWER_YES;
    tell("2");
    static const char told[] =
        "resync {\"reason\":\"access\",\"missed\":null,\"topics\":[\"secret:a%2Fb\"]}\nt 2\n";
    assert_story(ann, told);
    assert_story(bob, told);
}

static void waits_for_late_answers_each_by_itself(void **state)
{
    (void)state;
    world->answers[HOOK_FILTER] = ANSWER_WAIT;
    tell("1");
    assert_int_equal(waiting(world), 2);
    world->answers[HOOK_FILTER] = ANSWER_YES;
    tell("2");
    assert_story(ann, ""); /* nothing overtakes */
    world_answer(world, HOOK_FILTER, OUTCOME_NO);
    world_answer(world, HOOK_FILTER, OUTCOME_YES);
    assert_story(ann, "t 2\n");
    assert_story(bob, "t 1\nt 2\n");
}

static void waits_no_longer_than_the_stream_says(void **state)
{
    (void)state;
    world->answers[HOOK_FILTER] = ANSWER_WAIT;
    tell("1");
    advance(world, 1999);
    assert_int_equal(world->cancelled, 0);
    advance(world, 1);
    assert_int_equal(world->cancelled, 2);
    assert_int_equal(counters()->withheld, 2);
}

static void forgets_the_question_of_who_goes(void **state)
{
    (void)state;
    world->answers[HOOK_FILTER] = ANSWER_WAIT;
    tell("1");
    client_cut(ann);
    settle(world);
    assert_int_equal(world->cancelled, 1);
    assert_int_equal(waiting(world), 1);
    world_answer(world, HOOK_FILTER, OUTCOME_YES);
    assert_story(bob, "t 1\n");
}

static char room[16];

static void read_params(struct world *of, const struct hook_call *call)
{
    (void)of;
    assert_int_equal(call->params->count, 1);
    assert_text(pattern_param(call->pattern, 0), "room");
    snprintf(room, sizeof(room), "%.*s", (int)call->params->values[0].size,
             call->params->values[0].data);
}

static void gives_the_topics_parameters(void **state)
{
    (void)state;
    world->on_call = read_params;
    world->answers[HOOK_FILTER] = ANSWER_WAIT; /* the rule has them on loan until it answers */
    tell("1");
    assert_string_equal(room, "a/b");
    tell("2");
    while (waiting(world)) world_answer(world, HOOK_FILTER, OUTCOME_YES);
    assert_story(ann, "t 1\nt 2\n");
}

static void end_asked(struct world *of, const struct hook_call *call)
{
    (void)of;
    if (call->kind == HOOK_FILTER) subscriber_end(seat_subscriber(call->seat), END_KICKED);
}

static void survives_a_filter_that_ends_the_asker(void **state)
{
    (void)state;
    world->on_call = end_asked;
    tell("1");
    assert_string_equal(ann->why, "kicked");
    assert_string_equal(bob->why, "kicked");
    struct client *cid = tab("cid");
    world->answers[HOOK_FILTER] = ANSWER_WAIT;
    tell("2");
    assert_string_equal(cid->why, "kicked");
    assert_int_equal(waiting(world), 0);
}

/* Only the trigger itself stays: its frame, and its place in the history. */
static void allocates_nothing_for_answers_at_once(void **state)
{
    (void)state;
    tell("1"); /* what is kept for the next question is there now */
    world->answers[HOOK_FILTER] = ANSWER_NO;
    size_t before = alloc_live();
    for (int i = 0; i < 10; i++) tell("1");
    assert_true(alloc_live() - before <= 10 + 2);
}

/* A question that was put off comes after a reload that took the filter, or the topic, away. */
static void answers_for_topics_that_changed_meanwhile(void **state)
{
    (void)state;
    world->answers[HOOK_FILTER] = ANSWER_UNKNOWN;
    tell("1");
    buf_clear(&world->said);
    world->secret->filter = 0;
    advance(world, 5000);
    assert_said(world, "");
    assert_int_equal(client_count(ann, "resync"), 1);
    world->secret->filter = HOOK_FILTER + 1;
    tell("2");
    world->secret->options.owner = NULL;
    advance(world, 5000);
    assert_int_equal(client_count(ann, "resync"), 1);
    world->secret->options.owner = world->secret;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(lets_through_what_the_rule_permits),
        TEST(keeps_back_what_it_does_not),
        TEST(tells_what_was_not_known_once_it_is),
        TEST(waits_for_late_answers_each_by_itself),
        TEST(waits_no_longer_than_the_stream_says),
        TEST(forgets_the_question_of_who_goes),
        TEST(gives_the_topics_parameters),
        TEST(survives_a_filter_that_ends_the_asker),
        TEST(allocates_nothing_for_answers_at_once),
        TEST(answers_for_topics_that_changed_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
