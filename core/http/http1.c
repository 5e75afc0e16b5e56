/* A head is collected line by line, every byte judged as it comes, and parsed when
 * it is whole: names and values are then runs of one buffer, and a request cut
 * into pieces anywhere is the same request. The body goes through llhttp as it
 * comes; between the runs of data that it reports lies the chunks' framing, whose
 * lines are held to the same rules as the head's.
 *
 * What llhttp 8.1 accepts by itself (tried, not read): several spaces in the
 * request line, no version at all, RTSP and ICE, HTTP/2.0, folded lines, an empty
 * field name, "gzip, chunked" as a transfer coding, fragments, anything in a
 * chunk's extension and trailers of any length. (And it refuses a chunk's second
 * extension, which the RFC allows and nobody sends.) */
#include "http/http1.h"

#include <llhttp.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "http/target.h"

/* The rules of lines, over a run of bytes that may be cut anywhere. */
struct lines {
    char previous;
    bool at_start;  /* of a line */
    uint32_t count; /* of whole lines, empty ones not counted */
};

struct http1 {
    const struct http_limits *limits;
    enum http1_state state;
    struct http_fault fault;
    struct lines lines;
    bool skipped_empty; /* the one empty line that may stand before a request */
    bool keeps_alive, expects_continue, is_head, chunked, whole;
    struct buf head, body;
    const char *framing; /* in http1_feed: up to where the bytes are accounted for */
    size_t framing_bytes;
    struct http_header *headers;
    size_t header_count, header_capacity;
    struct http_request request;
    llhttp_t parser;
};

static const struct http_fault bare_line = {400, "bad_request",
                                            "a line ends with CR LF, nothing else"};
static const struct http_fault folded = {400, "bad_request", "a header line begins with a space"};
static const struct http_fault control = {400, "bad_request", "a control character in the head"};
static const struct http_fault nameless = {400, "bad_request", "a header line without a name"};
static const struct http_fault empty_lines = {400, "bad_request", "empty lines before the request"};
static const struct http_fault two_hosts = {400, "bad_request", "more than one Host"};
static const struct http_fault no_host = {400, "bad_request", "HTTP/1.1 needs a Host"};
static const struct http_fault bad_host = {400, "bad_request", "Host is not a host and port"};
static const struct http_fault two_lengths = {400, "bad_request", "more than one Content-Length"};
static const struct http_fault both_lengths = {400, "bad_request",
                                               "both Content-Length and Transfer-Encoding"};
static const struct http_fault bad_coding = {
    400, "bad_request", "the only transfer coding is chunked, once, in HTTP/1.1"};
static const struct http_fault unknown_method = {501, "not_implemented", "unknown method"};
static const struct http_fault bad_expect = {417, "expectation_failed",
                                             "the only expectation is 100-continue"};
static const struct http_fault head_too_large = {431, "head_too_large",
                                                 "request line and headers are too large"};
static const struct http_fault too_many_headers = {431, "head_too_large", "too many headers"};
static const struct http_fault body_too_large = {413, "body_too_large", "the body is too large"};
static const struct http_fault framing_too_large = {400, "bad_request",
                                                    "chunk extensions and trailers are too large"};

static int fail(struct http1 *http1, const struct http_fault *fault)
{
    if (http1->state != HTTP1_BAD) http1->fault = *fault;
    http1->state = HTTP1_BAD;
    return HPE_USER;
}

/* -- lines ----------------------------------------------------------------- */

/* Judges a byte; *ended is set when it ends a line, to 2 when that was empty. */
static inline const struct http_fault *judge(struct lines *lines, char c, int *ended)
{
    unsigned char byte = (unsigned char)c;
    char previous = lines->previous;
    lines->previous = c;
    *ended = 0;
    if (previous == '\r') {
        if (c != '\n') return &bare_line;
        *ended = lines->at_start ? 2 : 1;
        lines->count += !lines->at_start;
        lines->at_start = true;
        return NULL;
    }
    if (c == '\r') return NULL;
    if (c == '\n') return &bare_line;
    if ((byte < ' ' && c != '\t') || byte == 0x7f) return &control;
    if (lines->at_start) {
        if (c == ' ' || c == '\t') return &folded;
        if (c == ':') return &nameless;
        lines->at_start = false;
    }
    return NULL;
}

/* -- llhttp's callbacks ---------------------------------------------------- */

static int on_header_field(llhttp_t *parser, const char *at, size_t size)
{
    struct http1 *http1 = parser->data;
    if (http1->state != HTTP1_HEAD) return 0; /* a trailer */
    CHECK(http1->header_count < http1->header_capacity);
    http1->headers[http1->header_count++] = (struct http_header){{at, size}, BYTES("")};
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t size)
{
    struct http1 *http1 = parser->data;
    if (http1->state != HTTP1_HEAD) return 0;
    CHECK(http1->header_count > 0);
    while (size && (at[size - 1] == ' ' || at[size - 1] == '\t')) size--;
    http1->headers[http1->header_count - 1].value = bytes_run(at, size);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http1 *http1 = parser->data;
    http1->keeps_alive = parser->http_minor == 1 && llhttp_should_keep_alive(parser);
    return 0;
}

static const struct http_fault *judge_framing(struct http1 *http1, const char *end)
{
    for (const char *at = http1->framing; at < end; at++) {
        int ended;
        const struct http_fault *fault = judge(&http1->lines, *at, &ended);
        if (fault) return fault;
    }
    http1->framing_bytes += (size_t)(end - http1->framing);
    /* The smallest chunk frames its one byte of data with five. */
    if (http1->framing_bytes > http1->limits->max_head_bytes + 8 * http1->body.size)
        return &framing_too_large;
    return NULL;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct http1 *http1 = parser->data;
    const struct http_fault *fault = judge_framing(http1, at);
    if (fault) return fail(http1, fault);
    http1->framing = at + size;
    http1->lines = (struct lines){0};
    if (size > http1->limits->max_body_bytes - http1->body.size)
        return fail(http1, &body_too_large);
    buf_add(&http1->body, at, size);
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http1 *http1 = parser->data;
    http1->whole = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* What llhttp says of an error of its own; its reasons are static. */
static int fail_parse(struct http1 *http1, llhttp_errno_t error)
{
    if (error == HPE_INVALID_METHOD) return fail(http1, &unknown_method);
    const char *reason = llhttp_get_error_reason(&http1->parser);
    struct http_fault fault = {400, "bad_request", reason ? reason : "malformed request"};
    return fail(http1, &fault);
}

/* -- the head -------------------------------------------------------------- */

static bool is_host(struct bytes host)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool alphanumeric = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alphanumeric && !strchr("-._~%:[]!$&'()*+;=", c)) return false;
    }
    return true;
}

static const struct http_fault *judge_headers(struct http1 *http1)
{
    bool modern = http1->parser.http_minor == 1;
    int hosts = 0, lengths = 0, codings = 0;
    for (size_t i = 0; i < http1->header_count; i++) {
        struct bytes name = http1->headers[i].name, value = http1->headers[i].value;
        if (bytes_is(name, "host")) {
            hosts++;
            if (!is_host(value)) return &bad_host;
        } else if (bytes_is(name, "content-length")) {
            lengths++;
            if (text_number(value, (long long)http1->limits->max_body_bytes) < 0)
                return &body_too_large; /* llhttp saw to it that it is a number */
        } else if (bytes_is(name, "transfer-encoding")) {
            codings++;
            http1->chunked = text_equal_nocase(value, BYTES("chunked"));
        } else if (bytes_is(name, "expect") && modern) {
            if (!text_equal_nocase(value, BYTES("100-continue"))) return &bad_expect;
            http1->expects_continue = true;
        }
    }
    if (hosts > 1) return &two_hosts;
    if (!hosts && modern) return &no_host;
    if (lengths > 1) return &two_lengths;
    if (lengths && codings) return &both_lengths;
    if (codings && (codings > 1 || !http1->chunked || !modern)) return &bad_coding;
    return NULL;
}

static void lower_names(struct http1 *http1)
{
    for (size_t i = 0; i < http1->header_count; i++) {
        struct bytes name = http1->headers[i].name;
        char *at = http1->head.data + (name.data - http1->head.data);
        for (size_t j = 0; j < name.size; j++)
            if (at[j] >= 'A' && at[j] <= 'Z') at[j] |= 32;
    }
}

/* An absolute target says the host, whatever the header says: RFC 9112 section 3.2.2. */
static void replace_host(struct http1 *http1, struct bytes authority)
{
    if (!authority.size) return;
    for (size_t i = 0; i < http1->header_count; i++)
        if (bytes_is(http1->headers[i].name, "host")) http1->headers[i].value = authority;
}

/* Parses the whole head. llhttp reports a request without body as whole at once. */
static void parse_head(struct http1 *http1)
{
    struct target target;
    const struct http_fault *fault = target_read(&target, buf_bytes(&http1->head));
    if (fault) {
        fail(http1, fault);
        return;
    }
    http1->is_head = bytes_is(target.method, "HEAD");
    size_t capacity = http1->lines.count;
    if (capacity > HTTP1_MAX_HEADERS + 1) {
        fail(http1, &too_many_headers);
        return;
    }
    if (capacity > http1->header_capacity) {
        http1->headers = xrealloc(http1->headers, capacity * sizeof(*http1->headers));
        http1->header_capacity = capacity;
    }
    llhttp_init(&http1->parser, HTTP_REQUEST, &settings);
    http1->parser.data = http1;
    llhttp_errno_t error = llhttp_execute(&http1->parser, http1->head.data, http1->head.size);
    if (error != HPE_OK && !(error == HPE_PAUSED && http1->whole)) {
        fail_parse(http1, error);
        return;
    }
    lower_names(http1);
    fault = judge_headers(http1);
    if (!fault && !is_host(target.authority)) fault = &bad_host;
    if (fault) {
        fail(http1, fault);
        return;
    }
    replace_host(http1, target.authority);
    http1->request.method = target.method;
    http1->request.path = target.path;
    http1->request.query = target.query;
    http1->request.headers = http1->headers;
    http1->request.header_count = http1->header_count;
    http1->lines = (struct lines){0};
    if (http1->whole) llhttp_resume(&http1->parser);
    http1->state = http1->whole ? HTTP1_DONE : HTTP1_BODY;
}

static size_t feed_head(struct http1 *http1, const char *data, size_t size)
{
    http1->state = HTTP1_HEAD;
    for (size_t i = 0; i < size; i++) {
        int ended;
        const struct http_fault *fault = judge(&http1->lines, data[i], &ended);
        if (!fault && http1->head.size + i >= http1->limits->max_head_bytes)
            fault = &head_too_large;
        if (!fault && ended == 2 && !http1->lines.count) {
            if (http1->skipped_empty) fault = &empty_lines;
            http1->skipped_empty = true;
            http1->lines = (struct lines){.at_start = true};
            http1->head.size = 0;
            if (!fault) return i + 1;
        }
        if (fault) {
            fail(http1, fault);
            return i;
        }
        if (ended == 2) {
            buf_add(&http1->head, data, i + 1);
            parse_head(http1);
            return i + 1;
        }
    }
    buf_add(&http1->head, data, size);
    return size;
}

/* -- the body -------------------------------------------------------------- */

static size_t feed_body(struct http1 *http1, const char *data, size_t size)
{
    http1->framing = data;
    llhttp_errno_t error = llhttp_execute(&http1->parser, data, size);
    if (error != HPE_OK && !(error == HPE_PAUSED && http1->whole)) {
        fail_parse(http1, error);
        return 0;
    }
    const char *end = http1->whole ? llhttp_get_error_pos(&http1->parser) : data + size;
    const struct http_fault *fault = judge_framing(http1, end);
    if (fault) {
        fail(http1, fault);
        return 0;
    }
    if (http1->whole) {
        http1->state = HTTP1_DONE;
        http1->request.body = buf_bytes(&http1->body);
    }
    return (size_t)(end - data);
}

/* -- life and operations --------------------------------------------------- */

struct http1 *http1_new(const struct http_limits *limits)
{
    struct http1 *http1 = xcalloc(1, sizeof(*http1));
    http1->limits = limits;
    http1_next(http1);
    return http1;
}

void http1_free(struct http1 *http1)
{
    buf_destroy(&http1->head);
    buf_destroy(&http1->body);
    xfree(http1->headers);
    xfree(http1);
}

size_t http1_feed(struct http1 *http1, const char *data, size_t size)
{
    size_t taken = 0;
    while (taken < size && http1->state < HTTP1_DONE)
        taken += http1->state == HTTP1_BODY ? feed_body(http1, data + taken, size - taken)
                                            : feed_head(http1, data + taken, size - taken);
    return taken;
}

void http1_next(struct http1 *http1)
{
    enum { KEPT_BYTES = 4096 };
    if (http1->head.capacity > KEPT_BYTES) buf_destroy(&http1->head);
    if (http1->body.capacity > KEPT_BYTES) buf_destroy(&http1->body);
    buf_clear(&http1->head);
    buf_clear(&http1->body);
    http1->state = HTTP1_IDLE;
    http1->fault = (struct http_fault){0};
    http1->lines = (struct lines){.at_start = true};
    http1->skipped_empty = false;
    http1->keeps_alive = http1->expects_continue = http1->is_head = false;
    http1->chunked = http1->whole = false;
    http1->framing = NULL;
    http1->framing_bytes = 0;
    http1->header_count = 0;
    http1->request = (struct http_request){0};
}

enum http1_state http1_state(const struct http1 *http1)
{
    return http1->state;
}
const struct http_request *http1_request(const struct http1 *http1)
{
    return &http1->request;
}
const struct http_fault *http1_fault(const struct http1 *http1)
{
    return &http1->fault;
}
bool http1_expects_continue(const struct http1 *http1)
{
    return http1->expects_continue;
}
bool http1_keeps_alive(const struct http1 *http1)
{
    return http1->keeps_alive;
}
bool http1_is_head(const struct http1 *http1)
{
    return http1->is_head;
}
