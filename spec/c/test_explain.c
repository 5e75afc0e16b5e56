/* The rings of explain: what they keep, what they push out, and what is known then. */
#include "engine/explain.c"

#include "base/buf.h"
#include "unit.h"

enum { ROOM = 4, DECISIONS = 3 };

static struct clock clock_of_test;
static struct explain explain;
static struct atom *topic, *type;
static int heard;

static void on_next_placed(struct journal *journal, const struct placing *placing,
                           const struct emission *emission)
{
    (void)journal, (void)placing, (void)emission;
    heard++;
}

static struct journal next = {.placed = on_next_placed};

static void create(uint32_t triggers, uint32_t decisions)
{
    const struct explain_limits limits = {triggers, decisions};
    explain_create(&explain, &limits, &clock_of_test, &next);
}

static int set_up(void **state)
{
    (void)state;
    clock_of_test = (struct clock){.wall_ms = 1000};
    topic = atom_of("t");
    type = atom_of("n");
    heard = 0;
    create(ROOM, DECISIONS);
    return 0;
}

static int tear_down(void **state)
{
    explain_destroy(&explain);
    atom_unref(topic);
    atom_unref(type);
    return atom_live() ? -1 : nothing_left(state);
}

static void place(uint64_t position, uint64_t cause, const char *data)
{
    struct journal *journal = explain_journal(&explain);
    const struct emission emission = {.type = type, .data = bytes_of(data), .cause = cause};
    const struct placing placing = {.topic = topic, .position = position, .subscribers = 7};
    journal->placed(journal, &placing, &emission);
}

static void spare(uint64_t position, uintptr_t subscriber)
{
    struct journal *journal = explain_journal(&explain);
    journal->spared(journal, position, (struct subscriber *)subscriber, SPARED_DENIED);
}

static void resume(uint64_t position, uintptr_t subscriber)
{
    struct journal *journal = explain_journal(&explain);
    journal->resumed(journal, position, (struct subscriber *)subscriber);
}

static void write_decision(void *ctx, const struct explain_decision *decision)
{
    buf_printf(ctx, "%s%d:%d ", decision->kind == EXPLAIN_RESUMED ? "back " : "",
               (int)decision->position, (int)(uintptr_t)decision->subscriber);
}

static void expect_decisions(const char *expected)
{
    struct buf text = BUF_EMPTY;
    explain_decisions_each(&explain, write_decision, &text);
    assert_string_equal(buf_text(&text), expected);
    buf_destroy(&text);
}

static uint64_t begin(const char *key)
{
    const struct explain_about about = {.what = topic, .key = bytes_of(key)};
    return explain_begin(&explain, &about);
}

static void the_newest_triggers_are_kept(void **state)
{
    (void)state;
    assert_null(explain_oldest(&explain));
    for (uint64_t i = 1; i <= ROOM; i++) place(i, 0, "");
    assert_false(explain_forgot(&explain));
    assert_int_equal(explain_oldest(&explain)->position, 1);
    place(5, 0, "five");
    assert_true(explain_forgot(&explain));
    assert_int_equal(explain_oldest(&explain)->position, 2);
    for (uint32_t i = 0; i < ROOM; i++)
        assert_int_equal(explain_trigger_at(&explain, i)->position, 5 - i);
    assert_null(explain_trigger_at(&explain, ROOM));
    const struct explain_trigger *newest = explain_trigger_at(&explain, 0);
    assert_ptr_equal(newest->topic, topic);
    assert_int_equal(newest->subscribers, 7);
    assert_memory_equal(newest->data, "five", newest->excerpt_size);
    assert_int_equal(heard, 5);
}

static void a_lost_one_and_a_merged_one_have_no_position(void **state)
{
    (void)state;
    struct journal *journal = explain_journal(&explain);
    place(9, 0, "");
    explain_lost(&explain, BYTES("nowhere"), &(struct emission){.type = type});
    journal->merged(journal, topic, &(struct emission){.type = type, .within_ms = 50});
    assert_int_equal(explain_trigger_at(&explain, 1)->position, 0);
    assert_int_equal(explain_trigger_at(&explain, 1)->state, EXPLAIN_LOST);
    assert_string_equal(explain_trigger_at(&explain, 1)->topic->text, "nowhere");
    assert_int_equal(explain_trigger_at(&explain, 0)->state, EXPLAIN_MERGED);
    assert_int_equal(explain_trigger_at(&explain, 0)->within_ms, 50);
}

static void data_is_cut_between_characters(void **state)
{
    (void)state;
    char text[EXPLAIN_EXCERPT + 10];
    memset(text, 'x', sizeof(text));
    memcpy(text + EXPLAIN_EXCERPT - 2, "\xe2\x82\xac", 3); /* half in, half out */
    text[sizeof(text) - 1] = '\0';
    place(1, 0, text);
    assert_int_equal(explain_trigger_at(&explain, 0)->excerpt_size, EXPLAIN_EXCERPT - 2);
    assert_int_equal(explain_trigger_at(&explain, 0)->data_size, sizeof(text) - 1);
    memset(text, 0x80, sizeof(text) - 1); /* nothing but ends of characters */
    place(2, 0, text);
    assert_int_equal(explain_trigger_at(&explain, 0)->excerpt_size, 0);
}

static void a_call_is_found_by_its_number_until_it_is_pushed_out(void **state)
{
    (void)state;
    assert_null(explain_call_of(&explain, 0));
    assert_null(explain_call_of(&explain, 1));
    uint64_t first = begin("ann");
    explain_emitted(&explain, first, 2);
    explain_end(&explain, first, EXPLAIN_FAILED, BYTES("why"));
    const struct explain_call *call = explain_call_of(&explain, first);
    assert_string_equal(call->key, "ann");
    assert_string_equal(call->error, "why");
    assert_int_equal(call->emitted, 2);
    assert_int_equal(call->end, EXPLAIN_FAILED);
    for (int i = 0; i < ROOM; i++) begin("bob");
    assert_null(explain_call_of(&explain, first));
    explain_end(&explain, first, EXPLAIN_RETURNED, BYTES("")); /* somebody else's place */
    explain_emitted(&explain, first, 1);
    for (uint32_t i = 0; i < ROOM; i++) {
        assert_int_equal(explain_call_at(&explain, i)->end, EXPLAIN_WAITS);
        assert_int_equal(explain_call_at(&explain, i)->emitted, 0);
        assert_string_equal(explain_call_at(&explain, i)->error, "");
    }
    assert_null(explain_call_at(&explain, ROOM));
}

static void texts_of_a_call_are_cut(void **state)
{
    (void)state;
    char key[1000];
    memset(key, 'k', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    begin(key);
    assert_int_equal(strlen(explain_call_at(&explain, 0)->key),
                     sizeof(explain_call_at(&explain, 0)->key) - 1);
}

static void the_horizon_is_the_newest_that_was_pushed_out(void **state)
{
    (void)state;
    spare(30, 1);
    spare(10, 2);
    spare(20, 3);
    expect_decisions("30:1 10:2 20:3 ");
    assert_int_equal(explain_horizon(&explain), 0);
    spare(40, 4);
    expect_decisions("10:2 20:3 40:4 ");
    assert_int_equal(explain_horizon(&explain), 30);
    spare(50, 5);
    spare(60, 6);
    assert_int_equal(explain_horizon(&explain), 30);
    spare(70, 7);
    assert_int_equal(explain_horizon(&explain), 40);
}

static void who_comes_back_does_not_move_the_horizon(void **state)
{
    (void)state;
    resume(1000, 1);
    spare(10, 1);
    expect_decisions("back 1000:1 10:1 ");
    for (int i = 0; i < DECISIONS; i++) resume(2000, 2);
    assert_int_equal(explain_horizon(&explain), 10);
}

static void without_room_for_decisions_each_is_the_horizon(void **state)
{
    (void)state;
    explain_destroy(&explain);
    create(ROOM, 0);
    resume(5, 1);
    assert_int_equal(explain_horizon(&explain), 0);
    spare(20, 1);
    spare(10, 1);
    assert_int_equal(explain_horizon(&explain), 20);
    expect_decisions("");
}

static void limit(uint32_t triggers, uint32_t decisions)
{
    const struct explain_limits limits = {triggers, decisions};
    explain_set_limits(&explain, &limits);
}

static void other_limits_leave_the_newest(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 6; i++) {
        place(i, begin("ann"), "");
        spare(i, 1);
    }
    limit(8, 5);
    assert_int_equal(explain_oldest(&explain)->position, 3);
    place(7, begin("bob"), "");
    assert_int_equal(explain_trigger_at(&explain, 4)->position, 3);
    assert_null(explain_trigger_at(&explain, 5));
    assert_int_equal(explain_call_of(&explain, 7)->number, 7);
    assert_int_equal(explain_call_of(&explain, 3)->number, 3);
    assert_null(explain_call_of(&explain, 2));
    assert_int_equal(explain_horizon(&explain), 3);
    expect_decisions("4:1 5:1 6:1 ");

    limit(2, 1);
    assert_int_equal(explain_oldest(&explain)->position, 6);
    assert_int_equal(explain_trigger_at(&explain, 0)->position, 7);
    assert_null(explain_trigger_at(&explain, 2));
    assert_null(explain_call_of(&explain, 5));
    assert_int_equal(explain_horizon(&explain), 5);
    expect_decisions("6:1 ");

    limit(0, 1);
    assert_null(explain_oldest(&explain));
    assert_true(explain_forgot(&explain));
    place(8, 0, "");
    limit(2, 1);
    place(9, 0, "");
    assert_int_equal(explain_oldest(&explain)->position, 9);
    assert_null(explain_trigger_at(&explain, 1));
}

static void without_room_for_triggers_nothing_is_kept(void **state)
{
    (void)state;
    explain_destroy(&explain);
    create(0, DECISIONS);
    place(1, 0, "");
    spare(1, 1);
    assert_int_equal(heard, 1);
    assert_int_equal(explain_horizon(&explain), 0);
    assert_int_equal(begin("ann"), 0);
    explain_end(&explain, 0, EXPLAIN_RETURNED, BYTES(""));
    explain_emitted(&explain, 0, 1);
    explain_lost(&explain, BYTES("t"), &(struct emission){.type = type});
    assert_null(explain_trigger_at(&explain, 0));
    assert_null(explain_call_at(&explain, 0));
    assert_null(explain_oldest(&explain));
    assert_false(explain_forgot(&explain));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_triggers_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_one_and_a_merged_one_have_no_position, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(data_is_cut_between_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_is_found_by_its_number_until_it_is_pushed_out,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_of_a_call_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_horizon_is_the_newest_that_was_pushed_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_comes_back_does_not_move_the_horizon, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_room_for_decisions_each_is_the_horizon, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_limits_leave_the_newest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_room_for_triggers_nothing_is_kept, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
