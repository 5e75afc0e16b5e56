/* Holdings on claims, as sources use them: of two nodes on one Redis, one holds a name. */
#include "claims_world.h"

#include "engine/claimed.h"

static struct claimed claimed[2];

struct wisher {
    struct claimed *claimed;
    struct holding *holding;
    int helds, losts;
    bool told; /* that it holds it */
};

static void on_wisher_held(void *owner)
{
    struct wisher *wisher = owner;
    assert_false(wisher->told);
    wisher->told = true;
    wisher->helds++;
}

static void on_wisher_lost(void *owner, const char *why)
{
    struct wisher *wisher = owner;
    assert_true(wisher->told && why);
    wisher->told = false;
    wisher->losts++;
}

static const struct holding_events events = {.held = on_wisher_held, .lost = on_wisher_lost};

static void begin_wish(struct wisher *wisher, int node)
{
    struct holdings *holdings = &claimed[node].holdings;
    *wisher = (struct wisher){.claimed = &claimed[node]};
    wisher->holding = holdings->wish(holdings, BYTES("redis:demo:bus"), &events, wisher);
    assert_false(wisher->told);
}

static bool has_it(const struct wisher *wisher)
{
    return wisher->claimed->holdings.holds(wisher->holding);
}

static void give_up(struct wisher *wisher)
{
    wisher->claimed->holdings.give_up(wisher->holding);
}

static int begin(void **state)
{
    if (begin_world(state)) return -1;
    for (int i = 0; i < 2; i++) claimed_create(&claimed[i], nodes[i].own.claims, nodes[i].cluster);
    return 0;
}

static int end(void **state)
{
    end_nodes();
    return errors_logged ? -1 : nothing_left(state);
}

static void one_of_two_holds_a_name_and_the_other_gets_it_when_that_is_given_up(void **state)
{
    (void)state;
    struct wisher a, b;
    begin_wish(&a, 0);
    pass(CLAIMS_LEASE_MS + 2000);
    assert_true(has_it(&a) && a.told);
    begin_wish(&b, 1);
    pass(30000);
    assert_true(has_it(&a) && !has_it(&b) && !b.told && !a.losts);
    give_up(&a);
    pass(100);
    assert_true(has_it(&b) && b.told && b.helds == 1);
    give_up(&b);
}

static void who_was_stopped_does_not_hold_what_another_took(void **state)
{
    (void)state;
    struct wisher a, b;
    begin_wish(&a, 0);
    pass(CLAIMS_LEASE_MS + 2000);
    begin_wish(&b, 1);
    pass(1000);
    stop(&nodes[0], 9000);
    pass(8900);
    assert_true(has_it(&b) && b.told);
    assert_true(a.told); /* it was told nothing yet, but */
    assert_false(has_it(&a));
    claims_check(nodes[0].own.claims);
    assert_true(!a.told && a.losts == 1);
    pass(1000);
    give_up(&a);
    give_up(&b);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(one_of_two_holds_a_name_and_the_other_gets_it_when_that_is_given_up),
        WORLD(who_was_stopped_does_not_hold_what_another_took),
    };
    return cmocka_run_group_tests(tests, begin_server, end_server);
}
