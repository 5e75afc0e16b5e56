/* A shell's soft limit is mostly 1024, for the sake of programs that use
 * select(); this one does not. The hard limit is the administrator's word. */
#include "server/limits.h"

#include <signal.h>
#include <sys/resource.h>

void limits_raise_files(struct log *log, uint64_t streams)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (before != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
    if (limit.rlim_cur <= streams)
        LOG(log, LOG_WARN, "fewer descriptors than streams: raise `ulimit -n` or lower streams",
            F_NUMBER("descriptors", (long long)limit.rlim_cur),
            F_NUMBER("streams", (long long)streams));
}

void limits_ignore_pipes(void)
{
    signal(SIGPIPE, SIG_IGN);
}
