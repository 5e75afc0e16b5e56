/* secrets: the values that a recording must not hold, each with the pseudonym that
 * stands in its place: "secret-1", "secret-2", by first occurrence. Equal values
 * have one pseudonym, and nothing of a value can be read off it: a number is no
 * hash that somebody could try words against. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Values shorter than this are hidden where they are declared and nowhere else: three letters that
 * somebody took for a password are also in half of all words. */
enum { SECRETS_SHORTEST = 6 };

struct secrets;

/* Knows at most so many values; see secrets_full. */
struct secrets *secrets_new(uint32_t most);
void secrets_free(struct secrets *secrets);

/* Appends the pseudonym of the value, which is known from now on. An empty value stays empty. */
void secrets_name(struct secrets *secrets, struct bytes value, struct buf *out);

/* Appends the text with its pseudonym in place of each known value, as it is, percent-encoded or
 * percent-decoded; at one place the longest. Was there any? */
bool secrets_replace(const struct secrets *secrets, struct bytes text, struct buf *out);

/* How many are known; it rises when secrets_name learns. */
uint32_t secrets_count(const struct secrets *secrets);

/* There was a value too many, which got a pseudonym but will not be found elsewhere: what is
 * recorded from now on cannot be trusted. */
bool secrets_full(const struct secrets *secrets);
