#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t live;

static void *must(void *memory, size_t size)
{
    if (!memory) {
        fprintf(stderr, "level=error msg=\"out of memory\" bytes=%zu\n", size);
        abort();
    }
    return memory;
}

void *xmalloc(size_t size)
{
    live++;
    return must(malloc(size ? size : 1), size);
}

void *xcalloc(size_t count, size_t size)
{
    live++;
    return must(calloc(count ? count : 1, size ? size : 1), count * size);
}

void *xrealloc(void *memory, size_t size)
{
    if (!memory) live++;
    return must(realloc(memory, size ? size : 1), size);
}

char *xstrdup(const char *text)
{
    return xmemdup(text, strlen(text) + 1);
}

void *xmemdup(const void *bytes, size_t size)
{
    void *copy = xmalloc(size);
    if (size) memcpy(copy, bytes, size);
    return copy;
}

void xfree(void *memory)
{
    if (memory) live--;
    free(memory);
}

size_t alloc_live(void)
{
    return live;
}
