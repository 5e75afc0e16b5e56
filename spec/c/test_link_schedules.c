/* Random schedules of leases, answers, cuts, silence and time against one link,
 * with what must hold after every step and at the end. The counts of what
 * happened are printed; a kind that never did fails the test. */
#include "upstream/link.h"

#include "upstream_world.h"

enum { SCHEDULES = 10000, STEPS = 60, TABS_MAX = 5 };

static struct {
    int acquires, releases, last_releases, events, statuses, stops, refusals, ends, silences,
        pauses, graces, reopenings, in_grace_losses, failed_asks, late_answers, reentries, closes,
        suspensions, resumptions, keepings;
} count;

static uint64_t dice;
static uint32_t tabs;        /* the leases that should be */
static bool kept, suspended;
static int wires_at_release; /* openings when the last lease went */

static bool one_in(uint64_t n)
{
    return draw_below(&dice, n) == 0;
}

static void check_step(void)
{
    if (!link_) return;
    enum link_state state = link_state(link_);
    assert_int_equal(link_leases(link_), tabs);
    assert_true((wire != NULL) == (state == LINK_CONNECTING || state == LINK_OPEN));
    assert_true(asking == (state == LINK_ASKING));
    assert_true((gate_waiting(&gate) == 1) == (state == LINK_QUEUED));
    if (suspended) {
        assert_true(state == LINK_IDLE || state == LINK_STOPPED);
    } else if (tabs || kept) {
        assert_true(state != LINK_IDLE && state != LINK_CLOSED);
    } else { /* nothing new begins */
        assert_true(state != LINK_ASKING && state != LINK_QUEUED);
        assert_int_equal(wires_opened, wires_at_release);
    }
    if (state == LINK_WAITING) assert_true(clock_.wheel.count > 0);
}

static void acquire(void)
{
    if (!link_) new_link(), suspended = kept = false;
    count.acquires++;
    tabs++;
    link_acquire(link_);
}

static void release(void)
{
    count.releases++;
    if (--tabs == 0) {
        count.last_releases++;
        wires_at_release = wires_opened;
    }
    link_release(link_);
}

static void keep(bool keeps)
{
    if (kept && !keeps) wires_at_release = wires_opened;
    kept = keeps;
    count.keepings++;
    link_keep(link_, keeps);
}

static void suspend_or_resume(void)
{
    suspended = !suspended;
    if (suspended) {
        count.suspensions++;
        link_suspend(link_);
    } else {
        count.resumptions++;
        wires_at_release = wires_opened;
        link_resume(link_, one_in(2) ? BYTES("9") : BYTES(""), one_in(2));
    }
}

static void answer(void)
{
    static const int statuses[] = {200, 200, 200, 200, 204, 301, 401, 401, 403, 404, 429, 500, 503};
    int status = statuses[draw_below(&dice, COUNT(statuses))];
    if (status == 204) count.stops++;
    if (status == 401 || status == 403) count.refusals++;
    count.statuses++;
    wire_head(status, one_in(8) ? "text/html" : "text/event-stream",
              one_in(2) ? -1 : (int64_t)draw_below(&dice, 20000));
}

static void feed(void)
{
    static const char *const pieces[] = {
        "data: a\n\n",
        "data: b\n\ndata: c\n\n",
        ": comment\n",
        "id: 7\ndata",
        ": x\n\n",
        "retry: 2500\n\n",
        "event: e\ndata: d\n\n",
        "data: 0123456789012345678901234567890123456789012345678901234567890123456789"};
    count.events++;
    wire_bytes(pieces[draw_below(&dice, COUNT(pieces))]);
}

static void play_wire(void)
{
    if (link_state(link_) == LINK_CONNECTING) {
        if (one_in(4))
            count.ends++, wire_end("refused", "connection refused");
        else
            answer();
    } else if (one_in(5)) {
        if (tabs == 0) count.in_grace_losses++;
        count.ends++;
        wire_end(one_in(2) ? "network" : NULL, "cut");
    } else {
        feed();
    }
}

static void answer_question(void)
{
    count.late_answers++;
    asking = false;
    if (one_in(4))
        count.failed_asks++, link_request_failed(link_, "the rule failed");
    else
        link_request(link_, BYTES("http://up/"), NULL, 0);
}

static void pass_time(void)
{
    static const uint64_t spans[] = {1, 40, 900, 4000, 9000, 11000, 31000, 95000};
    uint64_t span = spans[draw_below(&dice, COUNT(spans))];
    bool open = link_ && link_state(link_) == LINK_OPEN;
    advance(span);
    if (span == 95000 && open) count.silences++;
}

static void step(void)
{
    asks_wait = one_in(3);
    switch (draw_below(&dice, 10)) {
    case 0:
    case 1:
        if (tabs < TABS_MAX) acquire();
        break;
    case 2:
        if (tabs && link_) release();
        break;
    case 3:
        pass_time();
        break;
    case 4:
        if (link_ && one_in(3)) count.pauses++, link_pause(link_, one_in(2));
        break;
    case 5:
        if (link_ && one_in(30)) count.closes++, tabs = 0, link_close(link_);
        if (link_ && one_in(4)) keep(one_in(2));
        if (link_ && one_in(suspended ? 2 : 6)) suspend_or_resume();
        break;
    case 6:
        script = one_in(4) ? SCRIPT_WHOLE_LIFE : SCRIPT_NONE;
        break;
    default:
        if (wire)
            play_wire();
        else if (asking)
            answer_question();
        else
            pass_time();
    }
}

/* What an owner does from within what it is told, now and then. */
static void meddle(const char *word)
{
    if (strcmp(word, "reopened") == 0) count.reopenings++;
    if (strcmp(word, "closed") == 0) {
        if (tabs == 0) count.graces++;
        assert_true(tabs == 0);
        suspended = kept = false;
        wires_opened = wires_at_release = 0;
        asking = false;
        return;
    }
    if (!one_in(6)) return;
    if (link_state(link_) == LINK_CLOSED) return; /* `cancel` on the way to it */
    count.reentries++;
    switch (draw_below(&dice, 6)) {
    case 4:
        keep(one_in(2));
        break;
    case 5:
        if (!suspended) suspend_or_resume();
        break;
    case 0:
        acquire();
        break;
    case 1:
        if (tabs) release();
        break;
    case 2:
        link_pause(link_, one_in(2));
        break;
    default:
        if (one_in(4)) tabs = 0, link_close(link_);
    }
}

/* With its leases held and a kind upstream, every link that was not told to stop opens. */
static void must_recover(void)
{
    if (!link_ || !tabs || link_state(link_) == LINK_STOPPED) return;
    asks_wait = false;
    on_said = NULL;
    script = SCRIPT_NONE;
    link_pause(link_, false);
    if (suspended) suspend_or_resume();
    for (int i = 0; i < 10 && link_state(link_) != LINK_OPEN; i++) {
        if (asking) asking = false, link_request(link_, BYTES("http://up/"), NULL, 0);
        if (wire)
            wire_head(200, "text/event-stream", -1);
        else
            advance(60000);
    }
    assert_int_equal(link_state(link_), LINK_OPEN);
}

static void run_schedule(uint64_t seed)
{
    dice = seed * 7919 + 1;
    chance = seed;
    tabs = 0;
    suspended = kept = false;
    wires_opened = wires_at_release = 0;
    link_close(link_); /* begin made one */
    on_said = meddle;
    for (int i = 0; i < STEPS; i++) {
        step();
        check_step();
    }
    must_recover();
    on_said = NULL;
    while (tabs) release();
    if (link_) keep(false);
    script = SCRIPT_NONE;
    advance(10000); /* whatever the state: the end of grace closes */
    assert_null(link_);
    assert_null(wire);
    assert_int_equal(gate_waiting(&gate), 0);
}

static void random_schedules(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
        begin(state);
        run_schedule(seed);
        if (end(state) != 0) fail_msg("seed %llu leaves memory", (unsigned long long)seed);
    }
}

static void every_kind_happened(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int times;
    } kinds[] = {{"acquires", count.acquires},
                 {"releases", count.releases},
                 {"last releases", count.last_releases},
                 {"pieces of bytes", count.events},
                 {"answers", count.statuses},
                 {"stops", count.stops},
                 {"refusals", count.refusals},
                 {"ends", count.ends},
                 {"silences", count.silences},
                 {"pauses", count.pauses},
                 {"closings", count.graces},
                 {"reopenings", count.reopenings},
                 {"losses in grace", count.in_grace_losses},
                 {"late answers to ask", count.late_answers},
                 {"failed asks", count.failed_asks},
                 {"closes", count.closes},
                 {"suspensions", count.suspensions},
                 {"resumptions", count.resumptions},
                 {"keepings", count.keepings},
                 {"calls from within", count.reentries}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        print_message("%8d %s\n", kinds[i].times, kinds[i].name);
        assert_true(kinds[i].times > 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_schedules),
        cmocka_unit_test(every_kind_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
