#include "unit.h"

#include "engine/remembered.c"

static const struct places base = {{10, 20, 30}};

static void reads(const char *record, const char *hash, bool same, struct places wanted, const char *wanted_rest)
{
    struct places places;
    struct bytes rest = {NULL, 0};
    assert_int_equal(remembered_read(bytes_of(record), bytes_of(hash), 1, &places, &rest), same);
    if (!same) return;
    for (int i = 0; i < CURSOR_SERVERS; i++) assert_int_equal(places.at[i], wanted.at[i]);
    assert_true(bytes_is(rest, wanted_rest));
}

static void a_record_says_what_who_asked_first_was_told(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "cafe 21,25 ");
    remembered_base(&text, &base, 3);
    buf_add_text(&text, "\"triggers\":2, of them");
    reads(buf_text(&text), "cafe", true, (struct places){{10, 25, 30}}, "\"triggers\":2, of them");
    reads(buf_text(&text), "beef", false, base, NULL);
    buf_destroy(&text);
}

static void one_without_triggers_has_no_places_of_its_own(void **state)
{
    (void)state;
    reads("cafe  10,20,30 rest", "cafe", true, base, "rest");
    reads("cafe  10,20,30 ", "cafe", true, base, "");
}

static void what_is_broken_gives_nothing_away(void **state)
{
    (void)state;
    reads("", "cafe", false, base, NULL);
    reads("cafe", "cafe", true, (struct places){{0}}, "");
    reads("cafe x,9 1,2,3,4,5,6,7,8,9,10 rest", "cafe", true,
          (struct places){{1, 9, 3, 4, 5, 6, 7, 8}}, "rest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_says_what_who_asked_first_was_told),
        cmocka_unit_test(one_without_triggers_has_no_places_of_its_own),
        cmocka_unit_test(what_is_broken_gives_nothing_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
