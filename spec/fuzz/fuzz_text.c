/* What text, json and line write, whatever they are given: percent-encoding reads back, a JSON string
 * is one that json_scan_object accepts, a log line is one line. */

#include "base/json.h"
#include "base/line.h"
#include "base/text.h"
#include "spec/fuzz/input.h"

static void percent(struct bytes text)
{
    struct buf encoded = BUF_EMPTY, decoded = BUF_EMPTY;
    bool nul = text.size && memchr(text.data, 0, text.size);

    text_percent_encode(&encoded, text);
    MUST(text_percent_decode(&decoded, buf_bytes(&encoded), false) == !nul);
    MUST(nul || bytes_equal(buf_bytes(&decoded), text));
    buf_clear(&decoded);
    text_percent_decode(&decoded, text, true);
    buf_clear(&decoded);
    text_query_get(text, "a", &decoded);
    buf_destroy(&encoded);
    buf_destroy(&decoded);
}

static void json(struct bytes text)
{
    struct buf object = BUF_EMPTY;
    struct json_object found;

    buf_add_text(&object, "{\"session_tag\":");
    text_json_string(&object, text);
    MUST(text_is_utf8(buf_bytes(&object)));
    buf_add_char(&object, '}');
    MUST(json_scan_object(buf_bytes(&object), "session_tag", &found) && found.has && !found.empty);
    buf_destroy(&object);

    if (json_scan_object(text, "session_tag", &found)) {
        MUST(found.inside > 0 && found.inside < text.size && text.data[found.inside - 1] == '{');
    }
}

static void log_line(enum line_form form, struct bytes text)
{
    struct line_field fields[] = {{"a", text, 0}, {"n", {NULL, 0}, -1}};
    struct buf line = BUF_EMPTY;

    line_write(&line, form, 0, "info", "message", fields, 2);
    MUST(line.size > 0 && line.data[line.size - 1] == '\n');
    for (size_t i = 0; i + 1 < line.size; i++) MUST((unsigned char)line.data[i] >= ' ');
    buf_destroy(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_run((const char *)data, size);

    percent(text);
    json(text);
    log_line(LINE_PAIRS, text);
    log_line(LINE_JSON, text);
    return 0;
}
