/* alloc: the only place that asks libc for memory.
 *
 * No function here returns NULL: out of memory aborts the process, so that no
 * caller carries a path that nobody tests. The counters let a spec assert that
 * nothing is left. */
#pragma once

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);
void *xmemdup(const void *bytes, size_t size);
void xfree(void *memory);

/* Blocks handed out by this file and not yet freed. */
size_t alloc_live(void);
