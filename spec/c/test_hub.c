/* Topics, the order, the fan-out. */
#include "hub/hub.c"

#include "hub_world.h"

static void a_trigger_reaches_its_topic_alone(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *ann = tab_in(world, "a", NULL, NULL), *bob = tab_in(world, "b", NULL, NULL);
    assert_int_equal(emit(world, "a", "1"), 2);
    assert_int_equal(emit(world, "a", "2"), 3);
    settle(world);
    assert_read(ann, "t 1\nt 2\n");
    assert_read(bob, "");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trigger_reaches_its_topic_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
