/* describe: what a config and its rules would serve, for people: `sluice check`. */
#pragma once

#include "base/buf.h"

struct config;
struct rules;

void describe(const struct config *config, const struct rules *rules, struct buf *out);
