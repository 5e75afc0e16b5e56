/* process: what the kernel and the allocator say of this process. */
#pragma once

#include <stdint.h>

struct process {
    uint64_t resident_bytes, virtual_bytes;
    uint64_t max_files;
    double cpu_seconds, start_seconds; /* used; since 1970 */
};

/* What cannot be had is 0. */
void process_read(struct process *process);

/* What costs more, the more there is: to be asked for alone. */
uint64_t process_open_files(void);
uint64_t process_allocated_bytes(void);
