#include "claims_world.h"

static int end_world(void **state)
{
    end_nodes();
    return errors_logged ? -1 : nothing_left(state);
}

static void begin_held(struct place **a)
{
    *a = wish(0, 0);
    pass(CLAIMS_LEASE_MS + 2000);
    assert_true(holds(*a));
}

static void in_a_fresh_epoch_a_lease_passes_before_anything_is_granted(void **state)
{
    (void)state;
    struct place *a = wish(0, 0);
    scripts_run = 0;
    pass(CLAIMS_LEASE_MS - 500);
    assert_false(holds(a));
    assert_true(scripts_run <= 3 * 6 + 1); /* beats, and one question */
    pass(1500);
    assert_true(holds(a) && a->helds == 1);
    assert_false(a->ever || a->has_memo);
    assert_int_equal(claims_counters(nodes[0].own.claims)->granted, 1);
    assert_int_equal(claims_counters(nodes[0].own.claims)->held, 1);
    pass(60000);
    assert_true(holds(a) && a->helds == 1 && a->losts == 0);
}

static void who_wishes_what_another_holds_waits_and_both_know(void **state)
{
    (void)state;
    struct place *a, *b, *c;
    begin_held(&a);
    b = wish(1, 0);
    pass(100); /* the letter, and the answer to what it brings up */
    assert_int_equal(a->others, 1);
    assert_int_equal(b->others, 1);
    c = wish(2, 0);
    pass(100);
    assert_int_equal(a->others, 2);
    free_place(c, 0);
    pass(100);
    assert_int_equal(a->others, 1);
    pass(30000);
    assert_true(holds(a) && !b->told);
}

static void what_is_let_go_passes_at_once_with_its_memo(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    const uint64_t fence = a->fence;
    b = wish(1, 0);
    publish_memo(a, "id-7");
    pass(1000);
    assert_string_equal(last_code, "done");
    free_place(a, 0);
    pass(50);
    assert_true(holds(b) && b->ever && b->has_memo && b->fence > fence);
    assert_string_equal(b->memo, "id-7");
    assert_int_equal(b->others, 0);
}

static void what_a_dead_node_held_is_taken_when_its_lease_is_over(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    publish_memo(a, "id-8");
    b = wish(1, 0);
    pass(1000);
    kill_node(&nodes[0]);
    pass(3500);
    assert_false(holds(b));
    pass(CLAIMS_LEASE_MS + 500 - 3500);
    assert_true(holds(b) && b->has_memo);
    assert_string_equal(b->memo, "id-8");
    assert_int_equal(b->others, 0);
}

static void a_dead_node_s_wish_does_not_count(void **state)
{
    (void)state;
    struct place *a;
    begin_held(&a);
    wish(1, 0);
    pass(1000);
    kill_node(&nodes[1]);
    assert_int_equal(a->others, 1);
    pass(CLAIMS_WISH_MS + CLAIMS_RENEW_MS + 100);
    assert_int_equal(a->others, 0);
    assert_true(holds(a));
}

static void a_memo_is_kept_for_as_long_as_the_claim_says(void **state)
{
    (void)state;
    struct place *a;
    begin_held(&a);
    publish_memo(a, "id-9");
    pass(100);
    free_place(a, 10000);
    pass(9900);
    a = wish(1, 0);
    pass(50);
    assert_true(holds(a) && a->ever && a->has_memo);
    pass(20000);
    free_place(a, 10000);
    pass(10100);
    a = wish(1, 0);
    pass(50);
    assert_true(holds(a));
    assert_false(a->ever || a->has_memo);
}

static void an_empty_memo_is_one(void **state)
{
    (void)state;
    struct place *a;
    begin_held(&a);
    publish_memo(a, "");
    pass(100);
    free_place(a, 1000);
    a = wish(1, 0);
    pass(50);
    assert_true(holds(a) && a->has_memo);
    assert_string_equal(a->memo, "");
}

static void who_does_not_wish_what_it_holds_does_not_count(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    b = wish(1, 0);
    pass(100);
    claim_unwish(a->claim);
    pass(7000);
    assert_true(holds(a) && a->others == 1 && b->others == 0);
    claim_wish(a->claim);
    pass(7000);
    assert_int_equal(b->others, 1);
    claim_unwish(b->claim); /* which waits */
    pass(100);
    assert_int_equal(a->others, 0);
    free_place(a, 0);
    pass(20000);
    assert_false(holds(b));
    claim_wish(b->claim);
    pass(100);
    assert_true(holds(b));
}

static void what_is_passed_on_goes_to_another_that_wishes_it(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    claim_pass_on(a->claim);
    assert_true(holds(a)); /* there is none */
    b = wish(1, 0);
    pass(100);
    claim_pass_on(a->claim);
    assert_false(a->told);
    pass(100);
    assert_true(holds(b) && a->others == 1);
    assert_int_equal(claims_counters(nodes[0].own.claims)->passed_on, 1);
    assert_int_equal(claims_counters(nodes[0].own.claims)->lost, 0);
    pass(20000);
    assert_true(holds(b) && b->others == 1);
}

/* The other has just died: it comes back at once. */
static void what_nobody_takes_comes_back(void **state)
{
    (void)state;
    struct place *a;
    begin_held(&a);
    struct place *b = wish(1, 0);
    pass(100);
    free_place(b, 0); /* not heard of yet */
    claim_pass_on(a->claim);
    assert_false(holds(a));
    pass(100);
    assert_true(holds(a) && a->helds == 2);
}

static void while_the_server_is_away_the_own_clock_says_how_long(void **state)
{
    (void)state;
    struct place *a;
    begin_held(&a);
    cut(&nodes[0], 1500);
    pass(4000);
    assert_true(holds(a) && a->helds == 1 && a->losts == 0); /* entered again, and renewed */
    cut(&nodes[0], 10000);
    pass(2500);
    assert_true(holds(a));
    pass(3000);
    assert_false(holds(a) || a->told);
    pass(6000);
    assert_true(holds(a) && a->helds == 2 && a->ever);
}

static void who_holds_a_name_holds_it_in_a_fresh_epoch_too(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    b = wish(1, 0);
    struct place *c = wish(1, 1);
    pass(2000);
    assert_true(holds(c));
    const uint64_t fence = a->fence;
    kill_node(&nodes[1]);
    tell_server("FLUSHALL");
    b = wish(2, 0);
    c = wish(2, 1);
    pass(4000);
    assert_true(holds(a) && a->helds == 1 && a->fence == fence);
    assert_false(holds(b) ||
                 holds(c)); /* the server cannot know that who held the other one is dead */
    publish_memo(a, "id-10");
    pass(100);
    assert_string_equal(last_code, "done");
    pass(CLAIMS_LEASE_MS);
    assert_true(holds(a) && holds(c));
    free_place(a, 0);
    pass(100);
    assert_true(holds(b) && b->fence > fence && b->has_memo);
}

static void in_a_fresh_epoch_what_was_registered_can_be_passed_at_once(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    b = wish(1, 0);
    pass(100);
    tell_server("FLUSHALL");
    pass(1500);
    free_place(a, 0);
    pass(1500);
    assert_true(holds(b) && b->ever);
}

/* A server comes back with what it had some seconds ago. */
static void the_later_grant_is_the_one_that_counts(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    b = wish(1, 0);
    pass(1000);
    tell_server("SAVE");
    free_place(a, 0);
    pass(100);
    assert_true(holds(b));
    const uint64_t fence = b->fence;
    tell_server("DEBUG RELOAD NOSAVE");
    process_of_server++;
    cut(&nodes[0], 100), cut(&nodes[1], 300), cut(&nodes[2], 100);
    a = wish(0, 0);
    pass(10000);
    assert_true(holds(b) && b->helds == 1 && b->fence == fence && !a->told);
    free_place(b, 0);
    pass(100);
    assert_true(holds(a) && a->fence > fence);
}

static void who_was_stopped_holds_nothing_and_writes_nothing(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    b = wish(1, 0);
    pass(1000);
    const struct place before = *a;
    stop(&nodes[0], 9000);
    pass(8900);
    assert_true(holds(b));
    assert_true(a->told); /* it was told nothing yet, but */
    assert_false(holds(a));
    claims_check(nodes[0].own.claims);
    assert_false(a->told);
    publish_memo(b, "new");
    pass(50);
    a->fence = before.fence;
    publish_memo(a, "old");
    pass(200);
    assert_string_equal(last_code, "fenced");
    free_place(b, 0);
    pass(100);
    assert_true(holds(a));
    assert_string_equal(a->memo, "new");
}

static void a_grant_that_comes_too_late_is_none(void **state)
{
    (void)state;
    struct place *a = wish(0, 0);
    pass(5000);
    stop(&nodes[0], 2500); /* asked when it wakes, or before */
    pass(4000);
    assert_true(holds(a));
    free_place(a, 0);
    pass(3000);
    a = wish(0, 0);
    take_turn(&nodes[0], world_us);
    wheel_advance(&nodes[0].clock.wheel, nodes[0].clock.now_ms); /* it is sent */
    serve(nodes[0].peer);
    stop(&nodes[0], 5500);
    pass(5500);
    assert_false(a->told);
    pass(100);
    assert_true(holds(a) && a->helds == 1);
}

static void a_clock_that_is_set_back_makes_no_lease_longer(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    const uint64_t fence = a->fence;
    b = wish(1, 0);
    pass(1000);
    clock_set_us = -INT64_C(3600000000);
    kill_node(&nodes[0]);
    pass(2 * CLAIMS_LEASE_MS + 1000);
    assert_true(holds(b) && b->fence > fence);
}

static void many_are_asked_about_together(void **state)
{
    (void)state;
    enum { MANY = 250 };
    static struct place places[MANY];
    pass(CLAIMS_LEASE_MS + 1000);
    scripts_run = 0;
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof(name), "many:%d", i);
        places[i] = (struct place){.node = &nodes[0]};
        places[i].claim = claim_new(nodes[0].own.claims, 0, bytes_of(name), &place_events, &places[i]);
    }
    pass(100);
    for (int i = 0; i < MANY; i++) assert_true(holds(&places[i]));
    assert_true(scripts_run <= 3 + 3); /* beats are others */
    scripts_run = 0;
    pass(20000);
    assert_true(scripts_run <= 10 * 3 + 3 * 21);
    for (int i = 0; i < MANY; i++) assert_int_equal(places[i].losts, 0);
    for (int i = 0; i < MANY; i++) claim_free(places[i].claim, 0);
    assert_int_equal(claims_counters(nodes[0].own.claims)->claims, 0);
}

static struct place *victims[3];

/* Each frees all. */
static void free_victims(struct place *told)
{
    (void)told;
    for (size_t i = 0; i < COUNT(victims); i++)
        if (victims[i]->claim) free_place(victims[i], 0);
}

static void a_claim_can_be_freed_from_within_what_it_is_told(void **state)
{
    (void)state;
    on_held = free_victims;
    for (int i = 0; i < 3; i++) victims[i] = wish(0, i);
    pass(10000);
    assert_int_equal(claims_counters(nodes[0].own.claims)->granted, 1);
    assert_int_equal(claims_counters(nodes[0].own.claims)->claims, 0);
    assert_int_equal(claims_counters(nodes[0].own.claims)->held, 0);
    on_held = NULL;
    struct place *b = wish(1, 0), *c = wish(1, 2);
    pass(100);
    assert_true(holds(b) && holds(c));
}

static void what_nobody_wishes_any_more_comes_back(void **state)
{
    (void)state;
    struct place *a;
    begin_held(&a);
    wish(1, 0);
    pass(100);
    kill_node(&nodes[1]);
    tell_server("DEL sluice:wishes:inbox:ann"); /* its time is over, and was not heard of yet */
    claim_pass_on(a->claim);
    assert_false(holds(a));
    pass(100);
    assert_true(holds(a) && a->helds == 2);
}

static void a_name_that_was_held_is_known_for_it_across_epochs(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    publish_memo(a, "id");
    b = wish(1, 0);
    pass(1000);
    const uint64_t fence = a->fence;
    kill_node(&nodes[0]);
    tell_server("FLUSHALL");
    clock_set_us = -INT64_C(3600000000);
    pass(2 * CLAIMS_LEASE_MS);
    assert_true(holds(b) && b->ever && !b->has_memo && b->fence > fence);
}

/* Nobody has a memo; who held it once can tell whether somebody else did so since. */
static void who_holds_a_name_again_hears_whose_fence_was_the_last(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    b = wish(1, 0);
    const uint64_t first = a->fence;
    stop(&nodes[0], 20000);
    pass(CLAIMS_LEASE_MS + 2000);
    assert_true(holds(b) && b->before == first);
    const uint64_t second = b->fence;
    tell_server("FLUSHALL");
    pass(2000);
    assert_true(holds(b) && b->fence == second);
    free_place(b, 0);
    pass(20000);
    assert_true(holds(a) && a->helds == 2 && !a->has_memo);
    assert_true(a->before == second);
}

/* A wish on a connection that was lost arrives when the name was let go of and is held anew. */
static void what_arrives_late_changes_nothing(void **state)
{
    (void)state;
    struct place *a;
    begin_held(&a);
    free_place(a, 0);
    pass(100);
    scripts_run = 0;
    a = wish(0, 0);
    wheel_advance(&nodes[0].clock.wheel, nodes[0].clock.now_ms);
    const struct redis_call *call = CONTAINER(nodes[0].peer->calls.prev, struct redis_call, link);
    assert_text(word_of(call, 5), "ask");
    go_astray(call, world_us + 1500000); /* the question, */
    pass(100);
    free_place(a, 0);
    call = CONTAINER(nodes[0].peer->calls.prev, struct redis_call, link);
    assert_text(word_of(call, 5), "free");
    go_astray(call, world_us + 1500000); /* and the release */
    pass(100);
    a = wish(0, 0);
    pass(100);
    assert_true(holds(a));
    const uint64_t fence = a->fence;
    struct place *b = wish(1, 0);
    pass(20000);
    assert_true(list_empty(&strays));
    assert_true(holds(a) && a->helds == 1 && a->losts == 0 && a->fence == fence && !b->told);
}

static void all_expires(int at_least)
{
    redisReply *keys = ask_server("KEYS sluice:*");
    int looked_at = 0;
    for (size_t i = 0; i < keys->elements; i++) {
        const char *key = keys->element[i]->str;
        if (!strstr(key, ":claim:") && !strstr(key, ":wishes:") && !strstr(key, ":fence")) continue;
        redisReply *left = redisCommand(commands, "PTTL %s", key);
        assert_true(left->integer > 0);
        freeReplyObject(left);
        looked_at++;
    }
    freeReplyObject(keys);
    assert_true(looked_at >= at_least);
}

static void nothing_stays_for_ever(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    b = wish(1, 0);
    wish(2, 1);
    pass(500);
    publish_memo(a, "id");
    pass(500);
    all_expires(4);
    free_place(b, 0);
    free_place(a, 5000);
    pass(500);
    all_expires(3);
}

static void what_the_server_does_not_understand_is_said_once(void **state)
{
    (void)state;
    struct place *a, *b;
    begin_held(&a);
    b = wish(0, 1);
    tell_server("DEL sluice:fence");
    tell_server("RPUSH sluice:fence no-number");
    free_place(a, 0);
    a = wish(0, 0);
    pass(10000);
    assert_false(holds(a));
    assert_true(errors_logged == 1);
    tell_server("DEL sluice:fence");
    pass(4000);
    assert_true(holds(a) && holds(b));
    errors_logged = 0;
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(in_a_fresh_epoch_a_lease_passes_before_anything_is_granted),
        WORLD(who_wishes_what_another_holds_waits_and_both_know),
        WORLD(what_is_let_go_passes_at_once_with_its_memo),
        WORLD(what_a_dead_node_held_is_taken_when_its_lease_is_over),
        WORLD(a_dead_node_s_wish_does_not_count),
        WORLD(a_memo_is_kept_for_as_long_as_the_claim_says),
        WORLD(an_empty_memo_is_one),
        WORLD(who_does_not_wish_what_it_holds_does_not_count),
        WORLD(what_is_passed_on_goes_to_another_that_wishes_it),
        WORLD(what_nobody_takes_comes_back),
        WORLD(while_the_server_is_away_the_own_clock_says_how_long),
        WORLD(who_holds_a_name_holds_it_in_a_fresh_epoch_too),
        WORLD(in_a_fresh_epoch_what_was_registered_can_be_passed_at_once),
        WORLD(the_later_grant_is_the_one_that_counts),
        WORLD(who_was_stopped_holds_nothing_and_writes_nothing),
        WORLD(a_grant_that_comes_too_late_is_none),
        WORLD(a_clock_that_is_set_back_makes_no_lease_longer),
        WORLD(many_are_asked_about_together),
        WORLD(a_claim_can_be_freed_from_within_what_it_is_told),
        WORLD(what_nobody_wishes_any_more_comes_back),
        WORLD(a_name_that_was_held_is_known_for_it_across_epochs),
        WORLD(who_holds_a_name_again_hears_whose_fence_was_the_last),
        WORLD(what_arrives_late_changes_nothing),
        WORLD(nothing_stays_for_ever),
        WORLD(what_the_server_does_not_understand_is_said_once),
    };
    return cmocka_run_group_tests(tests, begin_server, end_server);
}
