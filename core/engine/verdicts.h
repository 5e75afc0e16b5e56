/* verdicts: answers the hub's questions with the topics' `filter` hooks. */
#pragma once

#include "ports/verdict.h"

struct app;

struct filter_verdicts {
    struct verdicts port; /* what the hub is given */
    struct app *_app;
    struct asking *_spare; /* a filter that answers at once allocates nothing */
};

void filter_verdicts_create(struct filter_verdicts *verdicts, struct app *app);
void filter_verdicts_destroy(struct filter_verdicts *verdicts);
