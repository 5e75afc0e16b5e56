/* What is known of topics that are gone; and what a topic that comes back makes of it. */
#include "hub/forgotten.c"

#include "hub_world.h"

static struct atom *name_of(int number)
{
    char text[16];
    snprintf(text, sizeof(text), "topic%d", number);
    return atom_of(text);
}

static void put(struct forgotten *forgotten, int number, uint64_t lost)
{
    struct atom *name = name_of(number);
    forgotten_put(forgotten, name, lost);
    atom_unref(name);
}

static uint64_t take(struct forgotten *forgotten, int number)
{
    struct atom *name = name_of(number);
    uint64_t lost = forgotten_take(forgotten, name);
    atom_unref(name);
    return lost;
}

static void remembers_until_asked(void **state)
{
    (void)state;
    struct forgotten forgotten;
    forgotten_create(&forgotten, 10, 0);
    put(&forgotten, 1, 100);
    put(&forgotten, 2, 200);
    put(&forgotten, 1, 300);
    assert_int_equal(forgotten_count(&forgotten), 2);
    assert_int_equal(take(&forgotten, 1), 300);
    assert_int_equal(take(&forgotten, 1), 0);
    assert_int_equal(take(&forgotten, 2), 200);
    assert_int_equal(take(&forgotten, 3), 0);
    forgotten_destroy(&forgotten);
    assert_int_equal(atom_live() + alloc_live(), 0);
}

static void what_falls_out_raises_the_floor(void **state)
{
    (void)state;
    struct forgotten forgotten;
    forgotten_create(&forgotten, 3, 0);
    put(&forgotten, 1, 500);
    put(&forgotten, 2, 10);
    put(&forgotten, 3, 20);
    put(&forgotten, 1, 600); /* known again: now the newest */
    assert_int_equal(forgotten.floor, 0);
    put(&forgotten, 4, 700);
    assert_int_equal(forgotten_count(&forgotten), 3);
    assert_int_equal(forgotten.floor, 10);
    put(&forgotten, 5, 5); /* below the others */
    put(&forgotten, 6, 800);
    assert_int_equal(forgotten.floor, 600);
    put(&forgotten, 7, 900);
    put(&forgotten, 8, 901);
    assert_int_equal(forgotten.floor, 700); /* never falls: topic5 raised nothing */
    assert_int_equal(take(&forgotten, 5), 700);
    assert_int_equal(take(&forgotten, 6), 800);
    forgotten_destroy(&forgotten);
    assert_int_equal(atom_live() + alloc_live(), 0);
}

/* ---- in the hub ---- */

static const struct topic_options NO_HISTORY = {.history_size = 0};

static void emit_and_forget(struct world *world, const char *name)
{
    emit_to(hub_topic(world->hub, bytes_of(name), &NO_HISTORY), "t", "x");
    settle(world);
    assert_null(hub_topic_find(world->hub, bytes_of(name)));
}

/* A client that stands at the newest position. */
static struct tab *witness(struct world *world)
{
    return tab_in(world, "elsewhere", NULL, NULL);
}

static void resume(struct world *world, const struct tab *cursor, const char *topic,
                   const char *want)
{
    struct tab *tab = tab_new(world, NULL, NULL, NULL);
    subscriber_join(tab->subscriber, topic_of(world, topic));
    tab_start(tab, cursor);
    assert_read(tab, want);
}

#define RESUMED "ready {\"resumed\":true,\"missed\":0,\"tag\":null}\n"
#define TOLD(topic)                                                                                \
    "ready {\"resumed\":false,\"missed\":null,\"tag\":null}\n"                                     \
    "resync {\"reason\":\"history\",\"missed\":null,\"topics\":[\"" topic "\"]}\n"

static void a_topic_that_comes_back_knows_what_it_lost(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct tab *before = witness(world);
    emit_and_forget(world, "a");
    struct tab *after = witness(world);
    resume(world, before, "a", TOLD("a"));
    resume(world, after, "a", RESUMED);
    resume(world, before, "never", RESUMED);
    world_free(world);
}

static void below_the_floor_nothing_is_known(void **state)
{
    (void)state;
    struct world *world =
        world_new_with((struct hub_limits){.forgotten_topics = 2, .topics = 100, .windows = 1});
    struct tab *before = witness(world);
    emit_and_forget(world, "a");
    struct tab *after = witness(world);
    emit_and_forget(world, "b");
    resume(world, before, "never", RESUMED);
    emit_and_forget(world, "c"); /* a falls out */
    resume(world, before, "a", TOLD("a"));
    resume(world, before, "other", TOLD("other")); /* may be one that fell out */
    resume(world, after, "another", RESUMED);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_until_asked),
        cmocka_unit_test(what_falls_out_raises_the_floor),
        cmocka_unit_test(a_topic_that_comes_back_knows_what_it_lost),
        cmocka_unit_test(below_the_floor_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
