/* What passes through the ports, as it is written down; and that it passes unchanged. */
#include "tape/taps.c"

#include "base/buf.h"
#include "base/check.h"
#include "event/frame.h"
#include "cursors.h"
#include "unit.h"

static struct clock at;
static struct taps taps;
static struct tape *tape;
static struct cursor_epoch epoch;

/* ---- the far sides: they keep what they were given ---- */

static struct exchange *handled; /* by the node */
static void handle(struct http_handler *handler, struct exchange *exchange)
{
    (void)handler;
    handled = exchange;
}

static struct buf said; /* "word argument" lines of what came out on either side */

static void say(const char *word, const char *more)
{
    buf_printf(&said, "%s%s%s\n", word, more ? " " : "", more ? more : "");
}

static void client_respond(struct exchange *exchange, const struct http_response *response)
{
    (void)exchange;
    buf_printf(&said, "respond %d\n", response->status);
}

static size_t sink_write(struct sink *sink, const struct iovec *pieces, int count)
{
    (void)sink, (void)pieces;
    buf_printf(&said, "write %d\n", count);
    return 3;
}

static void sink_close(struct sink *sink, const char *why)
{
    (void)sink;
    say("close", why);
}

static const struct sink_ops sink_ops = {sink_write, sink_close};
static struct sink client_sink;

static struct sink *client_stream(struct exchange *exchange, int status,
                                  const struct http_header *headers, size_t count)
{
    (void)exchange, (void)headers, (void)count;
    buf_printf(&said, "stream %d\n", status);
    client_sink = (struct sink){.ops = &sink_ops};
    return &client_sink;
}

static const struct exchange_ops client_ops = {client_respond, client_stream};

static fetch_done_f *fetch_done;
static void *fetch_owner;
static struct fetch_call *fetch_start(struct fetch *fetch, const struct fetch_request *request,
                                      fetch_done_f *done, void *owner)
{
    (void)fetch, (void)request;
    fetch_done = done;
    fetch_owner = owner;
    return (struct fetch_call *)&said;
}

static void fetch_cancel(struct fetch *fetch, struct fetch_call *call)
{
    (void)fetch;
    assert_ptr_equal(call, &said);
    say("cancelled", NULL);
}

static const struct wire_events *wire_events;
static void *wire_owner;
static struct wire **wire_slot;
static void wire_open(struct transport *transport, const struct fetch_request *request,
                      uint64_t connect_timeout_ms, const struct wire_events *events, void *owner,
                      struct wire **slot)
{
    (void)transport, (void)request, (void)connect_timeout_ms;
    wire_events = events;
    wire_owner = owner;
    wire_slot = slot;
    *slot = (struct wire *)&said;
}

static void wire_pause(struct transport *transport, struct wire *wire, bool paused)
{
    (void)transport;
    assert_ptr_equal(wire, &said);
    say("pause", paused ? "yes" : "no");
}

static void wire_close(struct transport *transport, struct wire **slot)
{
    (void)transport;
    assert_ptr_equal(*slot, &said);
    *slot = NULL;
    say("closed", NULL);
}

/* ---- the near sides ---- */

static void on_gone(void *owner) { say("gone", owner); }
static void on_writable(void *owner) { say("writable", owner); }
static void on_sink_gone(void *owner, const char *why) { say(owner, why); }
static const struct sink_events sink_owner = {on_writable, on_sink_gone};
static void on_done(void *owner, const struct fetch_answer *answer)
{
    buf_printf(&said, "%s %d\n", (char *)owner, answer->status);
}
static void on_head(void *owner, const struct wire_head *head)
{
    buf_printf(&said, "%s head %d\n", (char *)owner, head->status);
}
static void on_bytes(void *owner, struct bytes bytes)
{
    buf_printf(&said, "%s bytes %zu\n", (char *)owner, bytes.size);
}
static void on_end(void *owner, const char *code, const char *sentence)
{
    (void)sentence;
    buf_printf(&said, "%s end %s\n", (char *)owner, code ? code : "clean");
}
static const struct wire_events link_events = {on_head, on_bytes, on_end};

static bool find(void *ctx, const void *owner, struct tap_owner *found)
{
    assert_ptr_equal(ctx, &taps);
    *found = (struct tap_owner){BYTES("posta"), BYTES("inbox"), bytes_of(owner)};
    return true;
}

/* ---- the course of it ---- */

static void on_written(void *owner) { (void)owner; }

static struct fetch fetch = {fetch_start, fetch_cancel};
static struct transport transport = {wire_open, wire_pause, wire_close};
static struct http_handler node = {handle};

static void record(void)
{
    static const char *const names[] = {"csrf"};
    const struct tape_options options = {.clock = &at, .names = names, .name_count = 1, .secrets_max = 100, .most_bytes = 1 << 20,
                                         .written = on_written};
    tape = tape_new(&options);
    taps_set(&taps, tape);
}

static void stop(void)
{
    taps_set(&taps, NULL);
    tape_free(tape);
    tape = NULL;
}

static int begin(void **state)
{
    const struct hash_key key = {1, 2};
    (void)state;
    cursor_epoch_create(&epoch, 1, key, key);
    taps_create(&taps, &fetch, &transport, &epoch, find, &taps);
    taps_handle(&taps, &node);
    said = BUF_EMPTY;
    return 0;
}

static int end(void **state)
{
    if (tape) stop();
    buf_destroy(&said);
    return nothing_left(state);
}

static void heard(const char *want)
{
    assert_text(buf_bytes(&said), want);
    buf_clear(&said);
}

static void taped(const char *want)
{
    assert_text(tape_bytes(tape), want);
    tape_take(tape, tape_bytes(tape).size);
}

static struct exchange ask(const char *path)
{
    return (struct exchange){.ops = &client_ops, .request = {.method = BYTES("GET"), .path = bytes_of(path)}};
}

#define REQUEST(id, path)                                                                          \
    "{\"t\":0,\"what\":\"request\",\"id\":" id ",\"method\":\"GET\",\"path\":\"" path "\",\"headers\":[]}\n"

static void writes_a_request_and_its_answer(void **state)
{
    struct exchange client = ask("/a"), second = ask("/b");
    (void)state;
    record();
    taps.handler.handle(&taps.handler, &client);
    taped(REQUEST("1", "/a"));
    assert_text(handled->request.path, "/a");
    handled->ops->respond(handled, &(struct http_response){.status = 204});
    taped("{\"t\":0,\"what\":\"answer\",\"id\":1,\"status\":204}\n");
    heard("respond 204\n");
    taps.handler.handle(&taps.handler, &second);
    handled->gone = on_gone;
    handled->owner = (void *)"b";
    second.gone(second.owner);
    taped(REQUEST("2", "/b") "{\"t\":0,\"what\":\"gone\",\"id\":2}\n");
    heard("gone b\n");
}

static struct sink *begin_stream(struct exchange *client)
{
    taps.handler.handle(&taps.handler, client);
    struct sink *sink = handled->ops->stream(handled, 200, NULL, 0);
    sink->events = &sink_owner;
    sink->owner = (void *)"sub";
    return sink;
}

static void writes_a_stream_and_its_end_by_either_side(void **state)
{
    struct exchange client = ask("/s");
    const struct iovec piece = {(void *)"abc", 3};
    (void)state;
    record();
    struct sink *sink = begin_stream(&client);
    assert_int_equal(sink->ops->write(sink, &piece, 1), 3);
    client_sink.events->writable(client_sink.owner);
    client_sink.events->gone(client_sink.owner, "client");
    taped(REQUEST("1", "/s") "{\"t\":0,\"what\":\"stream\",\"id\":1,\"status\":200}\n"
          "{\"t\":0,\"what\":\"gone\",\"id\":1,\"why\":\"client\"}\n");
    heard("stream 200\nwrite 1\nwritable sub\nsub client\n");
    sink = begin_stream(&client);
    tape_take(tape, tape_bytes(tape).size);
    sink->ops->close(sink, "drain");
    taped("{\"t\":0,\"what\":\"end\",\"id\":2,\"why\":\"drain\"}\n");
    heard("stream 200\nclose drain\n");
}

static void writes_nothing_while_nothing_is_recorded(void **state)
{
    struct exchange client = ask("/s");
    (void)state;
    taps.handler.handle(&taps.handler, &client);
    assert_text(handled->request.path, "/s");
    record();
    handled->ops->respond(handled, &(struct http_response){.status = 204});
    taped("");
    heard("respond 204\n");
}

/* Of a stream that began in another recording, or in none. */
static void writes_nothing_of_a_stream_from_before(void **state)
{
    struct exchange client = ask("/s");
    (void)state;
    begin_stream(&client);
    record();
    client_sink.events->gone(client_sink.owner, "client");
    taped("");
    heard("stream 200\nsub client\n");
    struct sink *sink = begin_stream(&client);
    stop();
    record();
    sink->ops->close(sink, "drain");
    taped("");
    heard("stream 200\nclose drain\n");
}

static void goes_on_with_a_stream_that_is_noted(void **state)
{
    struct exchange client = ask("/s");
    const struct bytes topics[] = {BYTES("user:ann"), BYTES("news")};
    const struct tap_stream noted = {.app = BYTES("posta"), .name = BYTES("events"), .path = BYTES("/s"),
                                     .query = BYTES("csrf=abcdefgh"), .user = BYTES("ann"), .tag = BYTES("tab"),
                                     .data = BYTES("{\"a\":[{\"csrf\":\"qrstuvwx\"}]}"),
                                     .topics = topics, .topic_count = 2};
    const struct tap_stream bare = {.app = BYTES("posta"), .name = BYTES("events"), .path = BYTES("/s")};
    (void)state;
    client.request.listener = BYTES("main");
    struct sink *sink = begin_stream(&client);
    assert_false(taps_note_stream(&taps, sink, &noted));
    record();
    assert_true(taps_note_stream(&taps, sink, &noted));
    assert_false(taps_note_stream(&taps, sink, &noted));
    taped("{\"t\":0,\"what\":\"stream\",\"id\":1,\"status\":200,\"before\":true,\"app\":\"posta\","
          "\"stream\":\"events\",\"path\":\"/s\",\"query\":\"csrf=secret-1\",\"listener\":\"main\",\"user\":\"ann\","
          "\"tag\":\"tab\",\"data\":\"{\\\"a\\\":[{\\\"csrf\\\":\\\"secret-2\\\"}]}\",\"topics\":[\"user:ann\",\"news\"]}\n");
    stop();
    record();
    assert_true(taps_note_stream(&taps, sink, &bare));
    taped("{\"t\":0,\"what\":\"stream\",\"id\":1,\"status\":200,\"before\":true,\"app\":\"posta\","
          "\"stream\":\"events\",\"path\":\"/s\",\"listener\":\"main\",\"topics\":[]}\n");
    client_sink.events->gone(client_sink.owner, "client");
    taped("{\"t\":0,\"what\":\"gone\",\"id\":1,\"why\":\"client\"}\n");
    heard("stream 200\nsub client\n");
}

static void writes_what_rules_ask_and_are_answered(void **state)
{
    const struct http_header header = {BYTES("authorization"), BYTES("Bearer abcdefgh")};
    const struct fetch_request request = {.method = BYTES("POST"), .url = BYTES("http://h/x"),
                                          .headers = &header, .header_count = 1, .body = BYTES("[1]")};
    const struct fetch_answer answer = {.status = 200, .body = BYTES("is abcdefgh")};
    const struct fetch_answer failure = {.code = "refused", .sentence = "no abcdefgh"};
    (void)state;
    struct fetch_call *call = taps.fetch.start(&taps.fetch, &request, on_done, (void *)"zero");
    record();
    fetch_done(fetch_owner, &answer);
    taped("");
    call = taps.fetch.start(&taps.fetch, &request, on_done, (void *)"one");
    taped("{\"t\":0,\"what\":\"fetch\",\"id\":1,\"method\":\"POST\",\"url\":\"http://h/x\","
          "\"headers\":[[\"authorization\",\"Bearer secret-1\"]],\"body\":\"[1]\"}\n");
    at.now_ms += 5;
    fetch_done(fetch_owner, &answer);
    taped("{\"t\":5,\"what\":\"fetched\",\"id\":1,\"status\":200,\"headers\":[],\"body\":\"is secret-1\"}\n");
    taps.fetch.start(&taps.fetch, &request, on_done, (void *)"two");
    tape_take(tape, tape_bytes(tape).size);
    fetch_done(fetch_owner, &failure);
    taped("{\"t\":5,\"what\":\"fetched\",\"id\":2,\"code\":\"refused\",\"sentence\":\"no secret-1\"}\n");
    call = taps.fetch.start(&taps.fetch, &request, on_done, (void *)"three");
    tape_take(tape, tape_bytes(tape).size);
    taps.fetch.cancel(&taps.fetch, call);
    taped("{\"t\":5,\"what\":\"dropped\",\"id\":3}\n");
    heard("zero 200\none 200\ntwo 0\ncancelled\n");
}

static struct wire *link_wire;

static void open_wire(void)
{
    const struct fetch_request request = {.method = BYTES("GET"), .url = BYTES("http://h/e")};
    taps.transport.open(&taps.transport, &request, 1000, &link_events, (void *)"ann", &link_wire);
    assert_non_null(link_wire);
}

static void bring(const char *bytes) { wire_events->bytes(wire_owner, bytes_of(bytes)); }

static void begin_wire(void)
{
    const struct wire_head head = {.status = 200, .content_type = BYTES("text/event-stream"), .retry_after_ms = -1};
    open_wire();
    wire_events->head(wire_owner, &head);
}

static void writes_a_wires_events_and_signs_of_life(void **state)
{
    (void)state;
    record();
    begin_wire();
    taped("{\"t\":0,\"what\":\"wire\",\"id\":1,\"app\":\"posta\",\"upstream\":\"inbox\",\"key\":\"ann\","
          "\"url\":\"http://h/e\",\"headers\":[]}\n"
          "{\"t\":0,\"what\":\"head\",\"id\":1,\"status\":200,\"type\":\"text/event-stream\"}\n");
    bring("id: 7\nevent: note\nda");
    taped("{\"t\":0,\"what\":\"alive\",\"id\":1}\n");
    bring("ta: one\n\nretry: 50\n\n");
    taped("{\"t\":0,\"what\":\"event\",\"id\":1,\"type\":\"note\",\"data\":\"one\",\"event_id\":\"7\"}\n"
          "{\"t\":0,\"what\":\"retry\",\"id\":1,\"ms\":50}\n");
    taps.transport.pause(&taps.transport, link_wire, true);
    *wire_slot = NULL;
    wire_events->end(wire_owner, "network", "reset");
    assert_null(link_wire);
    taped("{\"t\":0,\"what\":\"cut\",\"id\":1,\"code\":\"network\",\"sentence\":\"reset\"}\n");
    open_wire();
    tape_take(tape, tape_bytes(tape).size);
    taps.transport.close(&taps.transport, &link_wire);
    assert_null(link_wire);
    taped("{\"t\":0,\"what\":\"closed\",\"id\":2}\n");
    heard("ann head 200\nann bytes 20\nann bytes 20\npause yes\nann end network\nclosed\n");
}

static void goes_on_with_wires_that_are_open(void **state)
{
    (void)state;
    begin_wire();
    bring("data: before\n\n:\n");
    record();
    taped("{\"t\":0,\"what\":\"wire\",\"id\":1,\"app\":\"posta\",\"upstream\":\"inbox\",\"key\":\"ann\","
          "\"url\":\"http://h/e\",\"before\":true}\n"
          "{\"t\":0,\"what\":\"head\",\"id\":1,\"status\":200,\"type\":\"text/event-stream\"}\n");
    bring("data: since\n\n");
    taped("{\"t\":0,\"what\":\"event\",\"id\":1,\"type\":\"message\",\"data\":\"since\"}\n");
    stop();
    bring("data: half\n");
    record();
    tape_take(tape, tape_bytes(tape).size);
    bring("data: other half\n\ndata: whole\n\n");
    taped("{\"t\":0,\"what\":\"event\",\"id\":1,\"type\":\"message\",\"data\":\"whole\"}\n");
    taps.transport.close(&taps.transport, &link_wire);
}

static void writes_triggers(void **state)
{
    (void)state;
    struct trigger trigger = {.topic = atom_of("t"), .type = atom_of("note"), .name = BYTES("note"),
                              .data = BYTES("d"), .user = atom_of("ann"), .tag = atom_of("tab"),
                              .position = 3,
                              .place = 3};
    struct frame *frame = frame_new(&trigger);
    const struct placing placing = {.frame = frame, .topic = trigger.topic, .position = 3};
    const struct emission emission = {.type = trigger.type, .data = trigger.data};
    char cursor[CURSOR_SIZE + 1] = "", want[256];
    write_cursor(&epoch, 3, cursor);
    taps.journal.placed(&taps.journal, &placing, &emission);
    record();
    taps.journal.placed(&taps.journal, &placing, &emission);
    snprintf(want, sizeof(want), "{\"t\":0,\"what\":\"trigger\",\"topic\":\"t\",\"type\":\"note\",\"data\":\"d\","
             "\"user\":\"ann\",\"tag\":\"tab\",\"cursor\":\"%s\"}\n", cursor);
    taped(want);
    frame_unref(frame);
    atom_unref(trigger.topic);
    atom_unref(trigger.type);
    atom_unref(trigger.user);
    atom_unref(trigger.tag);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_a_request_and_its_answer),
        TEST(writes_a_stream_and_its_end_by_either_side),
        TEST(writes_nothing_while_nothing_is_recorded),
        TEST(writes_nothing_of_a_stream_from_before),
        TEST(goes_on_with_a_stream_that_is_noted),
        TEST(writes_what_rules_ask_and_are_answered),
        TEST(writes_a_wires_events_and_signs_of_life),
        TEST(goes_on_with_wires_that_are_open),
        TEST(writes_triggers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
