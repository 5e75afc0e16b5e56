#include "proc.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "die.h"

typedef uint64_t count_f(unsigned pid);

static FILE *open_file(unsigned pid, const char *name)
{
    char path[96];

    snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    FILE *file = fopen(path, "re");
    if (!file) die("no %s: has the server ended?", path);
    return file;
}

/* Adds up count() over pid and its descendants. */
static uint64_t sum_tree(unsigned pid, count_f *count)
{
    char name[64];
    unsigned child;
    uint64_t sum = count(pid);

    snprintf(name, sizeof name, "task/%u/children", pid);
    FILE *file = open_file(pid, name);
    while (fscanf(file, "%u", &child) == 1) sum += sum_tree(child, count);
    fclose(file);
    return sum;
}

static uint64_t count_ticks(unsigned pid)
{
    char line[1024];
    unsigned long user = 0, kernel = 0;
    FILE *file = open_file(pid, "stat");

    if (!fgets(line, sizeof line, file)) line[0] = '\0';
    fclose(file);

    /* Fields 14 and 15; the second, the name, may hold spaces and ends with the last ')'. */
    const char *after_name = strrchr(line, ')');
    if (!after_name || sscanf(after_name + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu",
                              &user, &kernel) != 2)
        die("/proc/%u/stat is not as proc(5) says", pid);
    return user + kernel;
}

static uint64_t count_pss_kb(unsigned pid)
{
    char line[256];
    unsigned long kb = 0;
    int found = 0;
    FILE *file = open_file(pid, "smaps_rollup");

    while (!found && fgets(line, sizeof line, file)) found = sscanf(line, "Pss: %lu", &kb) == 1;
    fclose(file);
    if (!found) die("/proc/%u/smaps_rollup has no Pss", pid);
    return kb;
}

double proc_cpu_seconds(unsigned pid)
{
    return pid ? (double)sum_tree(pid, count_ticks) / (double)sysconf(_SC_CLK_TCK) : 0;
}

uint64_t proc_pss_bytes(unsigned pid)
{
    return pid ? sum_tree(pid, count_pss_kb) * 1024 : 0;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double proc_own_cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

unsigned proc_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) die_errno("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) die_errno("setrlimit");
    return (unsigned)limit.rlim_cur;
}
