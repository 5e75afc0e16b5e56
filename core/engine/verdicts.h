/* verdicts: answers the hub's questions with what topics declare: the audience first,
 * once a user, then the `filter` hook, once a subscriber. Both must say yes. */
#pragma once

#include "ports/verdict.h"

struct app;
struct audience;

struct rule_verdicts {
    struct verdicts port; /* what the hub is given */
    struct app *_app;
    struct audience *_audience;
    struct asking *_spare; /* a verdict that comes at once allocates nothing */
};

/* The audience may be created later. */
void rule_verdicts_create(struct rule_verdicts *verdicts, struct app *app,
                          struct audience *audience);
void rule_verdicts_destroy(struct rule_verdicts *verdicts);
