/* check: the assert that stays on in production, and magics for what crosses a
 * void pointer. A failed check is a bug of ours, so the process ends at once
 * with the place, before it can serve anyone the wrong thing. */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            fprintf(stderr, "level=error msg=\"check failed\" check=\"%s\" at=%s:%d\n",            \
                    #condition, __FILE__, __LINE__);                                               \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The struct that encloses a member: how an intrusive node finds its owner. */
#define CONTAINER(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
