/* What goes on the wire, and what the parser makes of it. */
#include "event/frame.c"

#include "event/parser.h"
#include "unit.h"

static struct bytes wire(const struct frame *frame)
{
    return bytes_run(frame->bytes, frame->size);
}

static struct frame *plain_frame(struct bytes data)
{
    return frame_new(&(struct trigger){.data = data});
}

static int tear_down(void **state)
{
    return frame_live() + atom_live() ? -1 : nothing_left(state);
}

static void fields_stand_in_order(void **state)
{
    (void)state;
    struct frame *frame = frame_new(
        &(struct trigger){.id = BYTES("c5"), .name = BYTES("moved"), .data = BYTES("{}")});
    assert_text(wire(frame), "id: c5\nevent: moved\ndata: {}\n\n");
    assert_text(frame_data(frame), "{}");
    frame_unref(frame);
}

static void lines_are_split_at_every_kind_of_end(void **state)
{
    (void)state;
    static const struct {
        struct bytes data;
        const char *wire;
    } cases[] = {
        {BYTES(""), "data: \n\n"},
        {BYTES("a"), "data: a\n\n"},
        {BYTES(" a"), "data:  a\n\n"},
        {BYTES("a\nb"), "data: a\ndata: b\n\n"},
        {BYTES("a\rb\r\nc\n\rd"), "data: a\ndata: b\ndata: c\ndata: \ndata: d\n\n"},
        {BYTES("\n"), "data: \ndata: \n\n"},
        {BYTES("a\r"), "data: a\ndata: \n\n"},
        {BYTES("a\r\n"), "data: a\ndata: \n\n"},
        {BYTES("\r\r"), "data: \ndata: \ndata: \n\n"},
        {BYTES(":c\nid: x"), "data: :c\ndata: id: x\n\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct frame *frame = plain_frame(cases[i].data);
        assert_text(wire(frame), cases[i].wire);
        assert_bytes(frame_data(frame), cases[i].data);
        frame_unref(frame);
    }
    struct frame *nul = plain_frame(BYTES("a\0b\xff"));
    assert_bytes(wire(nul), BYTES("data: a\0b\xff\n\n"));
    frame_unref(nul);
}

static void data_of_one_line_stands_once(void **state)
{
    (void)state;
    struct frame *frame = plain_frame(BYTES("one"));
    assert_ptr_equal(frame_data(frame).data, frame->bytes + 6);
    frame_unref(frame);
    frame = plain_frame(BYTES("one\ntwo"));
    assert_ptr_equal(frame_data(frame).data, frame->bytes + frame->size);
    frame_unref(frame);
}

static void names_and_ids_that_break_a_line_are_refused(void **state)
{
    (void)state;
    const struct bytes bad[] = {BYTES("a\n"), BYTES("\rb"), BYTES("a\0b"), BYTES("\0")};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_null(frame_new(&(struct trigger){.name = bad[i]}));
        assert_null(frame_new(&(struct trigger){.id = bad[i]}));
    }
}

static void holds_its_own_references(void **state)
{
    (void)state;
    struct atom *atoms[6];
    const char *const names[] = {"topic", "type", "replaces", "user", "tag", "{\"a\":1}"};
    for (size_t i = 0; i < COUNT(atoms); i++) atoms[i] = atom_of(names[i]);
    struct frame *frame = frame_new(&(struct trigger){.topic = atoms[0],
                                                      .type = atoms[1],
                                                      .replaces = atoms[2],
                                                      .user = atoms[3],
                                                      .tag = atoms[4],
                                                      .meta = atoms[5],
                                                      .data = BYTES("{}"),
                                                      .position = 7,
                                                      .place = 8,
                                                      .server = 3,
                                                      .at_ms = 9});
    struct frame *twin = frame_tagged(frame), *other = frame_with_id(frame, BYTES("other"));
    const struct frame *both[] = {frame, twin, other};
    assert_ptr_not_equal(twin, frame);
    for (size_t i = 0; i < COUNT(both); i++) {
        assert_ptr_equal(both[i]->topic, atoms[0]);
        assert_ptr_equal(both[i]->type, atoms[1]);
        assert_ptr_equal(both[i]->replaces, atoms[2]);
        assert_ptr_equal(both[i]->user, atoms[3]);
        assert_ptr_equal(both[i]->tag, atoms[4]);
        assert_ptr_equal(both[i]->meta, atoms[5]);
        assert_int_equal(both[i]->position, 7);
        assert_int_equal(both[i]->place, 8);
        assert_int_equal(both[i]->server, 3);
        assert_int_equal(both[i]->at_ms, 9);
    }
    frame_unref(other);
    for (size_t i = 0; i < COUNT(atoms); i++) atom_unref(atoms[i]);
    assert_int_equal(atom_live(), 6);
    assert_int_equal(frame_live(), 2);

    assert_ptr_equal(frame_ref(twin), twin); /* a queue that outlives the frame */
    frame_unref(frame);
    assert_int_equal(frame_live(), 1);
    assert_text(frame_data(twin), "{\"session_tag\":\"tag\"}");
    frame_unref(twin);
    assert_int_equal(atom_live(), 0);
    frame_unref(NULL);
}

/* Everything but the id line is as it was, with the raw data behind it. */
static void another_id_changes_nothing_else(void **state)
{
    (void)state;
    static const char *const datas[] = {"", "x", "{\"a\":1}", "a\nb\r\n", "id: fake"};
    static const char *const ids[] = {"", "1", "a longer id"};
    for (size_t i = 0; i < COUNT(datas) * COUNT(ids) * COUNT(ids) * 2; i++) {
        struct trigger trigger = {.data = bytes_of(datas[i % COUNT(datas)]),
                                  .id = bytes_of(ids[i / 5 % 3]),
                                  .name = i / 45 ? BYTES("name") : BYTES(""),
                                  .retry_ms = i / 45 ? 5 : 0};
        struct frame *frame = frame_new(&trigger);
        trigger.id = bytes_of(ids[i / 15 % 3]);
        struct frame *want = frame_new(&trigger), *got = frame_with_id(frame, trigger.id);
        assert_bytes(bytes_run(got->bytes, got->size), bytes_run(want->bytes, want->size));
        assert_bytes(frame_data(got), trigger.data);
        assert_bytes(frame_id(got), trigger.id);
        frame_unref(frame), frame_unref(want), frame_unref(got);
    }
}

static void the_tag_goes_into_objects_only(void **state)
{
    (void)state;
    static const struct {
        const char *data, *tagged; /* NULL: as it is */
    } cases[] = {
        {"{}", "{\"session_tag\":\"T\\\"\"}"},
        {" {\t} ", " {\"session_tag\":\"T\\\"\"\t} "},
        {"{\"a\":1}", "{\"session_tag\":\"T\\\"\",\"a\":1}"},
        {"\n{\r\n \"a\": 1\r}", "\n{\"session_tag\":\"T\\\"\",\r\n \"a\": 1\r}"},
        {"{\"a\":{\"session_tag\":1}}", "{\"session_tag\":\"T\\\"\",\"a\":{\"session_tag\":1}}"},
        {"{\"session_tag\":null}", NULL},
        {"{\"a\":1,\"session\\u005Ftag\":\"x\"}", NULL},
        {"[]", NULL},
        {"", NULL},
        {"text {}", NULL},
        {"{not json}", NULL},
        {"{\"a\":1", NULL},
    };
    struct atom *tag = atom_of("T\"");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct frame *frame = frame_new(&(struct trigger){.id = BYTES("data: "),
                                                          .name = BYTES("data: "),
                                                          .data = bytes_of(cases[i].data),
                                                          .tag = tag});
        struct frame *twin = frame_tagged(frame);
        if (cases[i].tagged) {
            assert_text(frame_data(twin), cases[i].tagged);
            struct frame *same = frame_new(&(struct trigger){
                .id = BYTES("data: "), .name = BYTES("data: "), .data = bytes_of(cases[i].tagged)});
            assert_bytes(wire(twin), wire(same));
            frame_unref(same);
        } else {
            assert_ptr_equal(twin, frame);
        }
        assert_ptr_equal(frame_tagged(frame), twin); /* made once */
        assert_ptr_equal(frame_tagged(twin), twin);
        assert_bytes(frame_data(frame), bytes_of(cases[i].data));
        frame_unref(frame);
    }
    atom_unref(tag);
    struct frame *untagged = plain_frame(BYTES("{}"));
    assert_ptr_equal(frame_tagged(untagged), untagged);
    frame_unref(untagged);
}

/* What one parser told of one frame. */
struct told {
    int events, retries;
    uint64_t retry_ms;
    struct buf type, data, id;
};

static void told_event(void *owner, const struct sse_event *event)
{
    struct told *told = owner;
    told->events++;
    buf_add_bytes(&told->type, event->type);
    buf_add_bytes(&told->data, event->data);
    buf_add_bytes(&told->id, event->id);
}

static void told_retry(void *owner, uint64_t retry_ms)
{
    struct told *told = owner;
    told->retries++;
    told->retry_ms = retry_ms;
}

static const struct sse_parser_events events = {told_event, told_retry};

/* Parses the frame's bytes behind an event with the id "before"; the last id goes to told->id if
 * no event told it. */
static struct told parse(const struct frame *frame)
{
    struct told told = {0};
    struct sse_parser parser;
    sse_parser_create(&parser, 1 << 24, &events, &told);
    assert_int_equal(sse_parser_feed(&parser, BYTES("id: before\n\n")), SSE_OK);
    assert_int_equal(sse_parser_feed(&parser, wire(frame)), SSE_OK);
    if (!told.events) buf_add_bytes(&told.id, buf_bytes(&parser.last_id));
    sse_parser_destroy(&parser);
    return told;
}

static void forget(struct told *told)
{
    buf_destroy(&told->type), buf_destroy(&told->data), buf_destroy(&told->id);
}

/* Data as the wire keeps it: every line end an LF. */
static struct buf normalized(struct bytes data)
{
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < data.size; i++) {
        bool pair = data.data[i] == '\r' && i + 1 < data.size && data.data[i + 1] == '\n';
        if (!pair) buf_add_char(&out, data.data[i] == '\r' ? '\n' : data.data[i]);
    }
    return out;
}

static struct bytes draw_bytes(uint64_t *chance, char *out, size_t most)
{
    static const char likely[] = "\r\n: \0a{}\"\xef\xbb\xbf";
    size_t size = draw_below(chance, most + 1);
    for (size_t i = 0; i < size; i++)
        out[i] = draw_below(chance, 4) ? likely[draw_below(chance, sizeof(likely) - 1)]
                                       : (char)draw(chance);
    return bytes_run(out, size);
}

static void whatever_is_accepted_parses_back(void **state)
{
    (void)state;
    uint64_t chance = 7;
    int accepted = 0;
    for (int round = 0; round < 20000; round++) {
        char id[8], name[8], data[40];
        struct trigger trigger = {.id = draw_bytes(&chance, id, 4),
                                  .name = draw_bytes(&chance, name, 4),
                                  .data = draw_bytes(&chance, data, 40)};
        struct frame *frame = frame_new(&trigger);
        bool breaks = text_breaks_line(trigger.id) || text_breaks_line(trigger.name);
        assert_int_equal(frame == NULL, breaks);
        if (!frame) continue;
        accepted++;
        struct told told = parse(frame);
        struct buf want = normalized(trigger.data);
        assert_int_equal(told.events, 1);
        assert_int_equal(told.retries, 0);
        assert_bytes(buf_bytes(&told.type), trigger.name.size ? trigger.name : BYTES("message"));
        assert_bytes(buf_bytes(&told.data), buf_bytes(&want));
        assert_bytes(buf_bytes(&told.id), trigger.id.size ? trigger.id : BYTES("before"));
        assert_bytes(frame_data(frame), trigger.data);
        forget(&told);
        buf_destroy(&want);
        frame_unref(frame);
    }
    assert_in_range(accepted, 2000, 18000);
}

static void control_frames_dispatch_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *wire, *id;
        int retries;
    } want[] = {
        {"id: c9\n\n", "c9", 0},
        {":\n\n", "before", 0},
        {"retry: 18446744073709551615\n\n", "before", 1},
        {": busy  data: x  \n\n", "before", 0},
        {": \n\n", "before", 0},
    };
    struct frame *frames[] = {
        frame_heartbeat(BYTES("c9")),      frame_heartbeat(BYTES("")),
        frame_retry(UINT64_MAX),           frame_comment(BYTES("busy\r\ndata: x\n\n")),
        frame_comment(bytes_run(NULL, 0)),
    };
    for (size_t i = 0; i < COUNT(frames); i++) {
        struct told told = parse(frames[i]);
        assert_text(wire(frames[i]), want[i].wire);
        assert_int_equal(told.events, 0);
        assert_int_equal(told.retries, want[i].retries);
        assert_text(buf_bytes(&told.id), want[i].id);
        assert_ptr_equal(frame_tagged(frames[i]), frames[i]);
        assert_int_equal(frame_data(frames[i]).size, 0);
        assert_null(frames[i]->topic);
        assert_int_equal(frames[i]->position, 0);
        forget(&told);
        frame_unref(frames[i]);
    }
}

static void a_megabyte_of_lines(void **state)
{
    (void)state;
    struct buf data = BUF_EMPTY;
    while (data.size < 1 << 20) buf_add_text(&data, "\r\nx");
    struct frame *frame = plain_frame(buf_bytes(&data));
    struct told told = parse(frame);
    struct buf want = normalized(buf_bytes(&data));
    assert_bytes(buf_bytes(&told.data), buf_bytes(&want));
    assert_bytes(frame_data(frame), buf_bytes(&data));
    forget(&told);
    buf_destroy(&want), buf_destroy(&data);
    frame_unref(frame);
}

static void beat_with_a_broken_id(void)
{
    frame_heartbeat(BYTES("a\ndata: x"));
}

static void unref_the_dead(void)
{
    struct frame frame = {.refs = 0};
    frame_unref(&frame);
}

static void refuses_misuse(void **state)
{
    (void)state;
    assert_aborts(beat_with_a_broken_id);
    assert_aborts(unref_the_dead);
}

static void says_when_to_come_back_and_its_id(void **state)
{
    (void)state;
    struct frame *frame = frame_new(&(struct trigger){.name = BYTES("n"),
                                                      .id = BYTES("urn:1"),
                                                      .data = BYTES("d"),
                                                      .retry_ms = 2500});
    assert_text(bytes_run(frame->bytes, frame->size), "id: urn:1\nevent: n\nretry: 2500\ndata: d\n\n");
    assert_true(bytes_is(frame_id(frame), "urn:1"));
    frame_unref(frame);
    struct atom *tag = atom_of("tag-1");
    frame = frame_new(&(struct trigger){.tag = tag, .data = BYTES("{}"), .retry_ms = 1});
    assert_int_equal(frame_id(frame).size, 0);
    const struct frame *twin = frame_tagged(frame);
    assert_text(bytes_run(twin->bytes, twin->size), "retry: 1\ndata: {\"session_tag\":\"tag-1\"}\n\n");
    frame_unref(frame);
    atom_unref(tag);
}

static void meta_never_goes_on_the_wire(void **state)
{
    (void)state;
    struct atom *meta = atom_of("{\"secret\":1}");
    struct frame *frame = frame_new(&(struct trigger){.meta = meta, .data = BYTES("d")});
    assert_text(bytes_run(frame->bytes, frame->size), "data: d\n\n");
    frame_unref(frame);
    atom_unref(meta);
}

static void several_go_out_as_one(void **state)
{
    (void)state;
    struct atom *topic = atom_of("room:1"), *tag = atom_of("tag-1");
    struct frame *parts[] = {
        frame_new(&(struct trigger){.name = BYTES("a"), .data = BYTES("1\n2"), .tag = tag}),
        frame_new(&(struct trigger){.data = BYTES("")})};
    struct frame *all = frame_join(topic, parts, 2);
    frame_unref(parts[0]);
    frame_unref(parts[1]);
    assert_text(bytes_run(all->bytes, all->size), "event: a\ndata: 1\ndata: 2\n\ndata: \n\n");
    assert_ptr_equal(all->topic, topic);
    assert_null(all->type);
    assert_ptr_equal(frame_tagged(all), all);
    assert_int_equal(frame_data(all).size + frame_id(all).size, 0);
    atom_unref(topic);
    atom_unref(tag);
    frame_unref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(fields_stand_in_order, tear_down),
        cmocka_unit_test_teardown(lines_are_split_at_every_kind_of_end, tear_down),
        cmocka_unit_test_teardown(data_of_one_line_stands_once, tear_down),
        cmocka_unit_test_teardown(names_and_ids_that_break_a_line_are_refused, tear_down),
        cmocka_unit_test_teardown(holds_its_own_references, tear_down),
        cmocka_unit_test_teardown(another_id_changes_nothing_else, tear_down),
        cmocka_unit_test_teardown(the_tag_goes_into_objects_only, tear_down),
        cmocka_unit_test_teardown(whatever_is_accepted_parses_back, tear_down),
        cmocka_unit_test_teardown(control_frames_dispatch_nothing, tear_down),
        cmocka_unit_test_teardown(a_megabyte_of_lines, tear_down),
        cmocka_unit_test_teardown(says_when_to_come_back_and_its_id, tear_down),
        cmocka_unit_test_teardown(meta_never_goes_on_the_wire, tear_down),
        cmocka_unit_test_teardown(several_go_out_as_one, tear_down),
        cmocka_unit_test(refuses_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
