/* template: paths and payloads that differ from request to request: `%d` becomes a number, `%t` a
 * stamp (see stamp.h), `%%` a percent sign. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Writes the text, NUL-terminated, and returns its length. Dies on another letter and when
 * `size` does not hold it. */
size_t template_expand(const char *text, unsigned number, uint64_t stamp_ns, char *out,
                       size_t size);
