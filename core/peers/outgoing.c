#include "peers/outgoing.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "peers/url.h"

/* What HTTP itself says, by what is sent. */
static const char *const framing[] = {
    "connection", "content-length",    "expect", "keep-alive", "te", "trailer",
    "upgrade",    "transfer-encoding", NULL};

/* What describes a body, and goes with it. */
static const char *const about_body[] = {"content-encoding", "content-language", "content-location",
                                         "content-type", NULL};

/* What another origin may see. */
static const char *const harmless[] = {
    "accept",           "accept-language", "cache-control", "content-encoding", "content-language",
    "content-location", "content-type",    "last-event-id", "user-agent",       NULL};

static bool is_one_of(struct bytes name, const char *const *names)
{
    for (; *names; names++)
        if (text_equal_nocase(name, bytes_of(*names))) return true;
    return false;
}

static bool is_token(struct bytes text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && !memchr(others, c, sizeof(others) - 1)) return false;
    }
    return text.size > 0;
}

static char *copy_text(struct bytes text)
{
    struct buf copy = BUF_EMPTY;
    buf_add_bytes(&copy, text);
    return buf_take(&copy);
}

const char *outgoing_fault(const struct fetch_request *request)
{
    if (text_breaks_line(request->url)) return "the URL has a CR, LF or NUL";
    char *url = copy_text(request->url);
    bool good = url_is_good(url);
    xfree(url);
    if (!good) return "not an absolute http or https URL";
    if (!is_token(request->method)) return "the method is no token";
    for (size_t i = 0; i < request->header_count; i++) {
        if (!is_token(request->headers[i].name)) return "a header's name is no token";
        if (text_breaks_line(request->headers[i].value))
            return "a header's value has a CR, LF or NUL";
    }
    return NULL;
}

struct outgoing *outgoing_new(const struct fetch_request *request)
{
    struct outgoing *outgoing = xcalloc(1, sizeof(*outgoing));
    outgoing->url = copy_text(request->url);
    outgoing->method = copy_text(request->method);
    if (request->body.size) {
        outgoing->body = xmemdup(request->body.data, request->body.size);
        outgoing->body_size = request->body.size;
    }
    outgoing->headers = xcalloc(request->header_count, sizeof(*outgoing->headers));
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (is_one_of(header->name, framing)) continue;
        struct buf line = BUF_EMPTY;
        buf_add_bytes(&line, header->name);
        buf_add_text(&line, header->value.size ? ": " : ";");
        buf_add_bytes(&line, header->value);
        outgoing->headers[outgoing->header_count++] =
            (struct outgoing_header){buf_take(&line), header->name.size};
    }
    return outgoing;
}

void outgoing_free(struct outgoing *outgoing)
{
    for (size_t i = 0; i < outgoing->header_count; i++) xfree(outgoing->headers[i].line);
    xfree(outgoing->headers);
    xfree(outgoing->body);
    xfree(outgoing->method);
    xfree(outgoing->url);
    xfree(outgoing);
}

static struct bytes name_of(const struct outgoing_header *header)
{
    return bytes_run(header->line, header->name_size);
}

bool outgoing_has(const struct outgoing *outgoing, const char *name)
{
    for (size_t i = 0; i < outgoing->header_count; i++)
        if (text_equal_nocase(name_of(&outgoing->headers[i]), bytes_of(name))) return true;
    return false;
}

/* Drops the headers whose being in the list is `listed`. */
static void drop_headers(struct outgoing *outgoing, const char *const *names, bool listed)
{
    size_t kept = 0;
    for (size_t i = 0; i < outgoing->header_count; i++) {
        if (is_one_of(name_of(&outgoing->headers[i]), names) == listed)
            xfree(outgoing->headers[i].line);
        else
            outgoing->headers[kept++] = outgoing->headers[i];
    }
    outgoing->header_count = kept;
}

bool outgoing_redirects(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool becomes_get(const struct outgoing *outgoing, int status)
{
    if (status == 303) return strcmp(outgoing->method, "GET") && strcmp(outgoing->method, "HEAD");
    return (status == 301 || status == 302) && !strcmp(outgoing->method, "POST");
}

const char *outgoing_redirect(struct outgoing *outgoing, int status, const char *location)
{
    if (outgoing->redirects == OUTGOING_REDIRECTS_MAX) return "more than 5 redirects";
    char *url = url_resolve(outgoing->url, location);
    if (!url) return "a redirect to what is not an http or https URL";
    outgoing->redirects++;
    if (becomes_get(outgoing, status)) {
        xfree(outgoing->method);
        outgoing->method = xstrdup("GET");
        xfree(outgoing->body);
        outgoing->body = NULL;
        outgoing->body_size = 0;
        drop_headers(outgoing, about_body, true);
    }
    if (!url_same_origin(outgoing->url, url)) {
        drop_headers(outgoing, harmless, false);
        char *plain = url_without_user(url);
        xfree(url);
        url = plain;
    }
    xfree(outgoing->url);
    outgoing->url = url;
    return NULL;
}
