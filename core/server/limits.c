/* A shell's soft limit is mostly 1024, for the sake of programs that use
 * select(); this one does not. The hard limit is the administrator's word. */
#include "server/limits.h"

#include <signal.h>
#include <sys/resource.h>

uint64_t limits_raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return UINT64_MAX;
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (before != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
    return limit.rlim_cur;
}

void limits_ignore_pipes(void)
{
    signal(SIGPIPE, SIG_IGN);
}
