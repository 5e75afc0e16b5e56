#include "cluster/claim_script.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "cluster/claims.h"

static void add(struct claim_words *words, struct bytes word)
{
    CHECK(words->count < sizeof(words->list) / sizeof(words->list[0]));
    words->list[words->count++] = word;
}

static void add_number(struct claim_words *words, uint64_t number)
{
    char *digits = words->_digits[words->_numbers++];
    snprintf(digits, CLAIM_SCRIPT_DIGITS, "%" PRIu64, number);
    add(words, bytes_of(digits));
}

static void begin(struct claim_words *words, struct bytes operation, struct bytes node)
{
    words->count = words->_numbers = 0;
    add(words, operation);
    add(words, node);
    add_number(words, CLAIMS_LEASE_MS);
    add_number(words, CLAIMS_WISH_MS);
    add_number(words, CLAIMS_KEPT_MS);
}

void claim_words_ask(struct claim_words *words, struct bytes node)
{
    begin(words, BYTES("ask"), node);
}

void claim_words_add_claim(struct claim_words *words, struct bytes name, uint64_t id,
                           uint64_t fence, struct bytes what)
{
    add(words, name);
    add_number(words, id);
    add_number(words, fence);
    add(words, what);
}

void claim_words_free(struct claim_words *words, struct bytes node, struct bytes name, uint64_t id,
                      uint64_t fence, uint64_t keep_ms)
{
    begin(words, BYTES("free"), node);
    add(words, name);
    add_number(words, id);
    add_number(words, fence);
    if (keep_ms == CLAIM_PASS_ON)
        add(words, BYTES("pass"));
    else
        add_number(words, keep_ms);
}

static bool read_verdict(struct bytes word, enum claim_verdict *verdict)
{
    static const char *const words[] = {"held", "renewed", "wait", "lost"};
    for (int i = CLAIM_GRANTED; i <= CLAIM_LOST; i++) {
        if (!bytes_is(word, words[i])) continue;
        *verdict = (enum claim_verdict)i;
        return true;
    }
    return false;
}

/* What was written is no less a memo for being empty. */
static struct bytes read_memo(const struct redis_value *value)
{
    if (value->kind != REDIS_TEXT) return (struct bytes){NULL, 0};
    return value->text.data ? value->text : BYTES("");
}

bool claim_answer_read(const struct redis_value *value, struct claim_answer *answer)
{
    const struct redis_value *items = value->items;
    *answer = (struct claim_answer){.verdict = CLAIM_LOST};
    if (value->kind != REDIS_LIST || value->count < 3 || items[0].kind != REDIS_TEXT) return false;
    if (!read_verdict(items[0].text, &answer->verdict)) return false;
    answer->fence = (uint64_t)items[1].number;
    answer->others = (uint32_t)items[2].number;
    if (answer->verdict == CLAIM_RENEWED) return true;
    if (value->count < 4) return false;
    if (answer->verdict == CLAIM_GRANTED) {
        answer->before = (uint64_t)items[3].number;
        if (value->count > 4) answer->memo = read_memo(&items[4]);
    } else {
        answer->again_ms = (uint64_t)items[3].number;
    }
    return true;
}
