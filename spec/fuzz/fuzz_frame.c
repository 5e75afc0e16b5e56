/* Whatever frame_new accepts parses back to exactly what was given, and so does the twin with the
 * session tag, whose data is the given object with one member more. The first three bytes are the
 * sizes of id, name and tag; an odd size of the tag means a retry field, of as many milliseconds as the name
 * has bytes. */
#include "event/frame.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/text.h"
#include "event/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    int events;
    struct bytes type, data, id; /* what must be told */
    uint64_t retry_ms;           /* 0: nothing may be */
};

static void told_event(void *owner, const struct sse_event *event)
{
    struct told *told = owner;
    CHECK(bytes_equal(event->type, told->type));
    CHECK(bytes_equal(event->data, told->data));
    CHECK(bytes_equal(event->id, told->id));
    told->events++;
}

static void told_retry(void *owner, uint64_t retry_ms)
{
    const struct told *told = owner;
    CHECK(retry_ms && retry_ms == told->retry_ms);
}

static const struct sse_parser_events events = {told_event, told_retry};

/* Line ends as the wire keeps them. */
static struct buf normalized(struct bytes data)
{
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < data.size; i++) {
        if (data.data[i] == '\r' && i + 1 < data.size && data.data[i + 1] == '\n') continue;
        buf_add_char(&out, data.data[i] == '\r' ? '\n' : data.data[i]);
    }
    return out;
}

static void check_wire(const struct frame *frame, struct bytes name, struct bytes data,
                       struct bytes id, uint64_t retry_ms)
{
    struct buf want = normalized(data);
    struct told told = {0, name.size ? name : BYTES("message"), buf_bytes(&want), id, retry_ms};
    struct sse_parser parser;
    sse_parser_create(&parser, SIZE_MAX, &events, &told);
    for (int times = 1; times <= 2; times++) { /* and leaves nothing behind for its follower */
        CHECK(sse_parser_feed(&parser, bytes_run(frame->bytes, frame->size)) == SSE_OK);
        CHECK(told.events == times);
    }
    CHECK(bytes_equal(frame_data(frame), data));
    sse_parser_destroy(&parser);
    buf_destroy(&want);
}

static void check_twin(const struct frame *twin, struct bytes data, struct bytes tag)
{
    struct json_object before, after;
    CHECK(json_scan_object(data, "session_tag", &before) && !before.has);
    struct buf member = BUF_EMPTY;
    buf_add_text(&member, "\"session_tag\":");
    text_json_string(&member, tag);
    if (!before.empty) buf_add_char(&member, ',');

    struct bytes tagged = frame_data(twin);
    CHECK(json_scan_object(tagged, "session_tag", &after) && after.has);
    CHECK(tagged.size == data.size + member.size && after.inside == before.inside);
    const char *inside = tagged.data + after.inside;
    CHECK(!memcmp(tagged.data, data.data, before.inside));
    CHECK(!memcmp(inside, member.data, member.size));
    CHECK(!memcmp(inside + member.size, data.data + before.inside, data.size - before.inside));
    buf_destroy(&member);
}

static struct bytes cut(struct bytes *rest, size_t size)
{
    if (size > rest->size) size = rest->size;
    struct bytes piece = bytes_run(rest->data, size);
    *rest = bytes_run(rest->data + size, rest->size - size);
    return piece;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) return 0;
    struct bytes rest = bytes_run((const char *)data + 3, size - 3);
    struct trigger trigger = {.id = cut(&rest, data[0]), .name = cut(&rest, data[1])};
    struct bytes tag = cut(&rest, data[2]);
    if (tag.size) trigger.tag = atom_get(tag);
    trigger.data = rest;
    if (data[2] & 1) trigger.retry_ms = data[1];

    struct frame *frame = frame_new(&trigger);
    CHECK((frame == NULL) == (text_breaks_line(trigger.id) || text_breaks_line(trigger.name)));
    if (frame) {
        CHECK(bytes_equal(frame_id(frame), trigger.id));
        check_wire(frame, trigger.name, trigger.data, trigger.id, trigger.retry_ms);
        struct frame *twin = frame_tagged(frame);
        if (twin != frame) {
            check_wire(twin, trigger.name, frame_data(twin), trigger.id, trigger.retry_ms);
            check_twin(twin, trigger.data, tag);
        }
    }
    frame_unref(frame);
    atom_unref(trigger.tag);
    CHECK(alloc_live() == 0);
    return 0;
}
