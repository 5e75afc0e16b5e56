#include "http/response.h"

#include "base/check.h"
#include "base/text.h"
#include "http/status.h"

bool response_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c <= ' ' || c >= 0x7f || c == ':') return false;
    }
    return name.size > 0;
}

bool response_is_sound(const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_name(headers[i].name) || text_breaks_line(headers[i].value)) return false;
    return true;
}

static void add_number(struct buf *out, size_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    buf_add(out, digits + at, sizeof(digits) - at);
}

/* "cache-control" goes out as "Cache-Control", as people who read along are used to. */
static void add_name(struct buf *out, struct bytes name)
{
    char *at = buf_reserve(out, name.size), previous = '-';
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        at[i] = previous == '-' && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        previous = c;
    }
    out->size += name.size;
}

void response_write(struct buf *out, const struct response_head *head)
{
    CHECK(head->status >= 200 && head->status <= 999);
    buf_add_bytes(out, BYTES("HTTP/1.1 "));
    add_number(out, (size_t)head->status);
    buf_add_char(out, ' ');
    buf_add_text(out, http_status_text(head->status));
    buf_add_bytes(out, BYTES("\r\nDate: "));
    buf_add_bytes(out, head->date);
    buf_add_bytes(out, BYTES("\r\n"));
    for (size_t i = 0; i < head->header_count; i++) {
        add_name(out, head->headers[i].name);
        buf_add_bytes(out, BYTES(": "));
        buf_add_bytes(out, head->headers[i].value);
        buf_add_bytes(out, BYTES("\r\n"));
    }
    if (head->sized && response_has_body(head->status)) {
        buf_add_bytes(out, BYTES("Content-Length: "));
        add_number(out, head->body_size);
        buf_add_bytes(out, BYTES("\r\n"));
    }
    if (head->close) buf_add_bytes(out, BYTES("Connection: close\r\n"));
    buf_add_bytes(out, BYTES("\r\n"));
}

void response_error(struct buf *out, const char *code, const char *message)
{
    buf_add_text(out, "{\"error\":{\"code\":");
    text_json_string(out, bytes_of(code));
    buf_add_text(out, ",\"message\":");
    text_json_string(out, bytes_of(message));
    buf_add_text(out, "}}");
}
