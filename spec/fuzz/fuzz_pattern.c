/* A pattern that loads writes names that it matches back to the same values, and of two patterns
 * that match one name pattern_overlaps says yes. */

#include "plan/pattern.h"
#include "spec/fuzz/input.h"

static void round_trip(const struct pattern *pattern, struct input *input,
                       const struct pattern *other)
{
    struct bytes values[PATTERN_PARAMS_MAX];
    struct pattern_match match;
    struct buf name = BUF_EMPTY;
    size_t count = pattern_params(pattern);

    for (size_t i = 0; i < count; i++) {
        values[i] = input_piece(input);
        /* An empty value has no place in a name, and NUL none anywhere. */
        if (values[i].size == 0 || memchr(values[i].data, 0, values[i].size))
            values[i] = BYTES("x");
    }
    pattern_format(pattern, values, &name);
    MUST(pattern_match(pattern, buf_bytes(&name), &match));
    MUST(match.count == count);
    for (size_t i = 0; i < count; i++) MUST(bytes_equal(match.values[i], values[i]));
    pattern_match_destroy(&match);

    if (pattern_match(other, buf_bytes(&name), &match)) {
        MUST(pattern_overlaps(pattern, other) && pattern_overlaps(other, pattern));
        pattern_match_destroy(&match);
    }
    buf_destroy(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    enum pattern_kind kind = input_byte(&input) & 1 ? PATTERN_PATH : PATTERN_TOPIC;
    const char *error = NULL;
    struct pattern *one = pattern_new(kind, input_piece(&input), &error);
    MUST(one || error);
    struct pattern *two = pattern_new(kind, input_piece(&input), &error);
    MUST(two || error);

    if (one && two) round_trip(one, &input, two);
    if (one) pattern_free(one);
    if (two) pattern_free(two);
    return 0;
}
