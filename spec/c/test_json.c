/* What is an object, and has it the member? */
#include "base/json.c"

#include "unit.h"

static void recognizes_objects(void **state)
{
    (void)state;
    static const char *const objects[] = {
        "{}",
        " \t\r\n{ \n} ",
        "{\"a\":1}",
        "{\"a\":{\"b\":[]},\"c\":[1,{},\"}\"]}",
        "{\"\":null}",
        "{\"a\":-0.5e+10,\"b\":0,\"c\":1E5,\"d\":10.25,\"e\":1e-2}",
        "{\"a\":true,\"b\":false,\"c\":null}",
        "{\"a\":1,\"a\":2}",
        "{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83d\":\"\\u0000\"}",
        "{ \"a\" : [ 1 , 2 ] }",
    };
    struct json_object object;
    for (size_t i = 0; i < COUNT(objects); i++)
        if (!json_scan_object(bytes_of(objects[i]), "x", &object)) fail_msg("%s", objects[i]);
}

static void refuses_what_is_not_quite_one(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        " ",
        "[]",
        "\"{}\"",
        "1",
        "null",
        "{",
        "}",
        "{}}",
        "{}{}",
        "{} x",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":1e+}",
        "{\"a\":0x1}",
        "{\"a\":tru}",
        "{\"a\":True}",
        "{\"a\":NaN}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\u123\"}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{\"a\":[1,]}",
        "{\"a\":[}",
        "{\"a\":[1 2]}",
        "{\"a\":{]}",
        "{\"a\":1",
        "{\"a\":nul",
        "{\"a",
        "{\"a\" 1}",
        "\xef\xbb\xbf{}",
        "{\"a\":1}//",
        "{\"a\":\v1}",
        "{\"a\":]}",
        "{1:2}",
    };
    struct json_object object;
    for (size_t i = 0; i < COUNT(others); i++)
        if (json_scan_object(bytes_of(others[i]), "x", &object)) fail_msg("%s", others[i]);
    assert_false(json_scan_object(bytes_run(NULL, 0), "x", &object));
    assert_false(json_scan_object(BYTES("{}\0"), "x", &object));
    /* Every beginning of an object, cut where the memory ends. */
    const char whole[] = "{\"a\":[1.5e3,\"\\u00e9\\n\",{\"b\":null}],\"c\":false}";
    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        char *cut = xmemdup(whole, size);
        assert_false(json_scan_object(bytes_run(cut, size), "x", &object));
        xfree(cut);
    }
}

static void tells_where_the_inside_begins(void **state)
{
    (void)state;
    struct json_object object;
    assert_true(json_scan_object(BYTES(" \n{ }"), "x", &object));
    assert_int_equal(object.inside, 3);
    assert_true(object.empty);
    assert_true(json_scan_object(BYTES("{\"a\":{}}"), "x", &object));
    assert_int_equal(object.inside, 1);
    assert_false(object.empty);
    assert_true(json_scan_object(BYTES("{\"a\":[{}]}"), "x", &object));
    assert_false(object.empty);
}

static void finds_a_member_of_the_top_level_however_spelled(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool has;
    } cases[] = {
        {"{\"tag\":1}", true},
        {"{\"a\":1,\"tag\":null,\"b\":2}", true},
        {"{\"\\u0074\\u0061g\":1}", true},
        {"{ \"t\\u0061g\" : {} }", true},
        {"{}", false},
        {"{\"Tag\":1}", false},
        {"{\"tags\":1,\"ta\":2,\"\":3,\"xtag\":4,\"tag \":5}", false},
        {"{\"a\":{\"tag\":1},\"b\":[{\"tag\":1}],\"c\":\"tag\"}", false},
        {"{\"a\":\"\\\"tag\\\":1\"}", false},
        {"{\"tag\\u0000\":1}", false},
        {"{\"tag\\u0000x\":1}", false},
        {"{\"\\u0174ag\":1}", false},
        {"{\"\\tag\":1}", false},
    };
    struct json_object object;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(json_scan_object(bytes_of(cases[i].text), "tag", &object));
        if (object.has != cases[i].has) fail_msg("%s", cases[i].text);
    }
    assert_true(json_scan_object(BYTES("{\"a/b\\n\":1}"), "a/b\n", &object));
    assert_true(object.has);
}

static void takes_values_apart(void **state)
{
    (void)state;
    struct json_value value, name, item;
    assert_true(json_read(BYTES(" {\"a\" : [ 1 ,\"x\", null ],\"b\":true , \"c\":{} } "), &value));
    assert_int_equal(value.kind, JSON_OBJECT);
    struct bytes rest = json_inside(&value);
    assert_true(json_next_member(&rest, &name, &value));
    assert_text(name.text, "\"a\"");
    assert_text(value.text, "[ 1 ,\"x\", null ]");
    assert_int_equal(value.kind, JSON_LIST);
    struct bytes items = json_inside(&value);
    static const enum json_kind kinds[] = {JSON_NUMBER, JSON_TEXT, JSON_NULL};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        assert_true(json_next_element(&items, &item));
        assert_int_equal(item.kind, kinds[i]);
    }
    assert_false(json_next_element(&items, &item));
    assert_true(json_next_member(&rest, &name, &value));
    assert_int_equal(value.kind, JSON_BOOLEAN);
    assert_true(json_next_member(&rest, &name, &value));
    assert_text(value.text, "{}");
    items = json_inside(&value);
    assert_false(json_next_member(&items, &name, &value));
    assert_false(json_next_member(&rest, &name, &value));
    static const char *const broken[] = {"", " ", "[1", "{} {}", "tru", "1 2", "[1,]"};
    for (size_t i = 0; i < COUNT(broken); i++)
        if (json_read(bytes_of(broken[i]), &value)) fail_msg("%s", broken[i]);
}

static void says_what_a_text_says(void **state)
{
    (void)state;
    static const struct {
        const char *written, *said;
    } cases[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!"},
        {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
        {"\"\\ude00\"", "\xef\xbf\xbd"},
        {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_value value;
        struct buf said = BUF_EMPTY;
        assert_true(json_read(bytes_of(cases[i].written), &value));
        json_text(&said, &value);
        assert_text(buf_bytes(&said), cases[i].said);
        assert_true(said.size <= strlen(cases[i].written));
        buf_destroy(&said);
    }
}

static void bounds_depth(void **state)
{
    (void)state;
    struct json_object object;
    for (int depth = DEEPEST - 3; depth < DEEPEST + 3; depth++) {
        char *text = xmalloc(5 + 2 * (size_t)depth + 1), *at = text;
        memcpy(at, "{\"a\":", 5), at += 5;
        for (int i = 1; i < depth; i++) *at++ = '[';
        for (int i = 1; i < depth; i++) *at++ = ']';
        *at++ = '}';
        assert_int_equal(json_scan_object(bytes_run(text, (size_t)(at - text)), "x", &object),
                         depth <= DEEPEST);
        xfree(text);
    }
    enum { HOSTILE = 1000000 };
    char *text = xmalloc(HOSTILE);
    memset(text, '[', HOSTILE);
    memcpy(text, "{\"a\":", 5);
    assert_false(json_scan_object(bytes_run(text, HOSTILE), "x", &object));
    xfree(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recognizes_objects),
        cmocka_unit_test_teardown(refuses_what_is_not_quite_one, nothing_left),
        cmocka_unit_test(tells_where_the_inside_begins),
        cmocka_unit_test(finds_a_member_of_the_top_level_however_spelled),
        cmocka_unit_test_teardown(takes_values_apart, nothing_left),
        cmocka_unit_test_teardown(says_what_a_text_says, nothing_left),
        cmocka_unit_test_teardown(bounds_depth, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
