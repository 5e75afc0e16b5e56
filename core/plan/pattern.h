/* pattern: a name with holes: "user:{user}" for topics, "/threads/{peer}/open"
 * for paths. A hole is filled with one percent-encoded value and never crosses
 * what separates: in a path a segment, in a topic anything that the encoding
 * would have hidden. So format and match are exact inverses, whatever the
 * values hold. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"

enum pattern_kind { PATTERN_TOPIC, PATTERN_PATH };

#define PATTERN_PARAMS_MAX 8

/* The values of one match, in the pattern's order, decoded. */
struct pattern_match {
    struct bytes values[PATTERN_PARAMS_MAX];
    size_t count;
    struct buf _decoded; /* what the values point into */
};

struct pattern;

/* NULL: *error is a static sentence that says what is wrong. */
struct pattern *pattern_new(enum pattern_kind kind, struct bytes text, const char **error);
void pattern_free(struct pattern *pattern);

struct bytes pattern_text(const struct pattern *pattern);
size_t pattern_params(const struct pattern *pattern);
struct bytes pattern_param(const struct pattern *pattern, size_t index); /* its name */

/* Does the name match? Then *match is filled; pattern_match_destroy it. */
bool pattern_match(const struct pattern *pattern, struct bytes name, struct pattern_match *match);
void pattern_match_destroy(struct pattern_match *match);

/* Appends the name with these values, encoded; as many as pattern_params. */
void pattern_format(const struct pattern *pattern, const struct bytes *values, struct buf *out);

/* Characters outside holes: of two patterns that match, the more literal one is meant. */
size_t pattern_literals(const struct pattern *pattern);

/* Could one name match both? (May say yes where only odd names would.) */
bool pattern_overlaps(const struct pattern *a, const struct pattern *b);
