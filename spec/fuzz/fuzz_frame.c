/* Whatever a trigger is given, its frame is refused or reads back as exactly that one event; so does
 * the twin that carries the session tag. */

#include "base/json.h"
#include "event/frame.h"
#include "event/parser.h"
#include "spec/fuzz/input.h"

struct reader {
    const struct trigger *trigger;
    int events;
    bool tagged;
};

/* Data as a client has it: CRLF and CR are LF (9.2.6: data lines are joined with LF). */
static void normalize(struct buf *out, struct bytes data)
{
    for (size_t i = 0; i < data.size; i++) {
        if (data.data[i] == '\r') {
            buf_add_char(out, '\n');
            if (i + 1 < data.size && data.data[i + 1] == '\n') i++;
        } else {
            buf_add_char(out, data.data[i]);
        }
    }
}

static void on_event(void *owner, const struct sse_event *event)
{
    struct reader *reader = owner;
    const struct trigger *trigger = reader->trigger;
    struct buf data = BUF_EMPTY;

    reader->events++;
    MUST(bytes_equal(event->type, trigger->name.size ? trigger->name : BYTES("message")));
    MUST(bytes_equal(event->id, trigger->id));
    normalize(&data, trigger->data);
    if (reader->tagged) {
        struct json_object object;
        MUST(event->data.size > data.size);
        MUST(json_scan_object(event->data, "session_tag", &object) && object.has);
    } else {
        MUST(bytes_equal(event->data, buf_bytes(&data)));
    }
    buf_destroy(&data);
}

static void on_retry(void *owner, uint64_t retry_ms)
{
    (void)owner;
    (void)retry_ms;
    abort();
}

static const struct sse_parser_events events = {.event = on_event, .retry = on_retry};

static void read_back(const struct frame *frame, struct reader *reader)
{
    struct sse_parser parser;

    sse_parser_create(&parser, 1 << 20, &events, reader);
    MUST(sse_parser_feed(&parser, bytes_run(frame->bytes, frame->size)) == SSE_OK);
    MUST(reader->events == 1);
    sse_parser_destroy(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    struct atom *tag = input_byte(&input) & 1 ? atom_of("abcdefghijklmnop") : NULL;
    struct trigger trigger = {.tag = tag};

    trigger.name = input_piece(&input);
    trigger.id = input_piece(&input);
    trigger.data = input_run(&input, input.left);
    struct frame *frame = frame_new(&trigger);
    if (frame) {
        struct reader reader = {&trigger, 0, false};
        read_back(frame, &reader);
        MUST(bytes_equal(frame_data(frame), trigger.data));

        struct frame *twin = frame_tagged(frame);
        struct reader again = {&trigger, 0, twin != frame};
        read_back(twin, &again);
        frame_unref(frame);
    }
    atom_unref(tag);
    MUST(frame_live() == 0 && atom_live() == 0);
    return 0;
}
