/* process: what the kernel and the allocator say of this process. */
#pragma once

#include <stdint.h>

struct process {
    uint64_t resident_bytes, virtual_bytes, allocated_bytes;
    uint64_t open_files, max_files;
    double cpu_seconds, start_seconds; /* used; since 1970 */
};

/* What cannot be had is 0. */
void process_read(struct process *process);
