/* claim_script: claim.lua from this side: the words that it is given, and what its answers mean. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ports/redis.h"

enum {
    CLAIM_SCRIPT_BATCH = 100, /* claims of one call */
    CLAIM_SCRIPT_FIXED = 5,
    CLAIM_SCRIPT_EACH = 4,
    CLAIM_SCRIPT_DIGITS = 24
};

/* What it is given. Big, and only for the stack: the words borrow from it, and from what was added.
 */
struct claim_words {
    struct bytes list[CLAIM_SCRIPT_FIXED + CLAIM_SCRIPT_EACH * CLAIM_SCRIPT_BATCH];
    uint32_t count;
    uint32_t _numbers;
    char _digits[3 + 2 * CLAIM_SCRIPT_BATCH][CLAIM_SCRIPT_DIGITS];
};

/* A question, and one claim more that it asks about. what: "wish", "hold", "keep". */
void claim_words_ask(struct claim_words *words, struct bytes node);
void claim_words_add_claim(struct claim_words *words, struct bytes name, uint64_t id,
                           uint64_t fence, struct bytes what);

#define CLAIM_PASS_ON UINT64_MAX /* instead of for how long the memo is kept */

/* A claim is let go of; fence 0: if it is held at all. */
void claim_words_free(struct claim_words *words, struct bytes node, struct bytes name, uint64_t id,
                      uint64_t fence, uint64_t keep_ms);

enum claim_verdict { CLAIM_GRANTED, CLAIM_RENEWED, CLAIM_REFUSED, CLAIM_LOST };

struct claim_answer {
    enum claim_verdict verdict;
    uint64_t fence; /* the name's */
    uint32_t others;
    uint64_t again_ms; /* REFUSED and LOST: when to ask again at the latest */
    uint64_t before;   /* GRANTED */
    struct bytes memo; /* GRANTED; data NULL: none */
};

/* What "ask" answers about one claim. False: it is none of its answers. The memo is borrowed. */
bool claim_answer_read(const struct redis_value *value, struct claim_answer *answer);
