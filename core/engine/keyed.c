#include "engine/keyed.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/errand.h"
#include "hub/hub.h"

enum {
    KEYED = 1024,    /* of the newest triggers; an older one's key is asked for again */
    FAILURE_MS = 500 /* a rule that failed is not called again about the same trigger for so long */
};

/* The key of one trigger. */
struct keyed {
    uint64_t position; /* 0: empty, or of a trigger without a place, which is asked for each time */
    struct atom *key;  /* a reference; NULL: the rule failed, */
    uint64_t again_ms; /* and is called again from then on */
};

static void on_key(void *owner, const struct hook_result *result)
{
    if (result->outcome == OUTCOME_YES) *(struct atom **)owner = atom_get(result->text);
}

static struct atom *ask(struct generation *generation, const struct plan_topic *topic,
                        struct frame *frame)
{
    struct pattern_match params = {0};
    struct atom *key = NULL;
    struct errand errand = {0};
    if (pattern_params(topic->pattern))
        pattern_match(topic->pattern, atom_bytes(frame->topic), &params);
    const struct hook_call call = {.kind = HOOK_AUDIENCE_KEY,
                                   .hook = topic->audience.key,
                                   .frame = frame,
                                   .pattern = topic->pattern,
                                   .params = &params};
    const bool waits = errand_start(&errand, generation, &call, on_key, &key);
    CHECK(!waits); /* nothing that waits may be called there (script/phase.c) */
    pattern_match_destroy(&params);
    return key;
}

struct atom *keyed_of(struct keyed **all, const struct clock *clock,
                      struct generation *generation, const struct plan_topic *topic,
                      struct frame *frame)
{
    if (!topic->audience.key) return frame->topic;
    if (!*all) *all = xcalloc(KEYED + 1, sizeof(**all));
    struct keyed *keyed = &(*all)[frame->position ? frame->position % KEYED : KEYED];
    const bool known = frame->position && keyed->position == frame->position;
    if (known && (keyed->key || clock->now_ms < keyed->again_ms)) return keyed->key;
    struct atom *key = ask(generation, topic, frame);
    atom_unref(keyed->key);
    *keyed = (struct keyed){frame->position, key, clock->now_ms + FAILURE_MS};
    return key;
}

void keyed_destroy(struct keyed **all)
{
    for (uint32_t i = 0; *all && i <= KEYED; i++) atom_unref((*all)[i].key);
    xfree(*all);
    *all = NULL;
}
