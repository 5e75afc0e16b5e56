/* Timers of rules: when they are due, what runs long, what ends with the app. */
#include "engine/beats.c"

#include "engine_world.h"

static struct world *world;

static int begin(void **state)
{
    (void)state;
    world = world_new();
    struct plan_every *every = plan_add_every(world->plan);
    every->name = atom_of("beat");
    every->period_ms = 1000;
    every->run = HOOK_EVERY + 1;
    world_start(world, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free(world);
    return 0;
}

static void comes_round(void **state)
{
    (void)state;
    advance(world, 999);
    assert_said(world, "");
    advance(world, 1);
    assert_said(world, "every");
    advance(world, 3000);
    assert_said(world, "every every every");
}

static void skips_what_still_runs(void **state)
{
    (void)state;
    world->answers[HOOK_EVERY] = ANSWER_WAIT;
    advance(world, 3500);
    assert_said(world, "every");
    world_answer(world, HOOK_EVERY, OUTCOME_UNKNOWN);
    advance(world, 500);
    assert_said(world, "every");
    assert_int_equal(world->cancelled, 0);
}

static void ends_with_a_drain(void **state)
{
    (void)state;
    world->answers[HOOK_EVERY] = ANSWER_WAIT;
    advance(world, 1000);
    node_drain(world->node, 0);
    assert_int_equal(world->cancelled, 1);
    settle(world);
    assert_true(node_idle(world->node));
    buf_clear(&world->said);
    advance(world, 5000);
    assert_said(world, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(comes_round),
        TEST(skips_what_still_runs),
        TEST(ends_with_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
