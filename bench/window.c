#include "window.h"

#include "clock.h"
#include "proc.h"

void window_begin(struct window *window, unsigned server)
{
    for (unsigned i = 0; i < window->others.count; i++)
        window->_others_start_s[i] = proc_cpu_seconds(window->others.pids[i]);
    window->_server = server;
    window->_server_start_s = proc_cpu_seconds(server);
    window->_generator_start_s = proc_own_cpu_seconds();
    window->_start_ns = clock_now_ns();
}

void window_end(struct window *window)
{
    window->seconds = clock_seconds_since(window->_start_ns);
    window->generator_cpu_s = proc_own_cpu_seconds() - window->_generator_start_s;
    window->server_cpu_s = proc_cpu_seconds(window->_server) - window->_server_start_s;
    for (unsigned i = 0; i < window->others.count; i++) {
        const double used = proc_cpu_seconds(window->others.pids[i]) - window->_others_start_s[i];

        window->others_cpu_s[i] = used;
        window->server_cpu_s += used;
    }
}
