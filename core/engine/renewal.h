/* renewal: after a reload, the rules are asked again what each link is to be opened
 * with, for the key and the data that it has, a few at a time. A link whose
 * answer is another one is opened anew, spread out by the gate; the others notice
 * nothing. Links that are not open, nor about to be, ask by themselves when they
 * are. */
#pragma once

#include <stdint.h>

#include "ports/later.h"

struct app;
struct feed;
struct hook_result;

struct renewals {
    struct app *_app;
    struct job _job;
    uint32_t _under_way;
};

void renewals_create(struct renewals *renewals, struct app *app);
void renewals_destroy(struct renewals *renewals); /* nothing is under way any more */

/* The feed has other rules. */
void renewal_due(struct feed *feed);

/* It need not be asked any more; harmless if it was not. */
void renewal_drop(struct feed *feed);

/* Of the request that an answer gives. */
uint64_t renewal_hash(const struct hook_result *result);
