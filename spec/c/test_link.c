/* The link: every edge of its diagram, every status, and what an owner may do
 * from within what it is told. Random schedules are in test_link_schedules.c. */
#include "upstream/backoff.c"
#include "upstream/link.c"
#include "upstream/request.c"

#undef TO
#include "upstream_world.h"

#define STREAM "text/event-stream"

static void open_link(void)
{
    link_acquire(link_);
    wire_head(200, STREAM, -1);
    buf_clear(&said);
}

static void assert_state(enum link_state state)
{
    assert_string_equal(link_state_name(link_state(link_)), link_state_name(state));
}

static void the_first_lease_opens_and_later_ones_share(void **state)
{
    (void)state;
    assert_state(LINK_IDLE);
    link_acquire(link_);
    assert_said("ask");
    assert_state(LINK_CONNECTING);
    link_acquire(link_);
    wire_head(200, STREAM, -1);
    assert_said("opened");
    assert_state(LINK_OPEN);
    link_acquire(link_);
    assert_int_equal(link_leases(link_), 3);
    assert_int_equal(wires_opened, 1);
    assert_said("");
    assert_true(link_ever_opened(link_));
}

static void the_last_release_starts_grace_and_its_end_closes(void **state)
{
    (void)state;
    open_link();
    link_acquire(link_);
    link_release(link_);
    advance(20000);
    assert_state(LINK_OPEN);
    link_release(link_);
    advance(9999);
    assert_state(LINK_OPEN);
    advance(1);
    assert_said("closed");
    assert_null(wire);
}

static void another_policy_counts_for_what_begins_after_it(void **state)
{
    (void)state;
    open_link();
    link_acquire(link_);
    link_release(link_);
    struct link_policy shorter = policy;
    shorter.grace_ms = 500;
    shorter.event_limit_bytes = 10;
    link_set_policy(link_, &shorter);
    assert_state(LINK_OPEN);
    assert_int_equal(wires_opened, 1);
    wire_bytes("data: 12345678901\n\n");
    assert_state(LINK_WAITING);
    assert_string_equal(last_detail, "an event above 10 bytes");
    link_release(link_);
    advance(500);
    assert_said("lost:200 closed");
}

static void a_lease_within_grace_cancels_the_closing(void **state)
{
    (void)state;
    open_link();
    link_release(link_);
    advance(9999);
    link_acquire(link_);
    advance(60000);
    assert_state(LINK_OPEN);
    assert_int_equal(wires_opened, 1);
    link_release(link_);
    advance(9999); /* a whole grace period again */
    assert_state(LINK_OPEN);
}

static void a_link_lost_in_grace_is_not_opened_again(void **state)
{
    (void)state;
    open_link();
    link_release(link_);
    wire_end(NULL, NULL);
    assert_int_equal(last_delay_ms, -1);
    advance(9999);
    assert_state(LINK_IDLE);
    assert_int_equal(wires_opened, 1);
    advance(1);
    assert_said("lost:200 closed");
}

static void a_lease_opens_again_what_was_lost_in_grace(void **state)
{
    (void)state;
    open_link();
    link_release(link_);
    wire_end(NULL, NULL);
    advance(5000);
    buf_clear(&said);
    link_acquire(link_);
    assert_said("ask");
    wire_head(200, STREAM, -1);
    assert_said("reopened");
}

static void a_lease_in_grace_does_not_shorten_the_backoff(void **state)
{
    (void)state;
    open_link();
    link_release(link_);
    wire_end(NULL, NULL);
    link_acquire(link_);
    assert_state(LINK_WAITING);
    advance(1000);
    assert_state(LINK_CONNECTING);
}

static void without_a_lease_nothing_new_begins(void **state)
{
    (void)state;
    asks_wait = true;
    link_acquire(link_);
    link_release(link_);
    assert_said("ask cancel");
    assert_state(LINK_IDLE);
    link_acquire(link_);
    assert_said("ask");

    gate_destroy(&gate);
    gate_create(&gate, &clock_, 1, 1);
    struct gate_pass other;
    gate_pass_create(&other, on_pass);
    gate._tokens_milli = 0;
    link_request(link_, BYTES("http://up/"), NULL, 0);
    assert_state(LINK_QUEUED);
    link_release(link_);
    assert_state(LINK_IDLE);
    assert_int_equal(gate_waiting(&gate), 0);
    advance(9000);
    assert_int_equal(wires_opened, 0);
}

static void an_attempt_under_way_goes_on_in_grace(void **state)
{
    (void)state;
    link_acquire(link_);
    link_release(link_);
    wire_head(200, STREAM, -1);
    assert_said("ask opened");
    link_acquire(link_);
    assert_int_equal(wires_opened, 1);
}

static void grace_ends_in_any_state(void **state)
{
    (void)state;
    link_acquire(link_);
    link_release(link_);
    assert_state(LINK_CONNECTING);
    advance(10000);
    assert_said("ask closed");
    assert_null(wire);

    new_link();
    link_acquire(link_);
    wire_head(204, NULL, -1);
    link_release(link_);
    advance(10000);
    assert_said("ask refused:204 closed");
}

static void close_works_in_any_state_and_voids_the_leases(void **state)
{
    (void)state;
    struct link *held = hold(link_);
    open_link();
    link_close(held);
    link_release(held);
    link_close(held);
    assert_said("closed");
    assert_int_equal(link_leases(held), 0);
    link_unref(held);
    assert_null(wire);

    new_link();
    asks_wait = true;
    link_acquire(link_);
    link_close(link_);
    assert_said("ask cancel closed");

    new_link();
    link_acquire(link_);
    link_request_failed(link_, "the rule failed");
    link_close(link_);
    assert_said("ask lost:0 closed");

    new_link();
    link_close(link_);
    assert_said("closed");
}

static void the_link_s_own_headers_win(void **state)
{
    (void)state;
    asks_wait = true;
    link_acquire(link_);
    const struct http_header headers[] = {{BYTES("authorization"), BYTES("Bearer t")},
                                          {BYTES("Accept"), BYTES("text/html")},
                                          {BYTES("last-event-id"), BYTES("forged")},
                                          {BYTES("Cache-Control"), BYTES("max-age=9")}};
    link_request(link_, BYTES("http://up/events?a=b"), headers, COUNT(headers));
    assert_text(buf_bytes(&sent), "http://up/events?a=b authorization=Bearer t "
                                  "accept=text/event-stream cache-control=no-store");
}

static void the_last_id_is_sent_when_there_is_one(void **state)
{
    (void)state;
    open_link();
    wire_bytes("id: 41\ndata: a\n\nid: 42\n\nid: 43\n"); /* the last block is not dispatched */
    assert_text(link_last_id(link_), "42");
    wire_end(NULL, NULL);
    advance(1000);
    assert_text(buf_bytes(&sent),
                "http://up/ accept=text/event-stream cache-control=no-store last-event-id=42");
    wire_head(200, STREAM, -1);
    wire_bytes("id\ndata: b\n\n");
    wire_end(NULL, NULL);
    advance(1000);
    assert_text(buf_bytes(&sent), "http://up/ accept=text/event-stream cache-control=no-store");
}

static void a_trusted_upstream_that_got_the_id_lost_nothing(void **state)
{
    (void)state;
    link_close(link_);
    policy.trust_resume = true;
    policy.event_limit_bytes = 10000;
    new_link();
    open_link();
    wire_end(NULL, NULL);
    advance(1000);
    wire_head(200, STREAM, -1);
    assert_false(link_resumed(link_)); /* there was no id to send */
    wire_bytes("id: 7\ndata: a\n\n");
    wire_end(NULL, NULL);
    advance(1000);
    wire_head(200, STREAM, -1);
    assert_true(link_resumed(link_));

    struct buf huge = BUF_EMPTY; /* an id that no server takes is not sent, so not trusted */
    buf_printf(&huge, "id: %05000d\n\n", 1);
    wire_bytes(buf_text(&huge));
    buf_destroy(&huge);
    wire_end(NULL, NULL);
    advance(1000);
    assert_text(buf_bytes(&sent), "http://up/ accept=text/event-stream cache-control=no-store");
    wire_head(200, STREAM, -1);
    assert_false(link_resumed(link_));
}

static void a_failed_question_backs_off(void **state)
{
    (void)state;
    asks_wait = true;
    link_acquire(link_);
    link_request_failed(link_, "the rule failed");
    assert_said("ask lost:0");
    assert_string_equal(last_detail, "the rule failed");
    assert_state(LINK_WAITING);
    advance(1000);
    assert_said("ask");
}

static void every_other_status_backs_off(void **state)
{
    (void)state;
    const int statuses[] = {200, 201, 205, 301, 304, 400, 404, 407, 410, 418, 429, 500, 502, 503};
    for (size_t i = 0; i < COUNT(statuses); i++) {
        if (i) new_link();
        link_acquire(link_);
        wire_head(statuses[i], statuses[i] == 200 ? "text/html" : STREAM, -1);
        assert_state(LINK_WAITING);
        assert_in_range(last_delay_ms, BACKOFF_FLOOR_MS, 1000);
        advance((uint64_t)last_delay_ms - 1);
        assert_state(LINK_WAITING);
        advance(1);
        assert_state(LINK_CONNECTING);
        link_close(link_);
    }
}

static void the_content_type_must_be_an_event_stream(void **state)
{
    (void)state;
    const struct {
        const char *type;
        bool good;
    } types[] = {{"text/event-stream", true},
                 {"Text/Event-Stream;charset=utf-8", true},
                 {" text/event-stream ; x=y", true},
                 {"text/event-stream\t", true},
                 {NULL, false},
                 {"", false},
                 {"text/event-streams", false},
                 {"text/event-strea", false},
                 {"text/html; text/event-stream", false},
                 {"application/json", false}};
    for (size_t i = 0; i < COUNT(types); i++) {
        if (i) new_link();
        link_acquire(link_);
        wire_head(200, types[i].type, -1);
        assert_state(types[i].good ? LINK_OPEN : LINK_WAITING);
        link_close(link_);
    }
}

static void no_content_stops_until_a_new_first_lease(void **state)
{
    (void)state;
    link_acquire(link_);
    wire_head(204, NULL, -1);
    assert_said("ask refused:204");
    assert_int_equal(last_delay_ms, -1);
    assert_state(LINK_STOPPED);
    advance(100000);
    link_acquire(link_);
    assert_state(LINK_STOPPED);
    link_release(link_);
    link_release(link_);
    advance(5000);
    link_acquire(link_);
    assert_said("ask");
    assert_state(LINK_CONNECTING);
}

static void unauthorized_asks_once_for_a_second_opinion(void **state)
{
    (void)state;
    link_acquire(link_);
    wire_head(401, NULL, -1);
    assert_said("ask ask:second"); /* not told yet */
    assert_int_equal(wires_opened, 2);
    wire_head(401, NULL, -1);
    assert_said("unauthorized:401");
    assert_int_equal(last_delay_ms, -1);
    assert_state(LINK_STOPPED);
    advance(100000);
    assert_int_equal(wires_opened, 2);
    link_acquire(link_);
    advance(1);
    wire_head(200, STREAM, -1);
    assert_said("ask opened");
}

static void a_second_opinion_that_works_is_forgotten(void **state)
{
    (void)state;
    link_acquire(link_);
    wire_head(401, NULL, -1);
    advance(1);
    wire_head(200, STREAM, -1);
    wire_end(NULL, NULL);
    advance(1000);
    wire_head(401, NULL, -1);
    assert_said("ask ask:second opened lost:200 ask ask:second");
}

static void a_failure_between_two_opinions_asks_for_no_third(void **state)
{
    (void)state;
    link_acquire(link_);
    wire_head(401, NULL, -1);
    advance(1);
    wire_end("refused", "connection refused");
    advance(1000);
    assert_said("ask ask:second lost:0 ask:second");
    wire_head(401, NULL, -1);
    assert_said("unauthorized:401");
}

static void a_lease_that_came_after_the_question_is_tried_too(void **state)
{
    (void)state;
    link_acquire(link_);
    wire_head(401, NULL, -1);
    advance(1);
    link_acquire(link_); /* its data was not there when the second opinion was asked */
    wire_head(401, NULL, -1);
    assert_said("ask ask:second ask:second");
    advance(1);
    wire_head(401, NULL, -1);
    assert_said("unauthorized:401");
}

static void unauthorized_without_a_leaseholder_waits_for_one(void **state)
{
    (void)state;
    link_acquire(link_);
    link_release(link_);
    wire_head(401, NULL, -1);
    assert_said("ask");
    assert_state(LINK_IDLE);
    link_acquire(link_);
    advance(1);
    wire_head(401, NULL, -1);
    assert_said("ask:second unauthorized:401");
}

static void forbidden_is_final_at_once(void **state)
{
    (void)state;
    link_acquire(link_);
    wire_head(403, NULL, -1);
    assert_said("ask unauthorized:403");
    assert_state(LINK_STOPPED);
    link_acquire(link_);
    assert_said("ask");
    link_acquire(link_); /* newer than the question */
    advance(1);
    wire_head(403, NULL, -1);
    assert_said("ask:second");
    advance(1);
    wire_head(403, NULL, -1);
    assert_said("unauthorized:403");
}

static void retry_after_is_honoured_with_jitter_on_top(void **state)
{
    (void)state;
    const int statuses[] = {429, 503};
    for (size_t i = 0; i < COUNT(statuses); i++) {
        if (i) new_link();
        link_acquire(link_);
        wire_head(statuses[i], NULL, 20000);
        assert_in_range(last_delay_ms, 20000 + BACKOFF_FLOOR_MS, 21000);
        advance(20000);
        assert_state(LINK_WAITING);
        advance(1000);
        assert_state(LINK_CONNECTING);
        wire_head(statuses[i], NULL, 1000LL * 60 * 60 * 24 * 365);
        assert_in_range(last_delay_ms, LINK_RETRY_AFTER_MAX_MS, LINK_RETRY_AFTER_MAX_MS + 2000);
        link_close(link_);
    }
    new_link();
    link_acquire(link_);
    wire_head(500, NULL, 20000); /* means nothing here */
    assert_in_range(last_delay_ms, BACKOFF_FLOOR_MS, 1000);
}

static void delays_double_to_the_maximum_and_fill_their_range(void **state)
{
    (void)state;
    uint64_t ceilings[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    uint64_t least[COUNT(ceilings)], most[COUNT(ceilings)];
    memset(least, 0xff, sizeof(least));
    memset(most, 0, sizeof(most));
    for (int round = 0; round < 500; round++) {
        struct backoff backoff;
        backoff_create(&backoff, 1000, 30000);
        for (size_t i = 0; i < COUNT(ceilings); i++) {
            uint64_t delay = backoff_next_ms(&backoff, &random_);
            assert_in_range(delay, BACKOFF_FLOOR_MS, ceilings[i]);
            if (delay < least[i]) least[i] = delay;
            if (delay > most[i]) most[i] = delay;
        }
    }
    for (size_t i = 0; i < COUNT(ceilings); i++) {
        assert_true(least[i] < ceilings[i] / 10);
        assert_true(most[i] > ceilings[i] * 9 / 10);
    }
}

static void no_delay_is_a_busy_loop_and_none_overflows(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_create(&backoff, 0, 0);
    assert_int_equal(backoff_next_ms(&backoff, &random_), BACKOFF_FLOOR_MS);
    backoff_create(&backoff, 1, UINT64_MAX / 4);
    backoff.failures = UINT32_MAX - 1;
    assert_true(backoff_ceiling_ms(&backoff) == UINT64_MAX / 4);
}

static void the_server_s_retry_raises_the_base(void **state)
{
    (void)state;
    open_link();
    wire_bytes("retry: 8000\n\n");
    assert_int_equal(backoff_ceiling_ms(&link_->backoff), 8000);
    wire_bytes("retry: 3\n\n");
    assert_int_equal(backoff_ceiling_ms(&link_->backoff), 1000);
    wire_bytes("retry: 99999999999\n\n");
    assert_int_equal(backoff_ceiling_ms(&link_->backoff), 30000);
    wire_end(NULL, NULL);
    assert_in_range(last_delay_ms, BACKOFF_FLOOR_MS, 30000);
}

static void accept_and_drop_does_not_reset_the_backoff(void **state)
{
    (void)state;
    link_acquire(link_);
    uint32_t failures = 0;
    for (int i = 0; i < 6; i++) {
        wire_head(200, STREAM, -1);
        wire_bytes(": hello\n\n");
        wire_end(NULL, NULL);
        assert_int_equal(link_->backoff.failures, ++failures);
        advance(30000);
    }
    wire_head(200, STREAM, -1);
    wire_bytes("data: a\n\n"); /* an event proves it */
    wire_end(NULL, NULL);
    assert_int_equal(link_->backoff.failures, 1);
    advance(1000);
    wire_end("refused", "");
    assert_int_equal(link_->backoff.failures, 2);
    advance(2000);
    wire_head(200, STREAM, -1);
    advance(LINK_PROVEN_MS); /* and so does time */
    wire_end(NULL, NULL);
    assert_int_equal(link_->backoff.failures, 1);
}

static void links_lost_together_pass_the_gate_apart(void **state)
{
    (void)state;
    gate_destroy(&gate);
    gate_create(&gate, &clock_, 2, 100);
    link_acquire(link_);
    wire_end(NULL, NULL);
    advance((uint64_t)last_delay_ms);
    assert_state(LINK_CONNECTING); /* the lane of openings again had one saved */
    wire_end(NULL, NULL);
    clock_after(&clock_, &link_->timer, 1); /* a lucky draw */
    advance(1);
    assert_state(LINK_QUEUED);
    advance(498);
    assert_state(LINK_QUEUED);
    advance(1);
    assert_state(LINK_CONNECTING);
}

static void events_come_and_every_loss_is_told_once(void **state)
{
    (void)state;
    open_link();
    wire_bytes("event: inbound\ndata: 1\n\ndata: 2\n\n: c\n\ndata: cut");
    wire_end("network", "reset by peer");
    assert_said("inbound:1 message:2 lost:200");
    assert_string_equal(last_detail, "network: reset by peer");
    advance(1000);
    wire_head(200, STREAM, -1);
    wire_bytes("data: 3\n\n");
    assert_said("ask reopened message:3");
}

static void silence_is_a_loss_and_comments_are_life(void **state)
{
    (void)state;
    open_link();
    for (int i = 0; i < 5; i++) {
        advance(80000);
        wire_bytes(":\n\n");
    }
    advance(89999);
    assert_state(LINK_OPEN);
    advance(1);
    assert_state(LINK_WAITING);
    assert_said("lost:200");
    assert_string_equal(last_detail, "idle 90 s");
    assert_null(wire);
}

static void an_event_too_large_is_a_loss(void **state)
{
    (void)state;
    open_link();
    wire_bytes("data: good\n\ndata: ");
    char large[400];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    for (int i = 0; i < 2; i++) wire_bytes(large);
    assert_non_null(wire);
    wire_bytes(large);
    assert_said("message:good lost:200");
    assert_string_equal(last_detail, "an event above 1000 bytes");
    assert_null(wire);
}

static void a_paused_link_stays_paused_and_is_not_idle(void **state)
{
    (void)state;
    link_pause(link_, true);
    link_acquire(link_);
    assert_true(wire->paused);
    wire_head(200, STREAM, -1);
    advance(300000);
    assert_state(LINK_OPEN);
    link_pause(link_, false);
    assert_false(wire->paused);
    advance(89999);
    assert_state(LINK_OPEN);
    advance(1);
    assert_state(LINK_WAITING);
    link_pause(link_, true); /* without a wire, for the next one */
    advance(1000);
    assert_true(wire->paused);
}

static const char *trigger_word;
static void (*trigger)(void);
static int triggered;

static void react(const char *word)
{
    if (strcmp(word, trigger_word) != 0) return;
    triggered++;
    trigger();
}

static void when(const char *word, void (*call)(void))
{
    trigger_word = word;
    trigger = call;
    triggered = 0;
    on_said = react;
}

static void do_close(void)
{
    link_close(link_);
}
static void do_acquire(void)
{
    link_acquire(link_);
}
static void do_release(void)
{
    link_release(link_);
}
static void do_pause(void)
{
    link_pause(link_, true);
}

static void the_owner_may_close_from_anything(void **state)
{
    (void)state;
    const char *const words[] = {"ask", "opened", "message:one", "lost:200"};
    const char *const want[] = {"ask cancel closed", "ask opened closed",
                                "ask opened message:one closed",
                                "ask opened message:one lost:200 closed"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (i) new_link();
        when(words[i], do_close);
        script = SCRIPT_WHOLE_LIFE; /* all of it under the frame of acquire */
        link_acquire(link_);
        script = SCRIPT_NONE;
        assert_int_equal(triggered, 1);
        assert_said(want[i]);
        assert_null(link_);
    }
    for (size_t i = 1; i < COUNT(words); i++) {
        on_said = NULL;
        new_link();
        link_acquire(link_);
        when(words[i], do_close);
        wire_head(200, STREAM, -1);
        if (link_) wire_bytes("data: one\n\ndata: two\n\n");
        if (link_) wire_end(NULL, NULL);
        assert_int_equal(triggered, 1);
        assert_null(link_);
        assert_null(wire);
        if (i < 3) assert_null(strstr(buf_text(&said), "two")); /* not after `closed` */
        buf_clear(&said);
    }
}

static void the_owner_may_take_and_give_leases_from_anything(void **state)
{
    (void)state;
    const char *const words[] = {"ask", "opened", "message:one", "lost:200"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (i) new_link();
        when(words[i], do_release);
        script = SCRIPT_WHOLE_LIFE;
        link_acquire(link_);
        script = SCRIPT_NONE;
        assert_int_equal(link_leases(link_), 0);
        advance(9999);
        assert_true(wires_opened <= 1);
        advance(1);
        assert_null(link_);
        wires_opened = 0;

        new_link();
        when(words[i], do_acquire);
        script = SCRIPT_WHOLE_LIFE;
        link_acquire(link_);
        script = SCRIPT_NONE;
        assert_int_equal(link_leases(link_), 1 + triggered);
        link_close(link_);
        wires_opened = 0;
    }
}

static void a_lease_taken_while_the_question_is_cancelled_asks_again(void **state)
{
    (void)state;
    asks_wait = true;
    when("cancel", do_acquire);
    link_acquire(link_);
    link_release(link_);
    assert_said("ask cancel ask");
    assert_int_equal(link_leases(link_), 1);
    advance(20000);
    assert_state(LINK_ASKING);
}

static void pausing_in_an_event_lets_the_piece_at_hand_through(void **state)
{
    (void)state;
    open_link();
    when("message:one", do_pause);
    wire_bytes("data: one\n\ndata: two\n\n");
    assert_said("message:one message:two");
    assert_true(wire->paused);
}

static void answers_from_within_open_do_not_nest_wires(void **state)
{
    (void)state;
    script = SCRIPT_401;
    link_acquire(link_); /* the second wire opens once the first's open has returned */
    assert_int_equal(wires_opened, 2);
    wire_head(401, NULL, -1);
    assert_said("ask ask:second unauthorized:401");
    script = SCRIPT_503;
    link_acquire(link_);
    advance(1);
    assert_said("ask refused:503");
}

static void every_turn_is_logged(void **state)
{
    (void)state;
    open_link(); /* asking, queued, connecting, open */
    assert_int_equal(turns_logged, 4);
    wire_end(NULL, NULL);
    assert_int_equal(turns_logged, 5);
}

static void release_too_often(void)
{
    link_release(link_);
}
static void answer_unasked(void)
{
    link_request(link_, BYTES("http://up/"), NULL, 0);
}
/* ---- shared by several nodes ---- */

static void a_suspended_link_begins_nothing_from_whatever_state(void **state)
{
    (void)state;
    static const enum link_state states[] = {LINK_IDLE, LINK_ASKING,  LINK_CONNECTING,
                                             LINK_OPEN, LINK_WAITING, LINK_QUEUED};
    for (size_t i = 0; i < COUNT(states); i++) {
        asks_wait = states[i] == LINK_ASKING;
        if (states[i] != LINK_IDLE) link_acquire(link_);
        if (states[i] == LINK_OPEN || states[i] == LINK_WAITING) wire_head(200, STREAM, -1);
        if (states[i] == LINK_WAITING) wire_end(NULL, NULL);
        if (states[i] == LINK_QUEUED) gate._tokens_milli = gate._spacing_milli = 0, link_renew(link_, BYTES("http://up/"), NULL, 0);
        assert_state(states[i]);
        const int opened = wires_opened;
        link_suspend(link_);
        assert_state(LINK_IDLE);
        assert_null(wire);
        link_acquire(link_);
        advance(100000);
        assert_state(LINK_IDLE);
        assert_int_equal(wires_opened, opened);
        link_close(link_);
        new_link();
    }
}

static void a_resumed_link_goes_on_from_the_id_that_it_is_given(void **state)
{
    (void)state;
    policy.trust_resume = true;
    link_set_policy(link_, &policy);
    link_suspend(link_);
    link_acquire(link_);
    assert_said("");
    link_resume(link_, BYTES("41"), true);
    assert_non_null(strstr(buf_text(&sent), "last-event-id=41"));
    wire_head(200, STREAM, -1);
    assert_said("ask reopened");
    assert_true(link_resumed(link_));
    wire_bytes("id: 42\ndata: a\n\n");
    buf_clear(&said);
    link_suspend(link_);
    assert_said("");
    link_resume(link_, BYTES(""), false);
    assert_null(strstr(buf_text(&sent), "last-event-id"));
    wire_head(200, STREAM, -1);
    assert_said("ask reopened");
}

static void what_is_stopped_stays_so_unless_a_lease_came_meanwhile(void **state)
{
    (void)state;
    link_acquire(link_);
    wire_head(403, NULL, -1);
    link_suspend(link_);
    assert_state(LINK_STOPPED);
    link_resume(link_, BYTES(""), true);
    link_keep(link_, true);
    assert_state(LINK_STOPPED);
    link_suspend(link_);
    link_acquire(link_);
    assert_state(LINK_STOPPED);
    link_resume(link_, BYTES(""), true);
    assert_state(LINK_CONNECTING);
}

static void who_has_leases_elsewhere_keeps_it(void **state)
{
    (void)state;
    open_link();
    link_keep(link_, true);
    link_release(link_);
    advance(60000);
    assert_state(LINK_OPEN);
    wire_end(NULL, NULL);
    assert_true(last_delay_ms >= 0);
    advance(1000);
    wire_head(200, STREAM, -1);
    assert_said("lost:200 ask reopened");
    link_keep(link_, false);
    advance(5000);
    link_keep(link_, true);
    advance(20000);
    assert_state(LINK_OPEN);
    link_keep(link_, false);
    advance(9999);
    assert_said("");
    advance(1);
    assert_said("closed");
}

static void resume_not_suspended(void)
{
    link_resume(link_, BYTES(""), false);
}

static void drop_while_leased(void)
{
    link_acquire(link_), link_unref(link_);
}

static void acquire_closed(void)
{
    struct link *held = hold(link_);
    link_close(held);
    link_acquire(held);
}

static void misuse_ends_the_process(void **state)
{
    (void)state;
    assert_aborts(release_too_often);
    assert_aborts(answer_unasked);
    assert_aborts(drop_while_leased);
    assert_aborts(resume_not_suspended);
    assert_aborts(acquire_closed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_lease_opens_and_later_ones_share),
        TEST(the_last_release_starts_grace_and_its_end_closes),
        TEST(another_policy_counts_for_what_begins_after_it),
        TEST(a_lease_within_grace_cancels_the_closing),
        TEST(a_link_lost_in_grace_is_not_opened_again),
        TEST(a_lease_opens_again_what_was_lost_in_grace),
        TEST(a_lease_in_grace_does_not_shorten_the_backoff),
        TEST(without_a_lease_nothing_new_begins),
        TEST(an_attempt_under_way_goes_on_in_grace),
        TEST(grace_ends_in_any_state),
        TEST(close_works_in_any_state_and_voids_the_leases),
        TEST(the_link_s_own_headers_win),
        TEST(the_last_id_is_sent_when_there_is_one),
        TEST(a_trusted_upstream_that_got_the_id_lost_nothing),
        TEST(a_failed_question_backs_off),
        TEST(every_other_status_backs_off),
        TEST(the_content_type_must_be_an_event_stream),
        TEST(no_content_stops_until_a_new_first_lease),
        TEST(unauthorized_asks_once_for_a_second_opinion),
        TEST(a_second_opinion_that_works_is_forgotten),
        TEST(a_failure_between_two_opinions_asks_for_no_third),
        TEST(a_lease_that_came_after_the_question_is_tried_too),
        TEST(unauthorized_without_a_leaseholder_waits_for_one),
        TEST(forbidden_is_final_at_once),
        TEST(retry_after_is_honoured_with_jitter_on_top),
        TEST(delays_double_to_the_maximum_and_fill_their_range),
        TEST(no_delay_is_a_busy_loop_and_none_overflows),
        TEST(the_server_s_retry_raises_the_base),
        TEST(accept_and_drop_does_not_reset_the_backoff),
        TEST(links_lost_together_pass_the_gate_apart),
        TEST(events_come_and_every_loss_is_told_once),
        TEST(silence_is_a_loss_and_comments_are_life),
        TEST(an_event_too_large_is_a_loss),
        TEST(a_paused_link_stays_paused_and_is_not_idle),
        TEST(the_owner_may_close_from_anything),
        TEST(the_owner_may_take_and_give_leases_from_anything),
        TEST(a_lease_taken_while_the_question_is_cancelled_asks_again),
        TEST(pausing_in_an_event_lets_the_piece_at_hand_through),
        TEST(answers_from_within_open_do_not_nest_wires),
        TEST(every_turn_is_logged),
        TEST(a_suspended_link_begins_nothing_from_whatever_state),
        TEST(a_resumed_link_goes_on_from_the_id_that_it_is_given),
        TEST(what_is_stopped_stays_so_unless_a_lease_came_meanwhile),
        TEST(who_has_leases_elsewhere_keeps_it),
        TEST(misuse_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
