/* report: a scene's result: one flat JSON object on stdout, one line. */
#pragma once

#include "latency.h"
#include "window.h"

void report_begin(const char *scene);
void report_number(const char *key, double value);

/* seconds, server_cpu_s, generator_cpu_s, and per_cpu_s: `count` a CPU-second of the server; with others
 * other_1_cpu_s and so on, which are in server_cpu_s. */
void report_window(const struct window *window, double count);

/* p50_us, p99_us, p999_us, max_us and samples. */
void report_latency(const struct latency *latency);
void report_end(void);
