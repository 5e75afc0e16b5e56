/* die: how the benchmark's programs give up: one sentence on stderr, exit code 1. A
 * measurement that cannot be made as asked is no measurement, so nothing here is
 * recovered from. */
#pragma once

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The same for a failed system call: "what: strerror". */
void die_errno(const char *what) __attribute__((noreturn));

/* calloc that dies. Release with free. */
void *zalloc(unsigned long count, unsigned long size);
