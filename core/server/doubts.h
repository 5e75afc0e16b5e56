/* doubts: what a good config and good rules say that is probably not meant, one line
 * each: "file:line: what will happen, what to do". What a plan alone shows is
 * said in plan/doubt.c. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

struct config;
struct rules;

/* `descriptors`: how many this process may have. */
void doubts_of_config(const struct config *config, uint64_t descriptors, struct buf *out);
void doubts_of_rules(const struct rules *rules, struct buf *out);
