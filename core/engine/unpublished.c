#include "engine/unpublished.h"

#include <stddef.h>
#include <string.h>

struct words {
    const char *code, *sentence, *reason;
};

static const char unknown[] =
    "Whether this was published is not known: Redis did not answer; ask again with the same id.";

static const struct words words[] = {
    {"away", "Nothing of this was published: Redis is away; try again.", "redis is away"},
    {"epoch", "Nothing of this was published: Redis has begun anew; try again.",
     "redis has begun anew"},
    {"full", "Nothing of this was published: too much waits for Redis; try again.",
     "too much waits for redis"},
    {"fenced", "Nothing of this was published: another node does this now; try again.",
     "another node has the claim"},
    {"error", "Nothing of this was published: Redis refused it; try again.",
     "redis refused it"},
    {"lost", unknown, "redis was lost, so it may be"},
    {"timeout", unknown, "redis did not answer, so it may be"},
};

static const struct words *find(const char *code)
{
    enum { COUNT = sizeof(words) / sizeof(words[0]) };
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(words[i].code, code) == 0) return &words[i];
    return &words[COUNT - 1]; /* nothing is claimed of what is not known */
}

const char *unpublished_sentence(const char *code)
{
    return find(code)->sentence;
}

const char *unpublished_reason(const char *code)
{
    return find(code)->reason;
}
