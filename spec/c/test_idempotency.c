/* The same id gets the same answer, for as long and as often as is kept. */
#include "engine/idempotency.c"

#include "unit.h"

static struct idempotency kept;
static struct record *record;
static const struct idempotency_bounds wide = {.ttl_ms = 1000, .count = 100, .bytes = 1 << 20};

static int begin(void **state)
{
    (void)state;
    idempotency_create(&kept);
    return 0;
}

static int end(void **state)
{
    (void)state;
    idempotency_destroy(&kept);
    assert_int_equal(kept.answers, 0);
    assert_int_equal(kept.bytes, 0);
    return 0;
}

static enum idempotency_found look(const char *asker, const char *id, uint64_t hash, uint64_t now)
{
    return idempotency_look(&kept, bytes_of(asker), bytes_of(id), hash, now, &record);
}

static void answer(const char *id, const char *text, uint64_t now,
                   const struct idempotency_bounds *bounds)
{
    assert_int_equal(look("", id, 1, now), RECORD_NEW);
    idempotency_answer(&kept, record, bytes_of(text), now, bounds);
}

static void the_same_again_has_the_same_answer(void **state)
{
    (void)state;
    assert_int_equal(look("ann", "1", 7, 0), RECORD_NEW);
    struct record *first = record;
    assert_int_equal(look("ann", "1", 7, 0), RECORD_UNDERWAY);
    assert_ptr_equal(record, first);
    assert_int_equal(look("ann", "1", 8, 0), RECORD_OTHER);
    idempotency_answer(&kept, first, BYTES("yes"), 0, &wide);
    assert_int_equal(look("ann", "1", 7, 999), RECORD_ANSWERED);
    assert_text(record->answer, "yes");
    assert_int_equal(look("ann", "1", 8, 999), RECORD_OTHER);
}

static void an_id_is_its_asker_s(void **state)
{
    (void)state;
    look("ann", "1", 7, 0);
    idempotency_answer(&kept, record, BYTES("ann's"), 0, &wide);
    assert_int_equal(look("bob", "1", 7, 0), RECORD_NEW);
    idempotency_forget(&kept, record);
    assert_int_equal(look("", "1", 7, 0), RECORD_NEW);
    idempotency_forget(&kept, record);
}

static void what_failed_leaves_nothing(void **state)
{
    (void)state;
    look("ann", "1", 7, 0);
    idempotency_forget(&kept, record);
    assert_int_equal(look("ann", "1", 8, 0), RECORD_NEW);
    idempotency_forget(&kept, record);
}

static void answers_go_with_their_time(void **state)
{
    (void)state;
    answer("1", "one", 0, &wide);
    answer("2", "two", 500, &wide);
    assert_int_equal(kept.answers, 2);
    assert_int_equal(look("", "1", 1, 1000), RECORD_NEW);
    assert_int_equal(kept.answers, 1);
    idempotency_forget(&kept, record);
    assert_int_equal(look("", "2", 1, 1499), RECORD_ANSWERED);
    /* A reload has made the time longer, then shorter: one that is over is not found behind one that is not. */
    answer("3", "long", 1499, &(struct idempotency_bounds){.ttl_ms = 9000, .count = 9, .bytes = 9999});
    answer("4", "short", 1499, &(struct idempotency_bounds){.ttl_ms = 10, .count = 9, .bytes = 9999});
    assert_int_equal(look("", "4", 1, 1510), RECORD_NEW);
    idempotency_forget(&kept, record);
}

static void answers_go_with_their_number_and_bytes(void **state)
{
    (void)state;
    const struct idempotency_bounds two = {.ttl_ms = 1000, .count = 2, .bytes = 1 << 20};
    answer("1", "one", 0, &two);
    answer("2", "two", 0, &two);
    answer("3", "three", 0, &two);
    assert_int_equal(kept.answers, 2);
    assert_int_equal(look("", "2", 1, 0), RECORD_ANSWERED);
    assert_int_equal(look("", "3", 1, 0), RECORD_ANSWERED);
    answer("1", "one", 0, &two);
    const struct idempotency_bounds small = {.ttl_ms = 1000, .count = 9, .bytes = kept.bytes};
    answer("4", "eight", 0, &small);
    assert_true(kept.bytes <= small.bytes);
    assert_int_equal(kept.answers, 2);
    assert_int_equal(look("", "4", 1, 0), RECORD_ANSWERED);
    char *large = xcalloc(1, small.bytes + 1);
    memset(large, 'x', small.bytes);
    answer("5", large, 0, &small); /* none that it would push out goes for it */
    assert_int_equal(kept.answers, 2);
    assert_int_equal(look("", "4", 1, 0), RECORD_ANSWERED);
    answer("6", "", 0, &(struct idempotency_bounds){.ttl_ms = 1000});
    assert_int_equal(look("", "6", 1, 0), RECORD_NEW);
    idempotency_forget(&kept, record);
    xfree(large);
}

static void an_empty_answer_is_one(void **state)
{
    (void)state;
    answer("1", "", 0, &wide);
    assert_int_equal(look("", "1", 1, 0), RECORD_ANSWERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_again_has_the_same_answer, begin, end),
        cmocka_unit_test_setup_teardown(an_id_is_its_asker_s, begin, end),
        cmocka_unit_test_setup_teardown(what_failed_leaves_nothing, begin, end),
        cmocka_unit_test_setup_teardown(answers_go_with_their_time, begin, end),
        cmocka_unit_test_setup_teardown(answers_go_with_their_number_and_bytes, begin, end),
        cmocka_unit_test_setup_teardown(an_empty_answer_is_one, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
