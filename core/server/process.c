#include "server/process.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STAT_VIRTUAL = 23, STAT_RESIDENT = 24, STAT_START = 22 };

/* The time of day at which the machine began. Asked for once: the clocks are read one after the other, and a
 * process that seems to begin anew at each look is one that alerts are sent for. */
static double boot_seconds(void)
{
    static double seconds;
    struct timespec boot, wall;
    if (seconds > 0) return seconds;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_REALTIME, &wall);
    seconds = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
    return seconds;
}

/* proc(5): the fields stand behind the name, which may hold spaces and parentheses. */
static void read_stat(struct process *process)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file) return;
    const size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 2; at && *at && field < STAT_RESIDENT;) {
        at = strchr(at, ' ');
        if (!at) return;
        at++;
        field++;
        const double value = strtod(at, NULL);
        if (field == STAT_START)
            process->start_seconds = boot_seconds() + value / (double)sysconf(_SC_CLK_TCK);
        if (field == STAT_VIRTUAL) process->virtual_bytes = (uint64_t)value;
        if (field == STAT_RESIDENT)
            process->resident_bytes = (uint64_t)value * (uint64_t)sysconf(_SC_PAGESIZE);
    }
}

/* Newer kernels say the number as the folder's size; on others, the folder is read. */
uint64_t process_open_files(void)
{
    struct stat folder;
    uint64_t count = 0;
    if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) return (uint64_t)folder.st_size;
    DIR *open = opendir("/proc/self/fd");
    if (!open) return 0;
    while (readdir(open)) count++;
    closedir(open);
    return count - 3; /* ".", "..", and the folder itself */
}

void process_read(struct process *process)
{
    struct rlimit files;
    struct timespec cpu;
    *process = (struct process){.max_files = 0};
    read_stat(process);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) process->max_files = files.rlim_cur;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        process->cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
}

/* It walks what is free. */
uint64_t process_allocated_bytes(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return 0;
#else
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}
