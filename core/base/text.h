/* text: small judgements about strings that several rooms need. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/* Has CR, LF or NUL: refused in event names, ids and header values. */
bool text_breaks_line(struct bytes text);

/* A session tag: 16 to 64 of [A-Za-z0-9_-]. */
bool text_is_tag(struct bytes text);

/* Well-formed UTF-8 (RFC 3629). */
bool text_is_utf8(struct bytes text);

/* Appends with everything but RFC 3986 unreserved characters percent-encoded. */
void text_percent_encode(struct buf *out, struct bytes text);

/* Appends decoded; with `plus`, '+' is a space (forms). False on a broken escape or NUL. */
bool text_percent_decode(struct buf *out, struct bytes text, bool plus);

/* Finds name in "a=1&b=2" and appends its decoded value to out; false: not there or broken. */
bool text_query_get(struct bytes query, const char *name, struct buf *out);

/* Can all of its names and values be decoded? So that what is broken is not taken for what is not there. */
bool text_query_is_whole(struct bytes query);

/* Appends as a JSON string with its quotes (RFC 8259); ill-formed UTF-8 becomes U+FFFD. */
void text_json_string(struct buf *out, struct bytes text);

/* Compares in a time that depends on the lengths only. */
bool text_equal_secret(struct bytes a, struct bytes b);

/* ASCII case-insensitive comparison. */
bool text_equal_nocase(struct bytes a, struct bytes b);

/* The candidate nearest to `word` by edit distance (transpositions count one), or NULL if none
 * is near enough to be meant. `candidates` ends with NULL. */
const char *text_nearest(const char *word, const char *const *candidates);

/* Takes the first line off the front of *text, without its LF. */
struct bytes text_take_line(struct bytes *text);

/* Takes a number and the mark behind it off the front. False: the text does not begin so; it may have lost that part. */
bool text_take_number(struct bytes *text, char mark, uint64_t *number);

/* Decimal number without sign; -1 if anything else is there or above `max`. */
long long text_number(struct bytes text, long long max);
