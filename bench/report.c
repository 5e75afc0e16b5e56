#include "report.h"

#include <stdio.h>

void report_begin(const char *scene)
{
    printf("{\"scene\":\"%s\"", scene);
}

void report_number(const char *key, double value)
{
    printf(",\"%s\":%.6g", key, value);
}

void report_window(const struct window *window, double count)
{
    report_number("seconds", window->seconds);
    report_number("server_cpu_s", window->server_cpu_s);
    report_number("generator_cpu_s", window->generator_cpu_s);
    for (unsigned i = 0; i < window->others.count; i++) {
        char key[24];

        snprintf(key, sizeof key, "other_%u_cpu_s", i + 1);
        report_number(key, window->others_cpu_s[i]);
    }
    report_number("per_cpu_s", window->server_cpu_s > 0 ? count / window->server_cpu_s : 0);
}

static double percentile_us(const struct latency *latency, double share)
{
    return (double)latency_percentile_ns(latency, share) / 1000;
}

void report_latency(const struct latency *latency)
{
    report_number("samples", (double)latency->samples);
    report_number("p50_us", percentile_us(latency, 0.5));
    report_number("p99_us", percentile_us(latency, 0.99));
    report_number("p999_us", percentile_us(latency, 0.999));
    report_number("max_us", (double)latency->max_ns / 1000);
}

void report_end(void)
{
    puts("}");
}
