/* What is left of texts with secrets in them. */
#include "tape/redact.c"

#include "unit.h"

static struct redact *redacting;

static int begin(void **state)
{
    static const char *const names[] = {"token", "access_token", "x-api-key", "password", "session"};
    (void)state;
    redacting = redact_new(names, COUNT(names), 1000);
    return 0;
}

static int end(void **state)
{
    redact_free(redacting);
    return nothing_left(state);
}

typedef void redact_f(struct redact *redact, struct bytes text, struct buf *out);

static void becomes(redact_f *redact, const char *text, const char *want)
{
    struct buf out = BUF_EMPTY;
    redact(redacting, bytes_of(text), &out);
    assert_text(buf_bytes(&out), want);
    buf_destroy(&out);
}

static void header(const char *name, const char *value, const char *want)
{
    struct buf out = BUF_EMPTY;
    redact_header(redacting, bytes_of(name), bytes_of(value), &out);
    assert_text(buf_bytes(&out), want);
    buf_destroy(&out);
}

/* `want` NULL: its size is all that may be kept. */
static void body(const char *type, const char *text, const char *want)
{
    struct buf out = BUF_EMPTY;
    const bool kept = redact_body(redacting, bytes_of(type), bytes_of(text), &out);
    assert_int_equal(kept, want != NULL);
    assert_text(buf_bytes(&out), want ? want : "");
    buf_destroy(&out);
}

static void keeps_what_a_header_is_made_of(void **state)
{
    (void)state;
    header("authorization", "Bearer abcdefgh", "Bearer secret-1");
    header("Proxy-Authorization", "Basic xyz", "Basic secret-2");
    header("authorization", "bare", "secret-3");
    header("cookie", "a=one; b=two;c=;d; a=one", "a=secret-4; b=secret-5;c=;secret-6; a=secret-4");
    header("set-cookie", "sid=one; Path=/; HttpOnly", "sid=secret-4; Path=/; HttpOnly");
    header("X-API-Key", "k", "secret-7");
    header("x_api_key", "k", "secret-7");
    header("x-other", "k abcdefgh", "k secret-1");
    header("x-session-tag", "tab-0000000000001", "tab-0000000000001");
    header("location", "http://ann:pw@host:1/p?token=t&x=1#access_token=u",
           "http://secret-8@host:1/p?token=secret-9&x=1#access_token=secret-10");
}

static void keeps_queries_paths_and_urls(void **state)
{
    (void)state;
    becomes(redact_query, "", "");
    becomes(redact_query, "a=1&token=to%20ken%2B1&b&=&token=&to%6ben=x", "a=1&token=secret-1&b&=&token=&to%6ben=secret-2");
    becomes(redact_query, "q=to+ken%2b1&r=to%20ken%2b1+&s=%zz", "q=secret-1&r=secret-1%20&s=%zz");
    becomes(redact_query, "token=%zz", "token=secret-3");
    becomes(redact_path, "/a/to%20ken%2B1/b", "/a/secret-1/b");
    becomes(redact_path, "/a/%74o%20ken%2b1/https:%2F%2Fx", "/a/secret-1/https:%2F%2Fx");
    becomes(redact_url, "/rel?token=zzzzzz", "/rel?token=secret-4");
    becomes(redact_url, "http://h/zzzzzz/?x=zzzzzz", "http://h/secret-4/?x=secret-4");
    becomes(redact_url, "http://h", "http://h");
    becomes(redact_url, "http://h/a@b", "http://h/a@b");
}

static void finds_members_at_any_depth(void **state)
{
    (void)state;
    body("application/json", "{\"token\":\"abcdefgh\", \"n\": [ {\"Access-Token\" : \"u\"} ]}",
         "{\"token\":\"secret-1\", \"n\": [ {\"Access-Token\" : \"secret-2\"} ]}");
    body("", "{\"password\":{\"a\":\"x\",\"b\":[\"y\",17,true,null,-1.5e3]}}",
         "{\"password\":{\"a\":\"secret-3\",\"b\":[\"secret-4\",\"secret-5\",true,null,\"secret-6\"]}}");
    body("", "{\"to\\u006ben\":\"\\u0061bcdefgh\"}", "{\"to\\u006ben\":\"secret-1\"}");
    body("", "[\"see abcdefgh\",\"\\u0061bcd\\/efgh\",\"abc\\u0064efgh\"]",
         "[\"see secret-1\",\"\\u0061bcd\\/efgh\",\"secret-1\"]");
    body("", "{\"abcdefgh\":1}", "{\"secret-1\":1}");
    body("", "{\"tokens\":\"x\",\"session_tag\":\"t\"}", "{\"tokens\":\"x\",\"session_tag\":\"t\"}");
    body("", "{\"text\":\"{\\\"token\\\":\\\"inner!\\\"}\"}", "{\"text\":\"{\\\"token\\\":\\\"secret-7\\\"}\"}");
    body("", "{\"token\":12345678}", "{\"token\":\"secret-8\"}");
    body("", "{\"id\":12345678}", "{\"id\":\"secret-8\"}");
    body("", "\"abcdefgh\"", "\"secret-1\"");
}

static void keeps_json_as_it_is_spelled(void **state)
{
    static const char *const texts[] = {
        " {\n \"a\" : 1.50 ,\t\"b\":[ ]} ", "[1e5,-0,0.10]", "{\"\\u00e9\":\"\\/\\ud83d\\ude00\\ud83d\"}",
        "{\"a\":1,\"a\":2}", "\"\\b\\f\\n\\r\\t\\\\\\\"\"", "{}", "[[[]]]", "\"{not json\"",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) body("", texts[i], texts[i]);
}

static void reads_a_body_by_what_it_is(void **state)
{
    (void)state;
    body("", "", "");
    body("application/x-www-form-urlencoded", "user=ann&password=hunter2", "user=ann&password=secret-1");
    body("application/x-www-form-urlencoded", "{\"password\":\"hunter2\"}", "{\"password\":\"secret-1\"}");
    body("", "password=other1&x=1", "password=secret-2&x=1");
    body("text/plain", "so hunter2 it is", "so secret-1 it is");
    body("text/html", "<a b=hunter2>", "<a b=secret-1>");
    body("", "[not json, hunter2", "[not json, secret-1");
    body("application/json", "[\"password\"", NULL);
    body("", "{\"password\":\"hunter3", NULL);
    body("text/plain", "{\"password\":\"hunter3\"} and more", NULL);
    body("Multipart/form-data; boundary=x", "--x\r\npassword", NULL);
    body("", "\xff\xfe", NULL);
}

static void bounds_size_and_depth(void **state)
{
    char *text = xmalloc(REDACT_BODY_MAX + 2);
    struct buf out = BUF_EMPTY;
    (void)state;
    memset(text, 'x', REDACT_BODY_MAX + 1);
    assert_true(redact_body(redacting, BYTES(""), bytes_run(text, REDACT_BODY_MAX), &out));
    assert_int_equal(out.size, REDACT_BODY_MAX);
    buf_clear(&out);
    assert_false(redact_body(redacting, BYTES(""), bytes_run(text, REDACT_BODY_MAX + 1), &out));
    memset(text, '[', REDACT_BODY_MAX);
    assert_false(redact_json(redacting, bytes_run(text, REDACT_BODY_MAX), &out));
    assert_int_equal(out.size, 0);
    buf_destroy(&out);
    xfree(text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_what_a_header_is_made_of),
        TEST(keeps_queries_paths_and_urls),
        TEST(finds_members_at_any_depth),
        TEST(keeps_json_as_it_is_spelled),
        TEST(reads_a_body_by_what_it_is),
        TEST(bounds_size_and_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
