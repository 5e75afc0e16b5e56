/* The loop: turns, rounds of jobs, the wheel's alarm, signals, and the lines of the log. */
#include "loop/loop.c"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/watch.h"

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return alloc_live() ? -1 : 0;
}

static char order[64];

static void note(char what)
{
    size_t size = strlen(order);
    if (size < sizeof(order) - 1) order[size] = what, order[size + 1] = '\0';
}

/* -- jobs ------------------------------------------------------------------ */

static struct job soon, last, again;
static int left;

static void run_soon(struct job *job)
{
    (void)job;
    note('s');
}

static void run_last(struct job *job)
{
    (void)job;
    note('l');
}

static void run_again(struct job *job)
{
    note('a');
    if (--left > 0) later_post(loop_later(loop), LATER_SOON, job);
}

static void soon_runs_before_last_and_all_in_one_turn(void **state)
{
    (void)state;
    job_create(&soon, run_soon);
    job_create(&last, run_last);
    job_create(&again, run_again);
    order[0] = '\0';
    left = 3;
    later_post(loop_later(loop), LATER_LAST, &last);
    later_post(loop_later(loop), LATER_SOON, &soon);
    later_post(loop_later(loop), LATER_SOON, &again);
    loop_turn(loop, true);
    assert_string_equal(order, "saaal");
    assert_true(later_idle(loop_later(loop)));
}

static int pipe_ends[2];

static void on_readable(struct watch *watch, int events)
{
    assert_int_equal(events, WATCH_READ);
    char byte;
    assert_int_equal(read(watch_fd(watch), &byte, 1), 1);
    note('r');
}

static void run_forever(struct job *job)
{
    left++;
    later_post(loop_later(loop), LATER_SOON, job);
}

static void note_gap(void *owner)
{
    assert_ptr_equal(owner, loop);
    note('g');
}

static void note_readable(struct watch *watch, int events)
{
    (void)watch, (void)events;
    note('r');
}

static void who_was_stopped_is_told_before_a_descriptor_is_looked_at(void **state)
{
    (void)state;
    struct watch watch;
    assert_int_equal(pipe(pipe_ends), 0);
    watch_create(&watch, loop, pipe_ends[0], note_readable);
    watch_set(&watch, WATCH_READ);
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    loop_on_gap(loop, note_gap, loop);
    order[0] = '\0';
    loop_turn(loop, true);
    assert_string_equal(order, "r");
    loop->clock.now_ms -= LOOP_GAP_MS;
    loop_turn(loop, true);
    assert_string_equal(order, "rgr");
    loop_on_gap(loop, NULL, NULL);
    loop->clock.now_ms -= LOOP_GAP_MS;
    loop_turn(loop, true);
    assert_string_equal(order, "rgrr");
    watch_stop(&watch);
    close(pipe_ends[0]), close(pipe_ends[1]);
}

static struct timer timer;
static uint64_t fired_ms;

static void on_fire(struct timer *fired)
{
    (void)fired;
    note('t');
    fired_ms = loop_clock(loop)->now_ms;
}

static void a_job_that_never_ends_starves_neither_sockets_nor_timers(void **state)
{
    (void)state;
    struct watch watch;
    assert_int_equal(pipe(pipe_ends), 0);
    watch_create(&watch, loop, pipe_ends[0], on_readable);
    watch_set(&watch, WATCH_READ);
    order[0] = '\0';
    left = 0;
    job_create(&again, run_forever);
    later_post(loop_later(loop), LATER_SOON, &again);
    loop_turn(loop, true);
    assert_true(left > 1 && left <= LOOP_ROUNDS);
    assert_int_equal(loop_counters(loop)->interrupted, 1);

    assert_int_equal(write(pipe_ends[1], "xy", 2), 2);
    timer_init(&timer, on_fire);
    clock_after(loop_clock(loop), &timer, 0);
    loop_turn(loop, true);
    assert_string_equal(order, "rt");
    loop_turn(loop, true);
    assert_string_equal(order, "rtr");

    later_cancel(&again);
    watch_stop(&watch);
    watch_stop(&watch);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

/* -- time ------------------------------------------------------------------ */

static void a_timer_ends_the_wait_when_it_is_due(void **state)
{
    (void)state;
    timer_init(&timer, on_fire);
    order[0] = '\0';
    loop_turn(loop, false);
    uint64_t begin = loop_clock(loop)->now_ms;
    clock_after(loop_clock(loop), &timer, 30);
    for (int turns = 0; !order[0]; turns++) {
        assert_true(turns < 8);
        loop_turn(loop, true);
    }
    assert_true(fired_ms >= begin + 30 && fired_ms < begin + 1000);
}

static void an_earlier_timer_moves_the_alarm(void **state)
{
    (void)state;
    struct timer late;
    timer_init(&late, on_fire);
    timer_init(&timer, on_fire);
    clock_after(loop_clock(loop), &late, 60000);
    loop_turn(loop, false);
    order[0] = '\0';
    uint64_t begin = loop_clock(loop)->now_ms;
    clock_after(loop_clock(loop), &timer, 5);
    while (!order[0]) loop_turn(loop, true);
    assert_true(fired_ms >= begin + 5 && fired_ms < begin + 5000);
    clock_cancel(loop_clock(loop), &late);
}

/* -- watches --------------------------------------------------------------- */

static struct watch one, other;

static void stop_the_other(struct watch *watch, int events)
{
    assert_int_equal(events, WATCH_WRITE);
    note('w');
    watch_stop(watch == &one ? &other : &one);
}

static void a_stopped_watch_is_not_called_in_the_same_turn(void **state)
{
    (void)state;
    int a[2], b[2];
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    watch_create(&one, loop, a[1], stop_the_other);
    watch_create(&other, loop, b[1], stop_the_other);
    watch_set(&one, WATCH_WRITE);
    watch_set(&other, WATCH_WRITE);
    order[0] = '\0';
    loop_turn(loop, true);
    assert_string_equal(order, "w");
    watch_stop(&one);
    watch_stop(&other);
    loop_turn(loop, false);
    assert_string_equal(order, "w");
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

/* -- signals --------------------------------------------------------------- */

static void on_caught(void *owner, int signum)
{
    assert_int_equal(signum, SIGUSR2);
    note('u');
    loop_stop(owner);
}

static void a_signal_stops_the_loop(void **state)
{
    (void)state;
    order[0] = '\0';
    loop_signal(loop, SIGUSR2, on_caught, loop);
    raise(SIGUSR2);
    loop_run(loop);
    assert_string_equal(order, "u");
}

/* -- counters, random, log ------------------------------------------------- */

static void run_slowly(struct job *job)
{
    (void)job;
    usleep(50000);
}

static void a_long_turn_is_lag(void **state)
{
    (void)state;
    job_create(&soon, run_slowly);
    later_post(loop_later(loop), LATER_SOON, &soon);
    loop_turn(loop, true);
    assert_true(loop_counters(loop)->lag_us >= 50000);
    loop_turn(loop, false);
    assert_true(loop_counters(loop)->lag_us < 50000);
    assert_true(loop_counters(loop)->lag_max_us >= 50000);
    assert_int_equal(loop_counters(loop)->turns, 2);
    loop_lag_reset(loop);
    assert_int_equal(loop_counters(loop)->lag_max_us, 0);
}

static void numbers_differ(void **state)
{
    (void)state;
    struct random *random = loop_random(loop);
    uint64_t seen[200];
    for (int i = 0; i < 200; i++) {
        seen[i] = random->next(random);
        for (int j = 0; j < i; j++) assert_true(seen[i] != seen[j]);
    }
}

static int log_ends[2];

/* What came through the log, from its level on; the time is another's. */
static const char *logged(void)
{
    static char text[256];
    ssize_t size = read(log_ends[0], text, sizeof(text) - 1);
    assert_true(size > 0);
    text[size] = '\0';
    return text;
}

static void the_log_writes_what_its_level_lets_through(void **state)
{
    (void)state;
    struct logger logger;
    assert_int_equal(pipe(log_ends), 0);
    logger_create(&logger, log_ends[1]);
    LOG(&logger.log, LOG_DEBUG, "quiet", F_NUMBER("n", 1));
    LOG(&logger.log, LOG_ERROR, "too loud", F_NUMBER("n", -2), F_TEXT("who", "ann"));
    assert_string_equal(strstr(logged(), "level="), "level=error msg=\"too loud\" n=-2 who=ann\n");
    assert_int_equal(logger.errors, 1);
    logger.form = LINE_JSON;
    LOG(&logger.log, LOG_INFO, "fine", F_TEXT("who", "a\nb"));
    const char *line = logged();
    assert_true(line[0] == '{' && strstr(line, "\"who\":\"a\\nb\"}\n"));
    assert_int_equal(logger.errors, 1);
    close(log_ends[0]), close(log_ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(soon_runs_before_last_and_all_in_one_turn),
        TEST(a_job_that_never_ends_starves_neither_sockets_nor_timers),
        TEST(who_was_stopped_is_told_before_a_descriptor_is_looked_at),
        TEST(a_timer_ends_the_wait_when_it_is_due),
        TEST(an_earlier_timer_moves_the_alarm),
        TEST(a_stopped_watch_is_not_called_in_the_same_turn),
        TEST(a_signal_stops_the_loop),
        TEST(a_long_turn_is_lag),
        TEST(numbers_differ),
        TEST(the_log_writes_what_its_level_lets_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
