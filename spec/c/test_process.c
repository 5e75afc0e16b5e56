#include "unit.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

/* Between two looks at a clock the process has to wait, longer each time. */
static int looked_at_clock(clockid_t clock, struct timespec *time)
{
    static long looks;
    *time = (struct timespec){.tv_sec = clock == CLOCK_REALTIME ? 1700000000 : 1000, .tv_nsec = 1000000 * looks * looks};
    looks++;
    return 0;
}

static int folders_read;

static DIR *read_folder(const char *path)
{
    folders_read++;
    return opendir(path);
}

/* As before Linux 6.2, where a folder does not say how much is in it. */
static int look_at(const char *path, struct stat *folder)
{
    const int result = stat(path, folder);
    folder->st_size = 0;
    return result;
}

#define clock_gettime looked_at_clock
#define opendir read_folder
#define stat(path, folder) look_at(path, folder)
#include "server/process.c"

static void a_process_began_once(void **state)
{
    (void)state;
    struct process first, later;
    process_read(&first);
    process_read(&later);
    assert_true(first.start_seconds > 1600000000 && first.start_seconds == later.start_seconds);
}

static void files_are_counted_for_who_asks(void **state)
{
    (void)state;
    struct process process;
    process_read(&process);
    assert_int_equal(folders_read, 0);
    const uint64_t before = process_open_files();
    const int more = dup(0);
    assert_int_equal(process_open_files(), before + 1);
    close(more);
    assert_int_equal(folders_read, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_process_began_once),
                                       cmocka_unit_test(files_are_counted_for_who_asks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
