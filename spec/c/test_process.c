#include "unit.h"

#include <time.h>

/* Between two looks at a clock the process has to wait, longer each time. */
static int looked_at_clock(clockid_t clock, struct timespec *time)
{
    static long looks;
    *time = (struct timespec){.tv_sec = clock == CLOCK_REALTIME ? 1700000000 : 1000, .tv_nsec = 1000000 * looks * looks};
    looks++;
    return 0;
}

#define clock_gettime looked_at_clock
#include "server/process.c"

static void a_process_began_once(void **state)
{
    (void)state;
    struct process first, later;
    process_read(&first);
    process_read(&later);
    assert_true(first.start_seconds > 1600000000 && first.start_seconds == later.start_seconds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_process_began_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
