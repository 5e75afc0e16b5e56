/* What the encodings promise of any bytes: JSON strings and log lines are well-formed, percent
 * encoding is undone by decoding, and a log line is one line. */
#include "base/text.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/json.h"
#include "base/line.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct bytes text)
{
    struct buf out = BUF_EMPTY;
    struct json_object object;
    buf_add_char(&out, '{');
    text_json_string(&out, text);
    buf_add_text(&out, ":0}");
    CHECK(json_scan_object(buf_bytes(&out), "", &object) && !object.empty);
    CHECK(object.has == (text.size == 0));
    CHECK(text_is_utf8(buf_bytes(&out)));
    if (text_is_utf8(text)) /* then nothing was replaced */
        CHECK(out.size >= text.size + 6);
    buf_destroy(&out);
}

static void check_percent(struct bytes text)
{
    bool nul = text.size && memchr(text.data, '\0', text.size);
    struct buf encoded = BUF_EMPTY, decoded = BUF_EMPTY;
    text_percent_encode(&encoded, text);
    CHECK(text_percent_decode(&decoded, buf_bytes(&encoded), true) == !nul);
    CHECK(nul || bytes_equal(buf_bytes(&decoded), text));

    /* What is decoded from anything is the same after another turn. */
    buf_clear(&decoded), buf_clear(&encoded);
    if (text_percent_decode(&decoded, text, false)) {
        struct buf again = BUF_EMPTY;
        CHECK(decoded.size <= text.size);
        text_percent_encode(&encoded, buf_bytes(&decoded));
        CHECK(text_percent_decode(&again, buf_bytes(&encoded), false));
        CHECK(bytes_equal(buf_bytes(&again), buf_bytes(&decoded)));
        buf_destroy(&again);
    } else {
        CHECK(decoded.size == 0);
    }

    /* A value that was encoded into a query comes out of it, whatever stands before. */
    if (!nul) {
        struct buf query = BUF_EMPTY, value = BUF_EMPTY;
        buf_add_text(&query, "x=1&&needle2=");
        text_percent_encode(&query, text);
        buf_add_text(&query, "&needle=");
        text_percent_encode(&query, text);
        CHECK(text_query_get(buf_bytes(&query), "needle", &value));
        CHECK(bytes_equal(buf_bytes(&value), text));
        buf_destroy(&query), buf_destroy(&value);
    }
    struct buf value = BUF_EMPTY;
    if (!text_query_get(text, "a", &value)) CHECK(value.size == 0);
    buf_destroy(&value);
    buf_destroy(&encoded), buf_destroy(&decoded);
}

static void check_line(struct bytes text)
{
    const struct line_field field = {"k", text.data ? text : BYTES(""), 0};
    struct json_object object;
    struct buf line = BUF_EMPTY;
    line_write(&line, LINE_JSON, 0, "info", "m", &field, 1);
    CHECK(json_scan_object(buf_bytes(&line), "k", &object) && object.has);
    line_write(&line, LINE_PAIRS, 0, "info", "m", &field, 1);
    CHECK(text_is_utf8(buf_bytes(&line)));
    size_t ends = 0;
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.data[i];
        ends += c == '\n';
        CHECK((c >= 0x20 && c != 0x7f) || c == '\n');
    }
    CHECK(ends == 2 && line.data[line.size - 1] == '\n');
    buf_destroy(&line);
}

static void check_number(struct bytes text)
{
    long long number = text_number(text, 1000000);
    CHECK(number >= -1 && number <= 1000000);
    if (number < 0) return;
    char digits[16];
    size_t zeros = 0;
    while (zeros + 1 < text.size && text.data[zeros] == '0') zeros++;
    snprintf(digits, sizeof(digits), "%lld", number);
    CHECK(bytes_is(bytes_run(text.data + zeros, text.size - zeros), digits));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_run((const char *)data, size);
    check_json(text);
    check_percent(text);
    check_line(text);
    check_number(text);
    CHECK(text_equal_secret(text, text) && text_equal_nocase(text, text));
    CHECK(alloc_live() == 0);
    return 0;
}
