/* json: a look at JSON text without building anything from it. Reading JSON into
 * values is the scripts' affair (cjson). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct json_object {
    size_t inside; /* offset behind the opening brace */
    bool empty;    /* no members */
    bool has;      /* a member of the asked name, however its letters are escaped */
};

/* Whether the text is one well-formed object (RFC 8259) and nothing else but white space, at most
 * 1000 levels deep; if so, *object is filled. Ill-formed UTF-8 inside strings is let pass. */
bool json_scan_object(struct bytes text, const char *name, struct json_object *object);
