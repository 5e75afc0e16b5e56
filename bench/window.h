/* window: the stretch of time that a figure is about: wall time, the server's CPU and the
 * generator's own, so that every figure can show that the generator did not limit it. */
#pragma once

#include <stdint.h>

struct window {
    double seconds; /* all three are set by window_end */
    double server_cpu_s;
    double generator_cpu_s;

    unsigned _server;
    uint64_t _start_ns;
    double _server_start_s, _generator_start_s;
};

void window_begin(struct window *window, unsigned server);
void window_end(struct window *window);
