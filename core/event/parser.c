/* Lines are found by memchr, each byte looked at once for CR and once for LF
 * whatever mix of line ends a stream has. A line within one chunk is read where
 * it stands; only one that a chunk's end cuts is gathered in _line. Likewise the
 * data: the first data line of a block stays where it stands (_one), and is
 * copied only when a second one, or the end of the chunk, comes before the
 * block's end. So an event that came in one piece is handed on without a copy,
 * and one that came in many costs two.
 *
 * A CR ends its line at once, without a look at what follows: an event is not
 * held back until the next chunk tells whether an LF belongs to it.
 *
 * The end of the stream is nobody's call: what was not ended by a blank line is
 * dropped by reset or destroy, as 9.2.6 wants. */
#include "event/parser.h"

static const char bom[3] = "\xef\xbb\xbf";

enum { LONGEST_FIELD = 5, KEPT_BYTES = 16 * 1024 };

static void fail(struct sse_parser *parser)
{
    if (parser->_result == SSE_OK) parser->_result = SSE_TOO_LARGE;
}

/* Empties a buf; a large one gives its memory back, since thousands of links may be idle. */
static void drop(struct buf *buf)
{
    if (buf->capacity > KEPT_BYTES) buf_destroy(buf);
    buf_clear(buf);
}

static void assign(struct buf *buf, struct bytes value)
{
    buf_clear(buf);
    buf_add_bytes(buf, value);
}

/* Copies data that stands in bytes about to go. */
static void settle(struct sse_parser *parser)
{
    buf_add_bytes(&parser->_data, parser->_one);
    parser->_one = bytes_run(NULL, 0);
}

static void add_data(struct sse_parser *parser, struct bytes value)
{
    size_t size = parser->_data.size + parser->_one.size + (parser->_has_data ? 1 : 0);
    if (size > parser->_limit_bytes || value.size > parser->_limit_bytes - size) {
        fail(parser);
    } else if (!parser->_has_data) {
        parser->_one = value;
    } else {
        settle(parser);
        buf_add_char(&parser->_data, '\n');
        buf_add_bytes(&parser->_data, value);
    }
    parser->_has_data = true;
}

static void add_retry(struct sse_parser *parser, struct bytes value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return;
        uint64_t digit = (uint64_t)(value.data[i] - '0');
        number = number > (INT64_MAX - digit) / 10 ? INT64_MAX : number * 10 + digit;
    }
    if (value.size) parser->_events->retry(parser->_owner, number);
}

/* "Process the field", 9.2.6. */
static void field(struct sse_parser *parser, struct bytes name, struct bytes value)
{
    if (bytes_is(name, "data")) {
        add_data(parser, value);
    } else if (bytes_is(name, "event")) {
        assign(&parser->_type, value);
    } else if (bytes_is(name, "id")) {
        if (!value.size || !memchr(value.data, '\0', value.size)) assign(&parser->_id, value);
    } else if (bytes_is(name, "retry")) {
        add_retry(parser, value);
    }
}

/* "Dispatch the event", 9.2.6: the id takes effect even if there is no data to dispatch. */
static void dispatch(struct sse_parser *parser)
{
    assign(&parser->last_id, buf_bytes(&parser->_id));
    if (parser->_has_data) {
        struct sse_event event = {
            .type = parser->_type.size ? buf_bytes(&parser->_type) : BYTES("message"),
            .data = parser->_data.size ? buf_bytes(&parser->_data) : parser->_one,
            .id = buf_bytes(&parser->last_id),
        };
        parser->_events->event(parser->_owner, &event);
    }
    drop(&parser->_type);
    drop(&parser->_data);
    parser->_one = bytes_run(NULL, 0);
    parser->_has_data = false;
}

static void read_line(struct sse_parser *parser, struct bytes line)
{
    if (!line.size) {
        dispatch(parser);
        return;
    }
    /* No known field has a longer name, so a colon further on changes nothing. */
    size_t near = line.size <= LONGEST_FIELD ? line.size : LONGEST_FIELD + 1;
    const char *colon = memchr(line.data, ':', near);
    if (!colon) {
        field(parser, line, bytes_run(NULL, 0));
        return;
    }
    struct bytes name = bytes_run(line.data, (size_t)(colon - line.data));
    struct bytes value = bytes_run(colon + 1, line.size - name.size - 1);
    if (value.size && value.data[0] == ' ') value = bytes_run(value.data + 1, value.size - 1);
    field(parser, name, value);
}

/* A piece of a line: joins what stands in _line, unless that gets too long. */
static bool gather(struct sse_parser *parser, struct bytes piece)
{
    size_t room = parser->_limit_bytes - parser->_line.size;
    if (piece.size > room || parser->_line.size > parser->_limit_bytes) {
        fail(parser);
        return false;
    }
    buf_add_bytes(&parser->_line, piece);
    return true;
}

static void end_line(struct sse_parser *parser, struct bytes piece)
{
    if (!parser->_line.size) {
        if (piece.size > parser->_limit_bytes)
            fail(parser);
        else
            read_line(parser, piece);
    } else if (gather(parser, piece)) {
        read_line(parser, buf_bytes(&parser->_line));
        settle(parser);
        drop(&parser->_line);
    }
}

static const char *find(const char *at, const char *end, char c)
{
    const char *found = at < end ? memchr(at, c, (size_t)(end - at)) : NULL;
    return found ? found : end;
}

static void read_lines(struct sse_parser *parser, const char *at, const char *end)
{
    const char *lf = find(at, end, '\n'), *cr = find(at, end, '\r');
    while (parser->_result == SSE_OK) {
        const char *stop = lf < cr ? lf : cr;
        struct bytes piece = bytes_run(at, (size_t)(stop - at));
        if (stop == end) {
            gather(parser, piece);
            break;
        }
        end_line(parser, piece);
        at = stop + 1;
        if (stop == cr && at == end)
            parser->_after_cr = true;
        else if (stop == cr && *at == '\n')
            at++;
        if (lf < at) lf = find(at, end, '\n');
        if (cr < at) cr = find(at, end, '\r');
    }
    settle(parser);
}

/* Passes over a byte order mark at the very start; what only began like one is a line's. */
static struct bytes skip_bom(struct sse_parser *parser, struct bytes bytes)
{
    for (; bytes.size && parser->_bom < sizeof(bom); bytes.data++, bytes.size--) {
        if (bytes.data[0] != bom[parser->_bom]) {
            buf_add(&parser->_line, bom, parser->_bom);
            parser->_bom = sizeof(bom);
            break;
        }
        parser->_bom++;
    }
    return bytes;
}

void sse_parser_create(struct sse_parser *parser, size_t limit_bytes,
                       const struct sse_parser_events *events, void *owner)
{
    *parser = (struct sse_parser){
        ._events = events, ._owner = owner, ._limit_bytes = limit_bytes, ._result = SSE_OK};
}

void sse_parser_destroy(struct sse_parser *parser)
{
    buf_destroy(&parser->last_id);
    buf_destroy(&parser->_id);
    buf_destroy(&parser->_line);
    buf_destroy(&parser->_type);
    buf_destroy(&parser->_data);
}

void sse_parser_limit(struct sse_parser *parser, size_t limit_bytes)
{
    parser->_limit_bytes = limit_bytes;
}

void sse_parser_go_on_from(struct sse_parser *parser, struct bytes last_id)
{
    assign(&parser->last_id, last_id);
    assign(&parser->_id, last_id);
}

void sse_parser_reset(struct sse_parser *parser)
{
    assign(&parser->_id, buf_bytes(&parser->last_id));
    drop(&parser->_line);
    drop(&parser->_type);
    drop(&parser->_data);
    parser->_one = bytes_run(NULL, 0);
    parser->_result = SSE_OK;
    parser->_bom = 0;
    parser->_after_cr = parser->_has_data = false;
}

enum sse_result sse_parser_feed(struct sse_parser *parser, struct bytes bytes)
{
    if (parser->_result != SSE_OK) return parser->_result;
    bytes = skip_bom(parser, bytes);
    if (!bytes.size) return SSE_OK;
    if (parser->_after_cr && bytes.data[0] == '\n') bytes.data++, bytes.size--;
    parser->_after_cr = false;
    read_lines(parser, bytes.data, bytes.data + bytes.size);
    return parser->_result;
}

void sse_parser_stop(struct sse_parser *parser)
{
    if (parser->_result == SSE_OK) parser->_result = SSE_STOPPED;
}
