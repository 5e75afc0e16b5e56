#include "base/histogram.h"

static const uint64_t bounds[HISTOGRAM_BOUNDS] = {100,    250,    500,     1000,    2500,   5000,
                                                  10000,  25000,  50000,   100000,  250000, 500000,
                                                  1000000, 2500000, 5000000, 10000000};

void histogram_note(struct histogram *histogram, uint64_t us, uint64_t times)
{
    int at = 0;
    while (at < HISTOGRAM_BOUNDS && us > bounds[at]) at++;
    histogram->counts[at] += times;
    histogram->count += times;
    histogram->sum_us += us * times;
    if (times && us > histogram->max_us) histogram->max_us = us;
}

void histogram_add(struct histogram *sum, const struct histogram *more)
{
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) sum->counts[i] += more->counts[i];
    sum->count += more->count;
    sum->sum_us += more->sum_us;
    if (more->max_us > sum->max_us) sum->max_us = more->max_us;
}

uint64_t histogram_bound_us(int index)
{
    return bounds[index];
}
