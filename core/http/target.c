/* Absolute targets are what proxies are asked for; a server must take them too and
 * go by their path and host (RFC 9112 section 3.2.2). User information in one is
 * refused: it has no meaning here and is a known disguise. */
#include "http/target.h"

#include <stdbool.h>

#include "base/text.h"
#include "http/http1.h"

static const struct http_fault bad_line = {400, "bad_request",
                                           "the request line is: method, target, HTTP version"};
static const struct http_fault bad_method = {400, "bad_request", "the method is not a token"};
static const struct http_fault bad_target = {400, "bad_request",
                                             "the target is not a path, nor an http URL"};
static const struct http_fault bad_version = {505, "version_not_supported",
                                              "HTTP/1.1 and HTTP/1.0 are spoken here"};
static const struct http_fault no_tunnel = {501, "not_implemented", "CONNECT is for proxies"};

static bool is_token(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool alphanumeric = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alphanumeric && (!c || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return text.size > 0;
}

/* Visible ASCII without '#': whatever else is meant has to be percent-encoded. */
static bool is_visible(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '#') return false;
    return text.size > 0;
}

static const struct http_fault *judge_version(struct bytes version)
{
    const char *text = version.data;
    if (version.size != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.') return &bad_line;
    if (text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9') return &bad_line;
    return text[5] == '1' && text[7] <= '1' ? NULL : &bad_version;
}

static bool skip_scheme(struct bytes *text, struct bytes scheme)
{
    if (text->size < scheme.size || !text_equal_nocase(bytes_run(text->data, scheme.size), scheme))
        return false;
    *text = bytes_run(text->data + scheme.size, text->size - scheme.size);
    return true;
}

static bool take_authority(struct target *target, struct bytes *text)
{
    if (!skip_scheme(text, BYTES("http://")) && !skip_scheme(text, BYTES("https://"))) return false;
    size_t size = 0;
    while (size < text->size && text->data[size] != '/' && text->data[size] != '?') size++;
    target->authority = bytes_run(text->data, size);
    *text = bytes_run(text->data + size, text->size - size);
    return size > 0;
}

static const struct http_fault *read_target(struct target *target, struct bytes text)
{
    if (!is_visible(text)) return &bad_target;
    if (bytes_is(text, "*")) {
        target->path = text;
        return bytes_is(target->method, "OPTIONS") ? NULL : &bad_target;
    }
    if (text.data[0] != '/' && !take_authority(target, &text)) return &bad_target;
    const char *mark = text.size ? memchr(text.data, '?', text.size) : NULL;
    size_t size = mark ? (size_t)(mark - text.data) : text.size;
    target->path = size ? bytes_run(text.data, size) : BYTES("/");
    if (mark) target->query = bytes_run(mark + 1, text.size - size - 1);
    return NULL;
}

const struct http_fault *target_read(struct target *target, struct bytes head)
{
    *target = (struct target){.authority = BYTES(""), .query = BYTES("")};
    size_t size = (size_t)((const char *)memchr(head.data, '\r', head.size) - head.data);
    const char *end = head.data + size;
    const char *first = memchr(head.data, ' ', size);
    if (!first) return &bad_line;
    const char *second = memchr(first + 1, ' ', (size_t)(end - first) - 1);
    if (!second) return &bad_line;
    target->method = bytes_run(head.data, (size_t)(first - head.data));
    if (!is_token(target->method)) return &bad_method;
    const struct http_fault *fault =
        judge_version(bytes_run(second + 1, (size_t)(end - second) - 1));
    if (fault) return fault;
    if (bytes_is(target->method, "CONNECT")) return &no_tunnel;
    return read_target(target, bytes_run(first + 1, (size_t)(second - first) - 1));
}
