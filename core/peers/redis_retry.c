#include "peers/redis_retry.h"

#include <string.h>

enum { FLOOR_MS = 10 };

void redis_retry_stands(struct redis_retry *retry, uint64_t now_ms, struct log *log,
                        const char *server)
{
    retry->_stood_ms = now_ms;
    if (retry->_complained) LOG(log, LOG_INFO, "redis is up", F_TEXT("server", server));
    retry->_complained = false;
}

void redis_retry_failed(struct redis_retry *retry, uint64_t now_ms, bool stood, const char *code,
                        struct log *log, const char *server, const char *why)
{
    if (stood && now_ms - retry->_stood_ms >= REDIS_RETRY_STOOD_MS) {
        retry->failures = 0;
        retry->_reported = false;
    }
    if (!strcmp(code, "asked")) return;
    const bool refused = !strcmp(code, "refused");
    if (refused) {
        if (!retry->_reported)
            LOG(log, LOG_ERROR, "redis refuses this user or password", F_TEXT("server", server),
                F_TEXT("why", why));
        retry->_reported = true;
    } else if (!retry->_complained) {
        LOG(log, LOG_WARN, stood ? "redis is lost" : "redis cannot be reached",
            F_TEXT("server", server), F_TEXT("why", why));
    }
    retry->_complained = !(stood && refused); /* it is up for a moment again and again */
}

uint64_t redis_retry_wait_ms(struct redis_retry *retry, struct random *random)
{
    uint64_t ceiling = REDIS_RETRY_MIN_MS;
    for (uint32_t i = 0; i < retry->failures && ceiling < REDIS_RETRY_MAX_MS; i++) ceiling *= 2;
    if (ceiling > REDIS_RETRY_MAX_MS) ceiling = REDIS_RETRY_MAX_MS;
    retry->failures++;
    const uint64_t wait = random_below(random, ceiling + 1);
    return wait > FLOOR_MS ? wait : FLOOR_MS;
}
