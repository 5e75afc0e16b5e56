/* window: the stretch of time that a figure is about: wall time, the server's CPU and the
 * generator's own, so that every figure can show that the generator did not limit it. */
#pragma once

#include <stdint.h>

enum { WINDOW_OTHERS = 8 };

/* Processes beside the server: a cluster's other nodes, its Redis. */
struct window_others {
    unsigned pids[WINDOW_OTHERS];
    unsigned count;
};

struct window {
    double seconds; /* all four are set by window_end */
    double server_cpu_s; /* of the others, too */
    double generator_cpu_s;
    double others_cpu_s[WINDOW_OTHERS];

    struct window_others others; /* the caller's to set, before window_begin */
    unsigned _server;
    uint64_t _start_ns;
    double _server_start_s, _generator_start_s, _others_start_s[WINDOW_OTHERS];
};

void window_begin(struct window *window, unsigned server);
void window_end(struct window *window);
