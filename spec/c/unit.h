/* unit: what the C tests share: cmocka with the headers it wants, comparisons
 * of bytes, a generator of chance, and the assertion that a call ends the
 * process. */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/bytes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void assert_bytes_at(struct bytes have, struct bytes want, const char *file, int line)
{
    if (bytes_equal(have, want)) return;
    print_error("have [%.*s]\nwant [%.*s]\n", (int)have.size, have.data, (int)want.size, want.data);
    _fail(file, line);
}

#define assert_bytes(have, want) assert_bytes_at((have), (want), __FILE__, __LINE__)
#define assert_text(have, want) assert_bytes_at((have), bytes_of(want), __FILE__, __LINE__)

/* Tear-down: whatever a test made, it also freed. */
static inline int nothing_left(void **state)
{
    (void)state;
    return alloc_live() == 0 ? 0 : -1;
}

/* Splitmix64: the same numbers from the same seed, everywhere. */
static inline uint64_t draw(uint64_t *chance)
{
    uint64_t z = *chance += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline uint64_t draw_below(uint64_t *chance, uint64_t below)
{
    return draw(chance) % below;
}

/* The call fails a CHECK. It runs in a child, whose words on the matter are dropped. */
static inline void assert_aborts_at(void (*call)(void), const char *file, int line)
{
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        call();
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        _fail(file, line);
}

#define assert_aborts(call) assert_aborts_at((call), __FILE__, __LINE__)
