/* channels: the page, in Markdown, that says what an app's streams bring and who may have them, made by
 * the library (scripts/sluice/channels.lua) of what the rule file has declared. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct loaded;

/* False: a line in errors. */
bool channels_write(const struct loaded *loaded, struct buf *out, struct buf *errors);
