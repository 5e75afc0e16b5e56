/* How a request becomes events, and what is said of one that does not. */
#include "engine/publication_read.c"

#include "unit.h"

static struct publication_fault fault;
static struct atom *source;

static struct publication *read_as(const char *type, const char *query, const char *body)
{
    struct http_header headers[] = {{BYTES("content-type"), bytes_of(type)},
                                    {BYTES("x-session-tag"), BYTES("tag-of-the-header")},
                                    {BYTES("x-event-type"), BYTES("of-the-header")}};
    const struct http_request request = {.query = bytes_of(query),
                                         .body = bytes_of(body),
                                         .headers = headers,
                                         .header_count = COUNT(headers)};
    fault = (struct publication_fault){0};
    return publication_read(&request, source, 3, &fault);
}

static struct publication *read_text(const char *body)
{
    return read_as("application/json; charset=utf-8", "", body);
}

static void reads_json(void **state)
{
    (void)state;
    struct publication *p = read_text("{\"type\":\"a\\u0062\",\"data\":{\"x\": [1, \"\\u00e9\"]},\"id\":\"7\","
                                      "\"user\":\"ann\",\"key\":\"k\",\"topic\":[\"t1\",\"t2\"],"
                                      "\"session_tag\":\"tag-of-the-event\",\"extra\":null}");
    assert_null(p);
    p = read_text("{\"type\":\"a\\u0062\",\"data\":{\"x\": [1, \"\\u00e9\"]},\"id\":\"7\",\"user\":\"ann\","
                  "\"key\":\"k\",\"topic\":[\"t1\",\"t2\"],\"session_tag\":\"tag-of-the-event\"}");
    assert_non_null(p);
    assert_int_equal(p->count, 1);
    assert_false(p->list);
    const struct event *event = p->events;
    assert_text(event->type, "ab");
    assert_text(event->data, "{\"x\": [1, \"\\u00e9\"]}"); /* as it was written */
    assert_text(event->id, "7");
    assert_text(event->user, "ann");
    assert_text(event->key, "k");
    assert_text(event->tag, "tag-of-the-event");
    assert_int_equal(event->topic_count, 2);
    assert_text(event->topics[1], "t2");
    publication_free(p);
    p = read_text("[{\"type\":\"a\",\"data\":\"te\\nxt\"},{\"type\":\"b\",\"id\":null,\"data\":null}]");
    assert_true(p->list);
    assert_text(p->events[0].data, "te\nxt");
    assert_text(p->events[0].tag, "tag-of-the-header");
    assert_null(p->events[1].data.data);
    publication_free(p);
}

static void reads_forms_and_what_is_neither(void **state)
{
    (void)state;
    struct publication *p =
        read_as("application/x-www-form-urlencoded", "type=no", "type=a%20b&data=%7B%7D+x&topic=1&topic=2");
    assert_text(p->events[0].type, "a b");
    assert_text(p->events[0].data, "{} x");
    assert_int_equal(p->events[0].topic_count, 2);
    publication_free(p);
    p = read_as("text/plain", "type=t&key=k&other=1&data=no", "raw &=%");
    assert_text(p->events[0].type, "t");
    assert_text(p->events[0].key, "k");
    assert_text(p->events[0].data, "raw &=%");
    publication_free(p);
    p = read_as("", "", "raw");
    assert_text(p->events[0].type, "of-the-header");
    publication_free(p);
}

static void says_what_is_wrong_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
        int status;
        const char *sentence;
    } cases[] = {
        {"application/json", "{\"type\":1}", 400, "event.type: expected a text, got a number"},
        {"application/json", "[{\"type\":\"a\"},{\"type\":\"a\",\"id\":[]}]", 400,
         "events[1].id: expected a text, got a list"},
        {"application/json", "[{\"type\":\"a\"},7]", 400, "events[1]: expected an object, got a number"},
        {"application/json", "{}", 400, "event.type: missing; expected a text"},
        {"application/json", "{\"typ\":1}", 400, "event: unknown field 'typ'; did you mean 'type'?"},
        {"application/json", "{\"type\":\"a\",\"type\":\"b\"}", 400, "event.type: it is given twice"},
        {"application/json",
         "{\"type\":\"a\",\"tag\":\"0123456789abcdef\",\"session_tag\":\"0123456789abcdef\"}", 400,
         "event.session_tag: it is given twice"},
        {"application/json", "{\"type\":\"a\\n\"}", 400, "event.type: it holds CR, LF or NUL"},
        {"application/json", "{\"type\":\"\"}", 400, "event.type: it is empty"},
        {"application/json", "{\"type\":\"a\",\"tag\":\"short\"}", 400,
         "event.tag: a session tag is 16 to 64 characters of [A-Za-z0-9_-]"},
        {"application/json", "{\"type\":\"a\",\"topic\":[1]}", 400,
         "event.topic: expected texts, got a number"},
        {"application/json", "[]", 400, "events: the list is empty"},
        {"application/json", "[1,2,3,4]", 413, "4 events in one request; 3 at most"},
        {"application/json", "{\"type\":\"a\"", 400, "the body is no well-formed JSON"},
        {"application/json", "", 400, "the body is no well-formed JSON"},
        {"application/json", "{\"type\":\"\xff\"}", 400, "the body is no well-formed JSON"},
        {"application/x-www-form-urlencoded", "{\"type\":\"a\"}", 400,
         "event: unknown field '{\"type\":\"a\"}'"},
        {"application/x-www-form-urlencoded", "type=a&data=%zz", 400,
         "event.data: a broken percent-escape, or NUL"},
        {"application/x-www-form-urlencoded", "type=a&type=b", 400, "event.type: it is given twice"},
        {"application/x-www-form-urlencoded", "type=%ff", 400,
         "event.type: it is no well-formed UTF-8"},
        {"application/octet-stream", "\xff", 400, "event.data: it is no well-formed UTF-8"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_null(read_as(cases[i].type, "", cases[i].body));
        assert_string_equal(fault.sentence, cases[i].sentence);
        assert_int_equal(fault.status, cases[i].status);
    }
    assert_null(read_as("", "type=t&key=%00", ""));
    assert_null(read_as("", "type=t&type=u", ""));
}

static void only_an_app_says_whose_an_event_is(void **state)
{
    (void)state;
    struct atom *ann = atom_of("ann"), *data = atom_of("{}");
    const struct identity who = {.user = ann, .data = data}, nobody = {.user = NULL};
    struct publication *p = read_text("[{\"type\":\"a\",\"user\":\"ann\"},{\"type\":\"a\"}]");
    assert_true(publication_publisher(p, &who, false, &fault));
    assert_text(p->events[1].user, "ann");
    struct publication *copy = publication_copy(p);
    publication_free(p);
    assert_text(copy->events[0].user, "ann");
    assert_text(copy->events[0].tag, "tag-of-the-header");
    assert_text(copy->events[1].user, "ann");
    publication_free(copy);
    p = read_text("[{\"type\":\"a\"},{\"type\":\"a\",\"user\":\"bob\"}]");
    assert_false(publication_publisher(p, &who, false, &fault));
    assert_int_equal(fault.status, 403);
    assert_string_equal(fault.sentence, "events[1].user: only an app says whose an event is");
    publication_free(p);
    p = read_text("{\"type\":\"a\",\"user\":\"bob\"}");
    assert_false(publication_publisher(p, &nobody, false, &fault));
    publication_free(p);
    p = read_text("[{\"type\":\"a\",\"user\":\"bob\"},{\"type\":\"a\"}]");
    assert_true(publication_publisher(p, &who, true, &fault));
    assert_text(p->events[0].user, "bob");
    assert_null(p->events[1].user.data);
    publication_free(p);
    atom_unref(ann);
    atom_unref(data);
}

static int begin(void **state)
{
    (void)state;
    source = atom_of("mutations");
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(source->refs, 1);
    atom_unref(source);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_json, begin, end),
        cmocka_unit_test_setup_teardown(reads_forms_and_what_is_neither, begin, end),
        cmocka_unit_test_setup_teardown(says_what_is_wrong_and_where, begin, end),
        cmocka_unit_test_setup_teardown(only_an_app_says_whose_an_event_is, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
