/* The lines of a recording, and its end. */
#include "tape/tape.c"

#include "base/json.h"
#include "unit.h"

static struct clock at;
static struct tape *tape;
static int written;

static void on_written(void *owner)
{
    assert_ptr_equal(owner, &written);
    written++;
}

static void open_tape(size_t most_bytes, uint32_t secrets_max)
{
    static const char *const names[] = {"token"};
    const struct tape_options options = {.clock = &at, .names = names, .name_count = 1,
                                         .secrets_max = secrets_max, .most_bytes = most_bytes,
                                         .written = on_written, .owner = &written};
    tape = tape_new(&options);
}

static int set_up(void **state)
{
    (void)state;
    at.now_ms = 5000;
    written = 0;
    open_tape(1 << 20, 100);
    return 0;
}

static int tear_down(void **state)
{
    tape_free(tape);
    return nothing_left(state);
}

static void write_nothing(struct entry *entry, const void *ctx)
{
    (void)entry, (void)ctx;
}

static void write_all(struct entry *entry, const void *ctx)
{
    const struct http_header headers[] = {{BYTES("a"), BYTES("\"1\"")}, {BYTES("cookie"), BYTES("c=biscuit")}};
    const struct bytes list[] = {BYTES("x"), BYTES("y\n")};
    (void)ctx;
    entry_number(entry, "n", -7);
    entry_flag(entry, "f");
    entry_text(entry, "text", BYTES("biscuit"));
    entry_text(entry, "none", bytes_of(NULL));
    entry_path(entry, "path", BYTES("/%62iscuit"));
    entry_query(entry, "query", BYTES("token=xyz123"));
    entry_query(entry, "no", BYTES(""));
    entry_url(entry, "url", BYTES("http://h/?q=xyz123"));
    entry_list(entry, "list", list, 2);
    entry_headers(entry, headers, 2);
    entry_body(entry, "body", BYTES(""), BYTES("{\"a\":\"xyz123\"}"));
    entry_body(entry, "empty", BYTES(""), BYTES(""));
    entry_body(entry, "blob", BYTES(""), BYTES("\xff\xff"));
}

static void becomes(const char *want)
{
    assert_text(tape_bytes(tape), want);
    tape_take(tape, tape_bytes(tape).size);
}

static void writes_a_line_each(void **state)
{
    (void)state;
    tape_add(tape, "one", write_nothing, NULL);
    at.now_ms += 1234;
    tape_add(tape, "two", write_nothing, NULL);
    assert_int_equal(written, 2);
    assert_int_equal(tape_entries(tape), 2);
    tape_take(tape, 20);
    becomes("\n{\"t\":1234,\"what\":\"two\"}\n");
    becomes("");
}

/* The cookie that stands last in the line is known in its first field. */
static void hides_a_secret_in_the_whole_line(void **state)
{
    (void)state;
    tape_add(tape, "all", write_all, NULL);
    becomes("{\"t\":0,\"what\":\"all\",\"n\":-7,\"f\":true,\"text\":\"secret-2\",\"path\":\"/secret-2\","
            "\"query\":\"token=secret-1\",\"url\":\"http://h/?q=secret-1\",\"list\":[\"x\",\"y\\n\"],"
            "\"headers\":[[\"a\",\"\\\"1\\\"\"],[\"cookie\",\"c=secret-2\"]],"
            "\"body\":\"{\\\"a\\\":\\\"secret-1\\\"}\",\"blob_size\":2}\n");
}

static void says_why_it_is_over_and_nothing_after_that(void **state)
{
    (void)state;
    assert_false(tape_over(tape));
    tape_end(tape, "just so");
    tape_end(tape, "again");
    tape_add(tape, "one", write_nothing, NULL);
    assert_true(tape_over(tape));
    becomes("{\"t\":0,\"what\":\"over\",\"why\":\"just so\"}\n");
}

static void ends_rather_than_wait_for_a_slow_reader(void **state)
{
    (void)state;
    tape_free(tape);
    open_tape(50, 100);
    tape_add(tape, "one", write_nothing, NULL);
    tape_take(tape, tape_bytes(tape).size);
    tape_add(tape, "two", write_nothing, NULL);
    tape_add(tape, "three", write_nothing, NULL);
    assert_false(tape_over(tape));
    tape_add(tape, "four", write_nothing, NULL);
    assert_true(tape_over(tape));
    becomes("{\"t\":0,\"what\":\"two\"}\n{\"t\":0,\"what\":\"three\"}\n"
            "{\"t\":0,\"what\":\"over\",\"why\":\"its reader was too slow\"}\n");
}

static void ends_rather_than_lose_a_secret(void **state)
{
    (void)state;
    tape_free(tape);
    open_tape(1 << 20, 1);
    tape_add(tape, "all", write_all, NULL);
    becomes("{\"t\":0,\"what\":\"over\",\"why\":\"more secrets than can be kept apart\"}\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_a_line_each),
        TEST(hides_a_secret_in_the_whole_line),
        TEST(says_why_it_is_over_and_nothing_after_that),
        TEST(ends_rather_than_wait_for_a_slow_reader),
        TEST(ends_rather_than_lose_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
