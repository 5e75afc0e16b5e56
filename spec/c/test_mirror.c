/* What the live rules and their shadow ask, in every order of asking, answer, cancel and end. */
#include "engine/mirror.c"

#include "unit.h"

/* ---- the network: a call is open until it is answered or cancelled ---- */

struct fetch_call {
    fetch_done_f *done;
    void *owner;
    struct bytes method;
    bool open;
};

static struct fetch_call calls[4000];
static unsigned sent, cancelled;

static struct fetch_call *network_start(struct fetch *fetch, const struct fetch_request *request,
                                        fetch_done_f *done, void *owner)
{
    (void)fetch;
    assert_true(sent < COUNT(calls));
    calls[sent] = (struct fetch_call){done, owner, request->method, true};
    return &calls[sent++];
}

static void network_cancel(struct fetch *fetch, struct fetch_call *call)
{
    (void)fetch;
    assert_true(call >= calls && call < calls + sent && call->open);
    call->open = false;
    cancelled++;
}

static struct fetch network = {network_start, network_cancel};

static void answer_with(unsigned which, struct bytes body)
{
    const struct http_header header = {BYTES("content-type"), BYTES("text/plain")};
    const struct fetch_answer answer = {
        .status = 200, .headers = &header, .header_count = 1, .body = body};
    assert_true(calls[which].open);
    calls[which].open = false;
    calls[which].done(calls[which].owner, &answer);
}

/* ---- who asks ---- */

struct asker {
    unsigned answers;
    int status;
    char code[32], body[32];
    size_t body_size;
    void (*then)(void);
};

static struct clock at;
static struct later later;
static struct mirror mirror;

static void on_done(void *owner, const struct fetch_answer *answer)
{
    struct asker *asker = owner;
    asker->answers++;
    asker->status = answer->status;
    asker->body_size = answer->body.size;
    snprintf(asker->code, sizeof(asker->code), "%s", answer->code ? answer->code : "");
    snprintf(asker->body, sizeof(asker->body), "%.*s", (int)answer->body.size,
             answer->body.data ? answer->body.data : "");
    if (asker->then) asker->then();
}

static struct fetch_call *ask(struct fetch *fetch, const char *method, const char *url,
                              struct asker *asker)
{
    const struct fetch_request request = {.method = bytes_of(method),
                                          .url = bytes_of(url),
                                          .body = BYTES("{}"),
                                          .timeout_ms = 60000};
    return fetch->start(fetch, &request, on_done, asker);
}

static unsigned turn(void)
{
    unsigned rounds = 0;
    while (later_round(&later)) rounds++;
    return rounds;
}

/* Returns how often something was run meanwhile. */
static unsigned pass(uint64_t ms)
{
    const uint64_t until = at.now_ms + ms;
    unsigned runs = turn();
    while (wheel_next(&at.wheel) <= until) {
        const uint64_t next = wheel_next(&at.wheel);
        at.now_ms = next > at.now_ms ? next : at.now_ms + 1;
        wheel_advance(&at.wheel, at.now_ms);
        runs += 1 + turn();
    }
    at.now_ms = until;
    wheel_advance(&at.wheel, until);
    return runs + turn();
}

static int begin(void **state)
{
    (void)state;
    sent = cancelled = 0;
    at = (struct clock){.now_ms = 1000};
    wheel_create(&at.wheel, at.now_ms);
    later_create(&later);
    mirror_create(&mirror, &network, &at, &later);
    mirror_watch(&mirror, true);
    return 0;
}

static int end(void **state)
{
    mirror_destroy(&mirror);
    assert_true(later_idle(&later));
    assert_true(wheel_next(&at.wheel) == UINT64_MAX);
    return nothing_left(state);
}

/* ---- what both ask ---- */

static void one_answer_for_both(void **state)
{
    (void)state;
    struct asker live = {0}, shadow = {0};
    ask(&mirror.shadow, "POST", "http://a/", &shadow);
    ask(&mirror.live, "POST", "http://a/", &live);
    pass(1500);
    answer_with(0, BYTES("yes"));
    assert_int_equal(live.answers, 1);
    assert_int_equal(shadow.answers, 0); /* never inside a library's callback */
    turn();
    assert_int_equal(shadow.answers, 1);
    assert_string_equal(shadow.body, "yes");
    assert_int_equal(sent, 1);
    ask(&mirror.shadow, "POST", "http://a/", &shadow); /* a little later than the live one */
    turn();
    assert_int_equal(shadow.answers, 2);
    assert_int_equal(sent, 1);
}

/* In whatever order its headers stand: Lua gives them in another order in every VM. */
static void headers_have_no_order(void **state)
{
    (void)state;
    struct asker live = {0}, shadow = {0};
    struct http_header headers[] = {{BYTES("a"), BYTES("1")}, {BYTES("b"), BYTES("2")}};
    struct fetch_request request = {.method = BYTES("POST"),
                                    .url = BYTES("http://a/"),
                                    .headers = headers,
                                    .header_count = 2,
                                    .timeout_ms = 60000};
    mirror.live.start(&mirror.live, &request, on_done, &live);
    const struct http_header first = headers[0];
    headers[0] = headers[1];
    headers[1] = first;
    mirror.shadow.start(&mirror.shadow, &request, on_done, &shadow);
    answer_with(0, BYTES("yes"));
    turn();
    assert_int_equal(shadow.answers, 1);
    headers[0].value = BYTES("1");
    headers[1].value = BYTES("2");
    mirror.shadow.start(&mirror.shadow, &request, on_done, &shadow);
    pass(3000);
    assert_string_equal(shadow.code, "network");
}

/* However long the live one takes, the shadow waits with it, and nothing runs meanwhile. */
static void a_slow_answer_is_waited_for(void **state)
{
    (void)state;
    struct asker live = {0}, shadow = {0};
    ask(&mirror.live, "POST", "http://a/", &live);
    ask(&mirror.shadow, "POST", "http://a/", &shadow);
    turn();
    assert_true(pass(KEPT_MS + 5000) <= 2);
    answer_with(0, BYTES("at last"));
    turn();
    assert_int_equal(shadow.answers, 1);
    assert_string_equal(shadow.body, "at last");
    assert_int_equal(mirror.unsent, 0);
}

static void an_old_answer_is_no_answer(void **state)
{
    (void)state;
    struct asker live = {0}, shadow = {0};
    ask(&mirror.live, "GET", "http://a/", &live);
    answer_with(0, BYTES("old"));
    pass(KEPT_MS + 1000);
    ask(&mirror.shadow, "GET", "http://a/", &shadow);
    pass(1000);
    assert_int_equal(sent, 2);
    answer_with(1, BYTES("new"));
    assert_string_equal(shadow.body, "new");
    assert_true(list_empty(&mirror._requests));
}

/* ---- given up ---- */

static void a_live_call_given_up_is_not_waited_for(void **state)
{
    (void)state;
    struct asker live = {0}, shadow[2] = {{0}};
    struct fetch_call *calls_of_live[] = {ask(&mirror.live, "GET", "http://a/", &live),
                                          ask(&mirror.live, "POST", "http://a/", &live)};
    ask(&mirror.shadow, "GET", "http://a/", &shadow[0]);
    ask(&mirror.shadow, "POST", "http://a/", &shadow[1]);
    pass(5000);
    for (unsigned i = 0; i < 2; i++) mirror.live.cancel(&mirror.live, calls_of_live[i]);
    turn();
    assert_int_equal(cancelled, 2);
    assert_int_equal(sent, 3);
    answer_with(2, BYTES("own"));
    assert_string_equal(shadow[0].body, "own");
    assert_string_equal(shadow[1].code, "network");
    assert_int_equal(live.answers, 0);
}

static void a_shadow_given_up_gets_nothing(void **state)
{
    (void)state;
    struct asker live = {0}, shadow[3] = {{0}};
    struct fetch_call *asking[3];
    ask(&mirror.live, "GET", "http://a/", &live);
    asking[0] = ask(&mirror.shadow, "GET", "http://a/", &shadow[0]);
    asking[1] = ask(&mirror.shadow, "GET", "http://b/", &shadow[1]);
    asking[2] = ask(&mirror.shadow, "POST", "http://b/", &shadow[2]);
    pass(500);
    assert_int_equal(sent, 2); /* the second by itself */
    answer_with(0, BYTES("yes"));
    for (unsigned i = 0; i < 3; i++) mirror.shadow.cancel(&mirror.shadow, asking[i]);
    pass(5000);
    assert_int_equal(cancelled, 1);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(shadow[i].answers, 0);
    assert_int_equal(live.answers, 1);
}

/* ---- a watch begins and ends at any time ---- */

static void live_calls_outlive_the_watch(void **state)
{
    (void)state;
    struct asker live[4] = {{0}};
    struct fetch_call *before, *during;
    mirror_watch(&mirror, false);
    ask(&mirror.live, "GET", "http://0/", &live[0]);
    before = ask(&mirror.live, "GET", "http://1/", &live[1]);
    mirror_watch(&mirror, true);
    ask(&mirror.live, "GET", "http://2/", &live[2]);
    during = ask(&mirror.live, "GET", "http://3/", &live[3]);
    answer_with(0, BYTES("0"));
    mirror.live.cancel(&mirror.live, before);
    mirror_watch(&mirror, false);
    answer_with(2, BYTES("2"));
    mirror.live.cancel(&mirror.live, during);
    assert_int_equal(cancelled, 2);
    for (unsigned i = 0; i < 4; i++) assert_int_equal(live[i].answers, i % 2 ? 0 : 1);
    assert_true(list_empty(&mirror._requests));
}

static void end_watch(void)
{
    mirror_watch(&mirror, false);
}

static struct asker second;
static void ask_again(void)
{
    ask(&mirror.live, "GET", "http://b/", &second);
}

/* What is called with an answer may end the watch, or ask again. */
static void an_answer_does_anything(void **state)
{
    (void)state;
    struct asker live[2] = {{.then = ask_again}, {.then = end_watch}}, shadow = {0};
    second = (struct asker){0};
    ask(&mirror.live, "GET", "http://a/", &live[0]);
    ask(&mirror.shadow, "GET", "http://a/", &shadow);
    answer_with(0, BYTES("a"));
    turn();
    assert_int_equal(shadow.answers, 1);
    answer_with(1, BYTES("b"));
    assert_int_equal(second.answers, 1);
    ask(&mirror.live, "GET", "http://c/", &live[1]);
    answer_with(2, BYTES("c"));
    assert_int_equal(live[1].answers, 1);
    assert_true(list_empty(&mirror._requests));
}

/* ---- bounds ---- */

static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    static char body[1 << 20];
    struct asker live = {0}, shadow = {0};
    memset(body, 'x', sizeof(body));
    for (unsigned i = 0; i < 100; i++) {
        char url[32];
        snprintf(url, sizeof(url), "http://a/%u", i);
        ask(&mirror.live, "GET", url, &live);
        answer_with(i, bytes_run(body, sizeof(body)));
        turn();
        assert_true(mirror._bytes <= KEPT_BYTES_MAX);
    }
    ask(&mirror.shadow, "GET", "http://a/99", &shadow);
    turn();
    assert_int_equal(shadow.body_size, sizeof(body));
    for (unsigned i = 0; i < KEPT_MAX + 100; i++) {
        ask(&mirror.live, "GET", "http://b/", &live);
        answer_with(100 + i, BYTES("b"));
        turn();
    }
    assert_true(mirror._kept <= KEPT_MAX);
    pass(KEPT_MS + 1);
    assert_int_equal(mirror._kept, 0);
    assert_int_equal(mirror._bytes, 0);
}

/* One that is too large to be kept still reaches who waits for it. */
static void a_huge_answer_is_handed_over(void **state)
{
    (void)state;
    struct asker live = {0}, shadow = {0};
    const size_t size = KEPT_BYTES_MAX + 1;
    char *body = xcalloc(1, size);
    ask(&mirror.live, "POST", "http://a/", &live);
    ask(&mirror.shadow, "POST", "http://a/", &shadow);
    answer_with(0, bytes_run(body, size));
    turn();
    assert_int_equal(shadow.body_size, size);
    assert_int_equal(mirror._kept, 0);
    xfree(body);
}

/* ---- by chance ---- */

static void any_schedule(void **state)
{
    enum { EACH = 40 };
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t chance = seed;
        struct asker askers[2 * EACH] = {{0}};
        struct fetch_call *made[2 * EACH] = {NULL};
        unsigned of[2] = {0, 0};
        sent = 0;
        mirror_watch(&mirror, true);
        for (unsigned step = 0; step < 200; step++) {
            const unsigned side = (unsigned)draw_below(&chance, 2);
            char url[] = "http://0/";
            url[7] = (char)('0' + draw_below(&chance, 4));
            const unsigned which = side * EACH + (unsigned)draw_below(&chance, EACH);
            const unsigned open = sent ? (unsigned)draw_below(&chance, sent) : 0;
            switch (draw_below(&chance, 5)) {
            case 0:
                if (of[side] == EACH) break;
                made[side * EACH + of[side]] =
                    ask(side ? &mirror.shadow : &mirror.live, step % 3 ? "GET" : "POST", url,
                        &askers[side * EACH + of[side]]);
                of[side]++;
                break;
            case 1:
                if (sent && calls[open].open) answer_with(open, bytes_of(url));
                break;
            case 2:
                if (!made[which] || askers[which].answers) break;
                (side ? &mirror.shadow : &mirror.live)
                    ->cancel(side ? &mirror.shadow : &mirror.live, made[which]);
                made[which] = NULL;
                break;
            case 3:
                pass(draw_below(&chance, 3000));
                break;
            default:
                turn();
            }
        }
        for (unsigned i = 0; i < sent; i++)
            if (calls[i].open) answer_with(i, BYTES("end"));
        pass(KEPT_MS);
        for (unsigned i = 0; i < sent; i++)
            if (calls[i].open) answer_with(i, BYTES("end"));
        turn();
        for (unsigned i = 0; i < 2 * EACH; i++) assert_int_equal(askers[i].answers, made[i] != NULL);
        mirror_watch(&mirror, false);
        assert_int_equal(mirror._kept, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_answer_for_both, begin, end),
        cmocka_unit_test_setup_teardown(headers_have_no_order, begin, end),
        cmocka_unit_test_setup_teardown(a_slow_answer_is_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(an_old_answer_is_no_answer, begin, end),
        cmocka_unit_test_setup_teardown(a_live_call_given_up_is_not_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(a_shadow_given_up_gets_nothing, begin, end),
        cmocka_unit_test_setup_teardown(live_calls_outlive_the_watch, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_does_anything, begin, end),
        cmocka_unit_test_setup_teardown(what_is_kept_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(a_huge_answer_is_handed_over, begin, end),
        cmocka_unit_test_setup_teardown(any_schedule, begin, end),
    };
    return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
