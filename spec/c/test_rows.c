/* What another node's letters say of rows, in an app's store. */
#include "engine/rows.c"

#include "base/buf.h"
#include "unit.h"

static struct clock clock_;
static struct store *store;
static struct rows *rows;
static struct atom *app;
static struct cluster_letters *mailbox;
static int warnings;

void cluster_letters(struct cluster *cluster, struct cluster_letters *letters)
{
    (void)cluster;
    mailbox = letters;
}

void cluster_no_letters(struct cluster_letters *letters)
{
    assert_ptr_equal(letters, mailbox);
    mailbox = NULL;
}

static void write_log(struct log *log, enum log_level level, const char *message, const struct line_field *fields,
                      size_t count)
{
    (void)log, (void)level, (void)message, (void)fields, (void)count;
    warnings++;
}

static struct log log_ = {.level = LOG_WARN, .write = write_log};
static struct joint joint;
static struct engine_ports ports = {.clock = &clock_, .log = &log_, .joint = &joint};

static int begin(void **state)
{
    (void)state;
    clock_ = (struct clock){.now_ms = 1000};
    wheel_create(&clock_.wheel, clock_.now_ms);
    store = store_new(&clock_, 8, 10000);
    app = atom_get(BYTES("chat"));
    rows = rows_new(&ports, store, app);
    warnings = 0;
    return 0;
}

static int end(void **state)
{
    rows_free(rows);
    store_free(store);
    atom_unref(app);
    if (mailbox || clock_.wheel.count || atom_live()) return -1;
    return nothing_left(state);
}

static void hear(struct bytes payload)
{
    struct buf copy = BUF_EMPTY; /* so that what is read behind it is seen */
    buf_add_bytes(&copy, payload);
    mailbox->letter(mailbox, 0, buf_bytes(&copy));
    buf_destroy(&copy);
}

static void says(const char *key, const char *row)
{
    struct buf payload = BUF_EMPTY;
    netstring_add(&payload, BYTES("chat"));
    netstring_add(&payload, bytes_of(key));
    netstring_add(&payload, bytes_of(row));
    hear(buf_bytes(&payload));
    buf_destroy(&payload);
}

static void holds(const char *key, const char *value)
{
    struct bytes found = store_get(store, bytes_of(key));
    if (!value) assert_null(found.data);
    if (value) assert_non_null(found.data);
    if (value) assert_text(found, value);
}

static void are_kept_where_the_highest_wins(void **state)
{
    (void)state;
    assert_string_equal(mailbox->kind, "row");
    assert_true(mailbox->always);
    says("bob", "9");
    holds("bob", "9");
    says("bob", "10");
    says("bob", "7");
    holds("bob", "10");
    says("bob", "10.5");
    holds("bob", "10.5");
    says("cleo", "-3");
    holds("cleo", "-3");
    says("cleo", "1e+300");
    holds("cleo", "1.0000000000000001e+300");
}

static void are_kept_for_a_day_after_the_last_that_was_higher(void **state)
{
    (void)state;
    says("bob", "9");
    clock_.now_ms += KEPT_MS - 1;
    wheel_advance(&clock_.wheel, clock_.now_ms);
    holds("bob", "9");
    clock_.now_ms += 1;
    wheel_advance(&clock_.wheel, clock_.now_ms);
    holds("bob", NULL);
}

static void take_names_of_any_bytes(void **state)
{
    (void)state;
    hear(BYTES("4:chat,3:b\0b,1:9,"));
    assert_text(store_get(store, BYTES("b\0b")), "9");
}

static void of_another_app_or_not_whole_are_dropped(void **state)
{
    (void)state;
    static const char *const none[] = {
        "", "-", "4:chat", "4:chat,", "4:chat,3:bob,", "4:chat,3:bob,1:9", "4:chat,3:bob,-", "4:chat,-1:9,",
        "4:chat,3:bob,0:,", "4:chat,3:bob,3:nan,", "4:chat,3:bob,3:inf,", "4:chat,3:bob,2:9x,", "4:chat,9:bob,1:9,",
        "3:cha,3:bob,1:9,", "4:chat,3:bob,41:00000000000000000000000000000000000000009,"};
    for (size_t i = 0; i < COUNT(none); i++) hear(bytes_of(none[i]));
    char key[KEY_MAX + 2];
    memset(key, 'k', sizeof(key));
    key[KEY_MAX + 1] = '\0';
    says(key, "9");
    assert_int_equal(store_count(store), 0);
    assert_int_equal(warnings, 0);
}

static void are_kept_in_half_of_the_store_and_it_is_said_once_a_minute(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++) says(keys[i], "9");
    holds("e", "9");
    says("f", "9");
    says("g", "9");
    holds("f", NULL);
    assert_int_equal(warnings, 1);
    says("a", "10");
    holds("a", "10");
    clock_.now_ms += SAY_AGAIN_MS;
    says("f", "9");
    assert_int_equal(warnings, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(are_kept_where_the_highest_wins),
        TEST(are_kept_for_a_day_after_the_last_that_was_higher),
        TEST(take_names_of_any_bytes),
        TEST(of_another_app_or_not_whole_are_dropped),
        TEST(are_kept_in_half_of_the_store_and_it_is_said_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
