/* stamp: the send time inside a payload: "t=" and 16 decimal digits of nanoseconds. It
 * passes through every server unchanged, as plain text or inside a JSON string, and
 * its width is fixed, so that a prebuilt frame can be given a new one in place. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { STAMP_DIGITS = 16 };

/* Writes the 16 digits of ns to `digits` (no NUL). */
void stamp_write(char *digits, uint64_t ns);

/* Where in text the digits of the first stamp begin; NULL without one. */
const char *stamp_find(const char *text, size_t length);

/* How long before now_ns the stamp at `digits` was written. */
uint64_t stamp_age_ns(const char *digits, uint64_t now_ns);
