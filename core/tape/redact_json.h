/* redact_json: JSON text without its secrets. */
#pragma once

#include "tape/redact.h"

/* Appends the JSON text (any value) with what stands under a secret name, texts and numbers at any
 * depth below it, and all known values replaced; everything else as it was spelled. JSON inside of a
 * text is read likewise. False, and nothing appended: it is not well-formed, or nested too deeply. */
bool redact_json(struct redact *redact, struct bytes text, struct buf *out);
