/* A body without its secrets has the shape that it had: JSON stays JSON. A value that is known stands
 * in it no more, and it can be looked at again. The input: the known value's size and bytes, the
 * type's, the body. */
#include "input.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "tape/redact.h"
#include "tape/redact_json.h"

enum { MOST = 1000 };

static const char *const names[] = {"token", "password"};

/* A pseudonym, or its neighbourhood, could spell a value of these letters. */
static bool is_plain(struct bytes value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < 'A' || value.data[i] > 'Z') return false;
    return value.size >= 6;
}

static bool is_json(struct bytes text)
{
    struct redact *other = redact_new(names, 2, MOST);
    struct buf out = BUF_EMPTY;
    const bool json = redact_json(other, text, &out);
    buf_destroy(&out);
    redact_free(other);
    return json;
}

static void check(struct redact *redact, struct bytes known, struct bytes type, struct bytes body)
{
    struct buf out = BUF_EMPTY, again = BUF_EMPTY;
    if (redact_body(redact, type, body, &out)) {
        const struct bytes kept = buf_bytes(&out);
        if (is_json(body)) CHECK(body.data[0] != '{' || is_json(kept));
        if (is_plain(known) && kept.size) CHECK(!memmem(kept.data, kept.size, known.data, known.size));
        /* A value may be half of a character; a recording's JSON has U+FFFD for the other half. */
        CHECK(!text_is_utf8(kept) || redact_body(redact, type, kept, &again) ||
              kept.size > REDACT_BODY_MAX);
    } else {
        CHECK(!out.size);
    }
    buf_destroy(&out);
    buf_destroy(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    const struct bytes known = input_piece(&input), type = input_piece(&input);
    const struct bytes body = input_run(&input, size);
    struct redact *redact = redact_new(names, 2, MOST);
    struct buf out = BUF_EMPTY;
    redact_name(redact, known, &out);
    redact_url(redact, body, &out);
    redact_header(redact, BYTES("cookie"), type, &out);
    check(redact, known, type, body);
    buf_destroy(&out);
    redact_free(redact);
    CHECK(alloc_live() == 0);
    return 0;
}
