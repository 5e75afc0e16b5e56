/* netstring: several texts and numbers in one run of bytes, for what goes from node to node: a text is a netstring
 * (D. J. Bernstein, "Netstrings", 1997: "5:hello,"), an absent one "-", a number its digits and ";". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/* data NULL: absent, which is not the same as empty. */
void netstring_add(struct buf *out, struct bytes text);
void netstring_add_number(struct buf *out, uint64_t number); /* at most INT64_MAX */

/* Takes one off the front; the text points into it. False: there is none, and *rest means nothing any more. */
bool netstring_take(struct bytes *rest, struct bytes *text);
bool netstring_take_number(struct bytes *rest, uint64_t *number);
