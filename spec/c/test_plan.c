/* The plan: what clashes, which declaration a name or an event belongs to; overlap of patterns
 * against all names of a small alphabet. */
#include "plan/clash.c"
#include "plan/plan.c"

#include "unit.h"

static struct plan *plan;
static struct buf errors;

static int begin(void **state)
{
    (void)state;
    plan = plan_new(BYTES("app"));
    return 0;
}

static int end(void **state)
{
    plan_free(plan);
    buf_destroy(&errors);
    return atom_live() ? -1 : nothing_left(state);
}

/* ---- declarations ---- */

static struct pattern *pattern(enum pattern_kind kind, const char *text)
{
    const char *error;
    struct pattern *made = pattern_new(kind, bytes_of(text), &error);
    assert_non_null(made);
    return made;
}

static struct plan_place place(const char *text)
{
    struct plan_place made;
    snprintf(made.text, sizeof(made.text), "rules/a.lua:%s", text);
    return made;
}

static struct plan_topic *topic(const char *text, const char *line)
{
    struct plan_topic *made = plan_add_topic(plan);
    made->name = atom_of(text);
    made->place = place(line);
    made->pattern = pattern(PATTERN_TOPIC, text);
    return made;
}

static struct plan_upstream *upstream(const char *name, struct plan_topic *of, const char *line)
{
    struct plan_upstream *made = plan_add_upstream(plan);
    made->name = atom_of(name);
    made->place = place(line);
    made->topic = of;
    return made;
}

static void handler(struct plan_upstream *of, const char *type, hook run)
{
    of->handlers = xrealloc(of->handlers, (of->handler_count + 1) * sizeof(*of->handlers));
    of->handlers[of->handler_count++] = (struct plan_handler){atom_of(type), run};
}

static struct plan_endpoint at(const char *name, const char *method, const char *path,
                               const char *line)
{
    return (struct plan_endpoint){.name = atom_of(name),
                                  .place = place(line),
                                  .method = atom_of(method),
                                  .path = pattern(PATTERN_PATH, path)};
}

static struct plan_route *route(const char *name, const char *method, const char *path,
                                const char *line)
{
    struct plan_route *made = plan_add_route(plan);
    made->at = at(name, method, path, line);
    return made;
}

static struct plan_stream *stream(const char *name, const char *path, const char *line)
{
    struct plan_stream *made = plan_add_stream(plan);
    made->at = at(name, "GET", path, line);
    return made;
}

static void files(const char *name, const char *prefix, const char *line)
{
    struct plan_static *made = plan_add_static(plan);
    made->at = at(name, "GET", prefix, line);
    made->directory = xstrdup("files");
}

static void origin(struct plan_endpoint *of, const char *text)
{
    of->origins = xrealloc(of->origins, (of->origin_count + 1) * sizeof(*of->origins));
    of->origins[of->origin_count++] = atom_of(text);
}

static void finishes(void)
{
    bool good = plan_finish(plan, &errors);
    assert_text(buf_bytes(&errors), "");
    assert_true(good);
}

/* One fault a line; the first of them. */
static void faults(const char *line, size_t count)
{
    assert_false(plan_finish(plan, &errors));
    size_t lines = 0, first = errors.size;
    for (size_t i = errors.size; i-- > 0;)
        if (errors.data[i] == '\n') lines++, first = i;
    assert_text(bytes_run(errors.data, first), line);
    assert_int_equal(lines, count);
}

/* ---- what is refused ---- */

static void lets_a_good_plan_pass(void **state)
{
    (void)state;
    struct plan_topic *mine = topic("user:{user}", "1");
    topic("user:all", "2");
    topic("news", "3");
    struct plan_upstream *inbox = upstream("inbox", mine, "4");
    upstream("other", NULL, "5");
    struct plan_stream *events = stream("events", "/events", "6");
    events->upstreams = xcalloc(1, sizeof(*events->upstreams));
    events->upstreams[events->upstream_count++] = inbox;
    events->at.identity = 1;
    origin(&events->at, "https://a.example");
    origin(&events->at, "http://[::1]:8080");
    route("open", "POST", "/threads/{peer}/open", "7");
    route("close", "DELETE", "/threads/{peer}/open", "8");
    origin(&route("public", "GET", "/threads/all/open", "9")->at, "*");
    route("one", "GET", "/threads/{peer}/open", "10");
    files("page", "/", "11");
    files("assets", "/assets", "12");
    plan_add_every(plan)->name = atom_of("beat");
    finishes();
}

static void refuses_names_that_are_taken(void **state)
{
    (void)state;
    topic("news", "1");
    topic("news", "2");
    faults("rules/a.lua:2: topic \"news\" is declared already, at rules/a.lua:1", 1);
    buf_clear(&errors);
    upstream("inbox", NULL, "3");
    upstream("inbox", NULL, "4");
    faults("rules/a.lua:2: topic \"news\" is declared already, at rules/a.lua:1", 2);
    buf_clear(&errors);
    plan_add_every(plan)->name = atom_of("beat");
    plan_add_every(plan)->name = atom_of("beat");
    stream("events", "/events", "5");
    route("events", "GET", "/other", "6");
    files("page", "/a", "7");
    files("page", "/b", "8");
    faults("rules/a.lua:2: topic \"news\" is declared already, at rules/a.lua:1", 5);
}

static void refuses_topics_that_one_name_could_mean(void **state)
{
    (void)state;
    topic("{kind}:anna", "1");
    topic("user:{user}", "2");
    faults("rules/a.lua:2: topics \"user:{user}\" and \"{kind}:anna\" (rules/a.lua:1) are equally "
           "literal and one name can match both; make one of them more literal", 1);
}

static void wants_one_parameter_of_an_upstreams_topic(void **state)
{
    (void)state;
    upstream("inbox", topic("{a}.{b}", "1"), "2");
    faults("rules/a.lua:2: upstream \"inbox\": its topic \"{a}.{b}\" has 2 parameters; expected "
           "one, which takes the key", 1);
}

static void refuses_an_upstream_twice_in_a_stream(void **state)
{
    (void)state;
    struct plan_stream *events = stream("events", "/events", "1");
    events->upstreams = xcalloc(2, sizeof(*events->upstreams));
    events->upstream_count = 2;
    events->upstreams[0] = events->upstreams[1] = upstream("inbox", NULL, "2");
    faults("rules/a.lua:1: stream \"events\" lists the upstream \"inbox\" twice", 1);
}

static void refuses_paths_that_clash(void **state)
{
    (void)state;
    stream("events", "/a/{x}", "1");
    route("one", "GET", "/a/{y}", "2");
    route("two", "POST", "/a/{y}", "3");
    faults("rules/a.lua:2: GET /a/{y} (\"one\") clashes with \"events\" at rules/a.lua:1", 1);
}

static void refuses_a_prefix_twice_or_with_a_parameter(void **state)
{
    (void)state;
    files("one", "/assets", "1");
    files("two", "/assets/", "2");
    faults("rules/a.lua:2: static \"two\" has the prefix of \"one\" at rules/a.lua:1", 1);
    buf_clear(&errors);
    files("three", "/{user}/", "3");
    faults("rules/a.lua:2: static \"two\" has the prefix of \"one\" at rules/a.lua:1", 2);
}

static void refuses_origins_that_no_browser_sends(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "https://a.example/", "a.example",   "https://A.example", "https://",    "https://a.ex:443",
        "http://a.ex:80",     "ftp://a.ex",  "https://a b",       "https://*.a", "null"};
    struct plan_route *made = route("open", "POST", "/open", "1");
    for (size_t i = 0; i < COUNT(bad); i++) origin(&made->at, bad[i]);
    faults("rules/a.lua:1: \"open\": no browser sends the origin \"https://a.example/\"; expected "
           "\"https://host\" or \"https://host:port\": lower case, no path, no default port",
           COUNT(bad));
}

static void refuses_any_origin_with_an_identity(void **state)
{
    (void)state;
    struct plan_route *made = route("open", "POST", "/open", "1");
    origin(&made->at, "*");
    made->at.identity = 1;
    faults("rules/a.lua:1: \"open\": the origin \"*\" cannot go with an identity; list exact "
           "origins", 1);
}

/* ---- what a name means ---- */

static void finds_the_most_literal_topic(void **state)
{
    (void)state;
    struct plan_topic *any = topic("user:{user}", "1"), *ann = topic("user:ann", "2");
    struct plan_topic *deep = topic("user:{user}:{thread}", "3");
    struct pattern_match match;
    assert_ptr_equal(plan_topic_of(plan, BYTES("user:bob"), &match), any);
    assert_int_equal(match.count, 1);
    assert_text(match.values[0], "bob");
    pattern_match_destroy(&match);
    assert_ptr_equal(plan_topic_of(plan, BYTES("user:ann"), &match), ann);
    assert_int_equal(match.count, 0);
    pattern_match_destroy(&match);
    assert_ptr_equal(plan_topic_of(plan, BYTES("user:ann:7"), &match), deep);
    assert_text(match.values[1], "7");
    pattern_match_destroy(&match);
    assert_ptr_equal(plan_topic_of(plan, BYTES("user:bob"), NULL), any);
}

static void empties_the_match_of_no_topic(void **state)
{
    (void)state;
    topic("user:{user}", "1");
    struct pattern_match match = {.count = 7};
    assert_null(plan_topic_of(plan, BYTES("group:a"), &match));
    assert_int_equal(match.count, 0);
    pattern_match_destroy(&match);
    assert_null(plan_topic_of(plan, BYTES(""), NULL));
}

static void finds_the_handler_of_an_event(void **state)
{
    (void)state;
    struct plan_upstream *inbox = upstream("inbox", NULL, "1");
    handler(inbox, "*", 1);
    handler(inbox, "inbound", 2);
    handler(inbox, "@open", 3);
    assert_int_equal(plan_handler_of(inbox, BYTES("inbound")), 2);
    assert_int_equal(plan_handler_of(inbox, BYTES("other")), 1);
    assert_int_equal(plan_handler_of(inbox, BYTES("")), 1);
    assert_int_equal(plan_life_handler_of(inbox, BYTES("@open")), 3);
    assert_int_equal(plan_life_handler_of(inbox, BYTES("@lost")), 0);
    assert_int_equal(plan_handler_of(upstream("bare", NULL, "2"), BYTES("x")), 0);
}

static void lets_no_upstream_speak_for_the_link(void **state)
{
    (void)state;
    struct plan_upstream *inbox = upstream("inbox", NULL, "1");
    handler(inbox, "@unauthorized", 1);
    assert_int_equal(plan_handler_of(inbox, BYTES("@unauthorized")), 0);
    handler(inbox, "*", 2);
    assert_int_equal(plan_handler_of(inbox, BYTES("@unauthorized")), 2);
}

/* ---- overlap, against every name ---- */

enum { PATTERNS_MAX = 200, NAMES_MAX = 20000, TOKENS = 5 };

struct words {
    char texts[NAMES_MAX][24];
    size_t count;
};

/* All words of up to `depth` tokens. */
static void spell(struct words *words, const char *const *tokens, const char *begun, int depth)
{
    for (int i = 0; depth && i < TOKENS && tokens[i]; i++) {
        char text[24];
        snprintf(text, sizeof(text), "%s%s", begun, tokens[i]);
        memcpy(words->texts[words->count++], text, sizeof(text));
        spell(words, tokens, text, depth - 1);
    }
}

static bool both_match(const bool *a, const bool *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i] && b[i]) return true;
    return false;
}

static void compare_with_brute_force(enum pattern_kind kind, const char *const *tokens,
                                     const char *const *letters)
{
    struct words *texts = xcalloc(1, sizeof(*texts)), *names = xcalloc(1, sizeof(*names));
    struct pattern *patterns[PATTERNS_MAX];
    bool *matches[PATTERNS_MAX];
    size_t count = 0, overlaps = 0;
    spell(texts, tokens, "", kind == PATTERN_PATH ? 5 : 4);
    spell(names, letters, "", 6);
    for (size_t i = 0; i < texts->count; i++) {
        const char *error;
        struct pattern *made = pattern_new(kind, bytes_of(texts->texts[i]), &error);
        if (!made) continue;
        assert_true(count < PATTERNS_MAX);
        matches[count] = xcalloc(names->count, sizeof(bool));
        for (size_t n = 0; n < names->count; n++) {
            struct pattern_match match;
            if (!pattern_match(made, bytes_of(names->texts[n]), &match)) continue;
            matches[count][n] = true;
            pattern_match_destroy(&match);
        }
        patterns[count++] = made;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            bool both = both_match(matches[i], matches[j], names->count);
            if (pattern_overlaps(patterns[i], patterns[j]) != both)
                fail_msg("%s and %s", pattern_text(patterns[i]).data,
                         pattern_text(patterns[j]).data);
            overlaps += both && i != j;
        }
    }
    assert_true(overlaps > 100);
    for (size_t i = 0; i < count; i++) {
        pattern_free(patterns[i]);
        xfree(matches[i]);
    }
    xfree(texts);
    xfree(names);
}

static void overlaps_where_a_name_matches_both(void **state)
{
    (void)state;
    static const char *const topics[TOKENS] = {"a", ".", "{x}", "{y}"};
    static const char *const letters[TOKENS] = {"a", ".", "b", "%2E", "%61"};
    compare_with_brute_force(PATTERN_TOPIC, topics, letters);
    static const char *const paths[TOKENS] = {"/", "a", "{x}", "{y}"};
    static const char *const segments[TOKENS] = {"/", "a", "b", "%2F", "%61"};
    compare_with_brute_force(PATTERN_PATH, paths, segments);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(lets_a_good_plan_pass),
        TEST(refuses_names_that_are_taken),
        TEST(refuses_topics_that_one_name_could_mean),
        TEST(wants_one_parameter_of_an_upstreams_topic),
        TEST(refuses_an_upstream_twice_in_a_stream),
        TEST(refuses_paths_that_clash),
        TEST(refuses_a_prefix_twice_or_with_a_parameter),
        TEST(refuses_origins_that_no_browser_sends),
        TEST(refuses_any_origin_with_an_identity),
        TEST(finds_the_most_literal_topic),
        TEST(empties_the_match_of_no_topic),
        TEST(finds_the_handler_of_an_event),
        TEST(lets_no_upstream_speak_for_the_link),
        TEST(overlaps_where_a_name_matches_both),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
