/* proc: what /proc tells about a server: CPU time and memory of the process that was
 * started and of all its descendants (nginx works in a child), all threads included.
 *
 * CPU is utime + stime of /proc/PID/stat (proc(5)), in ticks of 10 ms on Linux, so a
 * window should hold a second of it. On loopback the kernel's receiving half of a
 * send() runs in the sender's time and is counted here. */
#pragma once

#include <stdint.h>

/* Seconds used so far; 0 for pid 0. Dies if the process is gone. */
double proc_cpu_seconds(unsigned pid);

/* Proportional set size in bytes, from /proc/PID/smaps_rollup: what user space has,
 * without the kernel's socket buffers. 0 for pid 0. */
uint64_t proc_pss_bytes(unsigned pid);

/* CPU seconds of the calling process. */
double proc_own_cpu_seconds(void);

/* How many descriptors this process may have, after raising the soft limit to the hard. */
unsigned proc_descriptor_limit(void);
