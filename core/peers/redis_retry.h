/* redis_retry: a row of failures to have a server: how long until the next try - uniform in
 * [0, 100 ms * 2^failures], at most 5 s: "full jitter" (Marc Brooker, "Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015) -, and what the log is told of it, once. What stood for 10 s ends the row. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ports/log.h"
#include "ports/random.h"

enum { REDIS_RETRY_MIN_MS = 100, REDIS_RETRY_MAX_MS = 5000, REDIS_RETRY_STOOD_MS = 10000 };

/* Zeroed at first. */
struct redis_retry {
    uint32_t failures;
    uint64_t _stood_ms;          /* since when it stood the last time */
    bool _complained, _reported; /* to the log: that it cannot be had; that we are refused */
};

/* It stands; or, `stood`, does not any more, or was not had. The code is why: "refused" and "asked" are told
 * apart; who asked to give it up says so itself, so the log is told nothing of that. */
void redis_retry_stands(struct redis_retry *retry, uint64_t now_ms, struct log *log,
                        const char *server);
void redis_retry_failed(struct redis_retry *retry, uint64_t now_ms, bool stood, const char *code,
                        struct log *log, const char *server, const char *why);

/* The wait before the next try; it is the next failure's turn to be longer. */
uint64_t redis_retry_wait_ms(struct redis_retry *retry, struct random *random);
