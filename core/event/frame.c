/* A frame is one allocation: head (id, event and retry lines), a data line for each
 * line of the data, a blank line. Sizes are counted first, then written, so that
 * nothing is copied twice. The raw data is what stands behind its one "data: ";
 * only data with line ends, which the wire does not keep, stands a second time
 * behind the wire's bytes.
 *
 * Every field is written with a space behind its colon. The parser takes away
 * exactly one, so values that begin with a space survive. Empty data is an empty
 * data line, which dispatches an event; no data line would not.
 *
 * The head comes first because the twin with a session tag shares it: the same
 * head around other data. A frame that can have no twin is its own. */
#include "event/frame.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/text.h"

static uint32_t live;

static const struct bytes ID = BYTES("id: "), EVENT = BYTES("event: "), DATA = BYTES("data: "),
                          RETRY = BYTES("retry: ");

static char *put(char *to, struct bytes bytes)
{
    if (bytes.size) memcpy(to, bytes.data, bytes.size);
    return to + bytes.size;
}

static char *put_line(char *to, struct bytes field, struct bytes value)
{
    to = put(put(to, field), value);
    *to++ = '\n';
    return to;
}

/* Cuts the first line off *rest; false if it was the last (and has no line end). */
static bool cut_line(struct bytes *rest, struct bytes *line)
{
    size_t at = 0;
    while (at < rest->size && rest->data[at] != '\n' && rest->data[at] != '\r') at++;
    *line = bytes_run(rest->data, at);
    if (at == rest->size) return false;
    bool pair = rest->data[at] == '\r' && at + 1 < rest->size && rest->data[at + 1] == '\n';
    at += pair ? 2 : 1;
    *rest = bytes_run(rest->data + at, rest->size - at);
    return true;
}

static size_t data_lines_size(struct bytes data)
{
    size_t size = 0;
    struct bytes line;
    bool more;
    do {
        more = cut_line(&data, &line);
        size += DATA.size + line.size + 1;
    } while (more);
    return size;
}

static bool is_one_line(struct bytes data)
{
    return !data.size ||
           (!memchr(data.data, '\n', data.size) && !memchr(data.data, '\r', data.size));
}

/* A frame with everything but its head, which the caller writes into the first bytes. */
static struct frame *make(const struct trigger *trigger, size_t head_size, struct bytes data)
{
    bool one_line = is_one_line(data);
    size_t lines_size = one_line ? DATA.size + data.size + 1 : data_lines_size(data);
    size_t size = head_size + lines_size + 1;
    size_t whole = size + (one_line ? 0 : data.size);
    CHECK(whole < UINT32_MAX);

    struct frame *frame = xmalloc(sizeof(*frame) + whole);
    *frame = (struct frame){
        .refs = 1,
        .size = (uint32_t)size,
        ._data_at = (uint32_t)(one_line ? head_size + DATA.size : size),
        .data_size = (uint32_t)data.size,
        .topic = atom_ref(trigger->topic),
        .type = atom_ref(trigger->type),
        .replaces = atom_ref(trigger->replaces),
        .user = atom_ref(trigger->user),
        .tag = atom_ref(trigger->tag),
        .meta = atom_ref(trigger->meta),
        .position = trigger->position,
        .place = trigger->place,
        .at_ms = trigger->at_ms,
        .at_us = trigger->at_us,
        .server = trigger->server,
    };
    live++;

    char *to = frame->bytes + head_size;
    struct bytes rest = data, line = data;
    while (!one_line && cut_line(&rest, &line)) to = put_line(to, DATA, line);
    to = put_line(to, DATA, line);
    *to++ = '\n';
    if (!one_line) put(to, data);
    return frame;
}

enum { DIGITS_MAX = 24 };

/* What stands behind `retry:`; empty for 0. */
static struct bytes retry_value(uint64_t retry_ms, char digits[DIGITS_MAX])
{
    const int size = snprintf(digits, DIGITS_MAX, "%llu", (unsigned long long)retry_ms);
    return bytes_run(digits, retry_ms ? (size_t)size : 0);
}

static size_t line_size(struct bytes field, struct bytes value)
{
    return value.size ? field.size + value.size + 1 : 0;
}

struct frame *frame_new(const struct trigger *trigger)
{
    char digits[DIGITS_MAX];
    const struct bytes id = trigger->id, name = trigger->name;
    const struct bytes retry = retry_value(trigger->retry_ms, digits);
    if (text_breaks_line(id) || text_breaks_line(name)) return NULL;
    const size_t head_size = line_size(ID, id) + line_size(EVENT, name) + line_size(RETRY, retry);
    struct frame *frame = make(trigger, head_size, trigger->data);
    char *to = frame->bytes;
    if (id.size) to = put_line(to, ID, id);
    if (name.size) to = put_line(to, EVENT, name);
    if (retry.size) put_line(to, RETRY, retry);
    return frame;
}

struct frame *frame_join(struct atom *topic, struct frame *const *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) size += parts[i]->size;
    CHECK(size && size < UINT32_MAX);
    struct frame *frame = xmalloc(sizeof(*frame) + size);
    *frame = (struct frame){.refs = 1, .size = (uint32_t)size, .topic = atom_ref(topic)};
    live++;
    char *to = frame->bytes;
    for (size_t i = 0; i < count; i++) to = put(to, bytes_run(parts[i]->bytes, parts[i]->size));
    return frame;
}

struct frame *frame_ref(struct frame *frame)
{
    CHECK(frame->refs < UINT32_MAX);
    frame->refs++;
    return frame;
}

void frame_unref(struct frame *frame)
{
    if (!frame) return;
    CHECK(frame->refs > 0);
    if (--frame->refs) return;
    if (frame->_tagged != frame) frame_unref(frame->_tagged);
    atom_unref(frame->topic);
    atom_unref(frame->type);
    atom_unref(frame->replaces);
    atom_unref(frame->user);
    atom_unref(frame->tag);
    atom_unref(frame->meta);
    xfree(frame);
    live--;
}

struct bytes frame_data(const struct frame *frame)
{
    return bytes_run(frame->bytes + frame->_data_at, frame->data_size);
}

/* It stands first in the head. A control frame with an id and nothing else has one, too. */
struct bytes frame_id(const struct frame *frame)
{
    if (frame->size < ID.size || memcmp(frame->bytes, ID.data, ID.size) != 0)
        return (struct bytes){NULL, 0};
    const char *value = frame->bytes + ID.size;
    const char *end = memchr(value, '\n', frame->size - ID.size);
    return bytes_run(value, (size_t)(end - value));
}

/* The bytes before the first data line. Neither id nor name can hold a line end, so the first
 * line that begins with the data field is one. */
static struct bytes head(const struct frame *frame)
{
    const char *at = frame->bytes;
    while (memcmp(at, DATA.data, DATA.size) != 0)
        at = (const char *)memchr(at, '\n', frame->size) + 1;
    return bytes_run(frame->bytes, (size_t)(at - frame->bytes));
}

/* What all the others of the same trigger share with it; the head is the caller's. */
static struct frame *make_like(const struct frame *frame, size_t head_size, struct bytes data)
{
    const struct trigger trigger = {
        .topic = frame->topic,
        .type = frame->type,
        .replaces = frame->replaces,
        .user = frame->user,
        .tag = frame->tag,
        .meta = frame->meta,
        .position = frame->position,
        .place = frame->place,
        .server = frame->server,
        .at_ms = frame->at_ms,
        .at_us = frame->at_us,
    };
    return make(&trigger, head_size, data);
}

static struct frame *make_tagged(struct frame *frame)
{
    struct bytes data = frame_data(frame);
    struct json_object object;
    if (!frame->tag || !json_scan_object(data, "session_tag", &object) || object.has) return frame;

    struct buf tagged = BUF_EMPTY;
    buf_add(&tagged, data.data, object.inside);
    buf_add_text(&tagged, "\"session_tag\":");
    text_json_string(&tagged, atom_bytes(frame->tag));
    if (!object.empty) buf_add_char(&tagged, ',');
    buf_add(&tagged, data.data + object.inside, data.size - object.inside);

    struct frame *twin = make_like(frame, head(frame).size, buf_bytes(&tagged));
    put(twin->bytes, head(frame));
    buf_destroy(&tagged);
    return twin;
}

struct frame *frame_tagged(struct frame *frame)
{
    if (!frame->_tagged) frame->_tagged = make_tagged(frame);
    return frame->_tagged;
}

struct frame *frame_with_id(struct frame *frame, struct bytes id)
{
    CHECK(!text_breaks_line(id));
    const struct bytes old = head(frame);
    const size_t had = line_size(ID, frame_id(frame));
    struct frame *other = make_like(frame, line_size(ID, id) + old.size - had, frame_data(frame));
    char *to = id.size ? put_line(other->bytes, ID, id) : other->bytes;
    put(to, bytes_run(old.data + had, old.size - had));
    return other;
}

/* A control frame of one line and the blank one: nothing that dispatches an event. */
static struct frame *make_control(struct bytes field, struct bytes value)
{
    size_t size = field.size + value.size + 2;
    CHECK(size < UINT32_MAX);
    struct frame *frame = xmalloc(sizeof(*frame) + size);
    *frame = (struct frame){.refs = 1, .size = (uint32_t)size, ._data_at = (uint32_t)size};
    frame->_tagged = frame;
    live++;
    *put_line(frame->bytes, field, value) = '\n';
    return frame;
}

struct frame *frame_heartbeat(struct bytes id)
{
    CHECK(!text_breaks_line(id));
    return make_control(id.size ? ID : BYTES(":"), id);
}

struct frame *frame_retry(uint64_t retry_ms)
{
    char digits[DIGITS_MAX];
    const int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)retry_ms);
    return make_control(RETRY, bytes_run(digits, (size_t)size));
}

struct frame *frame_comment(struct bytes text)
{
    struct frame *frame = make_control(BYTES(": "), text);
    for (char *at = frame->bytes; at < frame->bytes + frame->size - 2; at++)
        if (*at == '\r' || *at == '\n') *at = ' ';
    return frame;
}

uint32_t frame_live(void)
{
    return live;
}
