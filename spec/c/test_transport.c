/* Wires over real sockets: heads, bytes as they come, back-pressure, ends; and a
 * link on top of it against a server that comes and goes. */
#include "peers/transport.h"

#include <time.h>

#include "http_peer.h"
#include "upstream/link.h"

#define STREAM "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static struct multi *multi;
static struct transport *transport;
static struct wire *wire;
static int descriptors;

/* What the wire told. */
static struct {
    bool head, any, end;
    int status, pieces;
    char type[64], code[32], sentence[256];
    int64_t retry_after_ms;
    struct buf bytes;
    size_t size;
} got;

static struct buf seen;
static bool close_in_head, close_in_bytes, count_only;
static int calls_on_stack; /* of ours into the transport: nothing may be told meanwhile */

static int begin(void **state)
{
    (void)state;
    memset(&got, 0, sizeof(got));
    close_in_head = close_in_bytes = count_only = false;
    loop = loop_new();
    descriptors = open_descriptors();
    server_start(&here);
    server_start(&there);
    multi = multi_new(loop, &(struct multi_options){.keep_alive = 0});
    transport = transport_new(multi);
    last_conn = NULL;
    wire = NULL;
    return 0;
}

static int end(void **state)
{
    if (wire) transport->close(transport, &wire);
    transport_free(transport);
    multi_free(multi);
    server_stop(&here);
    server_stop(&there);
    bool leaked = open_descriptors() != descriptors;
    loop_free(loop);
    buf_destroy(&got.bytes);
    buf_destroy(&seen);
    if (leaked) print_error("a descriptor is left\n");
    return leaked ? -1 : nothing_left(state);
}

static void on_head(void *owner, const struct wire_head *head)
{
    (void)owner;
    assert_int_equal(calls_on_stack, 0);
    assert_false(got.head || got.any || got.end);
    got.head = true;
    got.status = head->status;
    got.retry_after_ms = head->retry_after_ms;
    snprintf(got.type, sizeof(got.type), "%.*s", (int)head->content_type.size,
             head->content_type.data ? head->content_type.data : "");
    if (close_in_head) transport->close(transport, &wire);
}

static void on_bytes(void *owner, struct bytes bytes)
{
    (void)owner;
    assert_int_equal(calls_on_stack, 0);
    assert_true(got.head);
    assert_false(got.end);
    assert_true(bytes.size > 0);
    got.any = true;
    got.pieces++;
    got.size += bytes.size;
    if (!count_only) buf_add_bytes(&got.bytes, bytes);
    if (close_in_bytes) transport->close(transport, &wire);
}

static void on_end(void *owner, const char *code, const char *sentence)
{
    (void)owner;
    assert_int_equal(calls_on_stack, 0);
    assert_false(got.end);
    assert_null(wire);
    got.end = true;
    snprintf(got.code, sizeof(got.code), "%s", code ? code : "");
    snprintf(got.sentence, sizeof(got.sentence), "%s", sentence ? sentence : "");
}

static const struct wire_events wire_events = {on_head, on_bytes, on_end};

static void open_to(const char *url, uint64_t connect_timeout_ms)
{
    static const struct http_header headers[] = {{BYTES("accept"), BYTES("text/event-stream")},
                                                 {BYTES("last-event-id"), BYTES("42")},
                                                 {BYTES("authorization"), BYTES("Bearer t")}};
    const struct fetch_request request = {.method = BYTES("GET"),
                                          .url = bytes_of(url),
                                          .headers = headers,
                                          .header_count = COUNT(headers)};
    calls_on_stack++;
    transport->open(transport, &request, connect_timeout_ms, &wire_events, NULL, &wire);
    calls_on_stack--;
    assert_non_null(wire);
}

static void open_wire(void)
{
    open_to(url_of(&here, "/events"), 5000);
}

static void hold(bool held)
{
    calls_on_stack++;
    transport->pause(transport, wire, held);
    calls_on_stack--;
}

static void reply_stream(struct conn *conn)
{
    buf_add_bytes(&seen, buf_bytes(&conn->in));
    conn_send(conn, STREAM);
}

static void bytes_come_as_they_are_sent(void **state)
{
    (void)state;
    answer = reply_stream;
    open_wire();
    assert_true(wait_for(&got.head, 2000));
    assert_int_equal(got.status, 200);
    assert_string_equal(got.type, "text/event-stream");
    assert_int_equal(got.retry_after_ms, -1);
    assert_non_null(strstr(buf_text(&seen), "accept: text/event-stream\r\n"));
    assert_non_null(strstr(buf_text(&seen), "last-event-id: 42\r\n"));
    for (int i = 0; i < 3; i++) {
        got.any = false;
        conn_send(last_conn, "data: x\n\n");
        assert_true(wait_for(&got.any, 2000));
    }
    assert_text(buf_bytes(&got.bytes), "data: x\n\ndata: x\n\ndata: x\n\n");
    assert_int_equal(got.pieces, 3);
    conn_end(last_conn);
    assert_true(wait_for(&got.end, 2000));
    assert_string_equal(got.code, "");
}

static void reply_at_once_and_end(struct conn *conn)
{
    conn_send(conn, STREAM "data: a\n\n");
    conn_end(conn);
}

static void head_bytes_and_end_in_one_packet_are_told_in_order(void **state)
{
    (void)state;
    answer = reply_at_once_and_end;
    open_wire();
    assert_true(wait_for(&got.end, 2000));
    assert_true(got.head);
    assert_text(buf_bytes(&got.bytes), "data: a\n\n");
}

static const char *reply_text;

static void reply_with_text(struct conn *conn)
{
    conn_send(conn, reply_text);
    conn_end(conn);
}

static void heads_say_what_was_answered(void **state)
{
    (void)state;
    time_t soon = time(NULL) + 120;
    char dated[256], date[64];
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&soon));
    snprintf(dated, sizeof(dated), "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\n\r\n", date);
    const struct {
        const char *text;
        int status;
        const char *type;
        int64_t least_ms, most_ms;
    } heads[] = {
        {"HTTP/1.1 204 No\r\n\r\n", 204, "", -1, -1},
        {"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n", 429, "", 7000, 7000},
        {"HTTP/1.1 503 Busy\r\nretry-after: 0\r\n\r\n", 503, "", 0, 0},
        {"HTTP/1.1 503 Busy\r\nRetry-After: soon\r\n\r\n", 503, "", 0, 0},
        {"HTTP/1.1 503 Busy\r\nRetry-After: Fri, 01 Jan 1999 00:00:00 GMT\r\n\r\n", 503, "", 0, 0},
        {"HTTP/1.1 503 Busy\r\nRetry-After: 99999999999999999999\r\n\r\n", 503, "", 0, INT64_MAX},
        {dated, 503, "", 117000, 121000},
        {"HTTP/1.1 200 OK\r\nContent-Type:  text/html; x=y \r\n\r\n<p>", 200, "text/html; x=y", -1,
         -1},
        {"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 401 No\r\n\r\n", 401, "", -1, -1},
        {"HTTP/1.0 200 OK\r\n\r\n", 200, "", -1, -1}};
    answer = reply_with_text;
    for (size_t i = 0; i < COUNT(heads); i++) {
        got.head = got.any = got.end = false;
        reply_text = heads[i].text;
        open_wire();
        assert_true(wait_for(&got.end, 2000));
        assert_true(got.head);
        assert_int_equal(got.status, heads[i].status);
        assert_string_equal(got.type, heads[i].type);
        if (got.retry_after_ms < heads[i].least_ms || got.retry_after_ms > heads[i].most_ms)
            fail_msg("%s gave %lld", heads[i].text, (long long)got.retry_after_ms);
    }
}

static void reply_hints_first(struct conn *conn)
{
    conn_send(conn, "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n");
}

static void an_interim_head_is_not_the_answer_s(void **state)
{
    (void)state;
    answer = reply_hints_first;
    open_wire();
    turn_for(50);
    assert_false(got.head);
    conn_send(last_conn, STREAM);
    assert_true(wait_for(&got.head, 2000));
    assert_int_equal(got.status, 200);
}

static void cuts_are_told_as_errors(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "HTTP/1.1 200 OK\r\nContent-Ty",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: a",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "nonsense\r\n\r\n"};
    answer = reply_with_text;
    for (size_t i = 0; i < COUNT(texts); i++) {
        got.head = got.any = got.end = false;
        reply_text = texts[i];
        open_wire();
        assert_true(wait_for(&got.end, 2000));
        assert_string_equal(got.code, "network");
        assert_true(got.sentence[0]);
    }
}

static void no_wire_opens_where_none_can(void **state)
{
    (void)state;
    int port = there.port;
    server_stop(&there);
    char gone[64];
    snprintf(gone, sizeof(gone), "http://127.0.0.1:%d/", port);
    const char *const urls[] = {gone, "http://no-such-host.invalid/", "ftp://x/"};
    const char *const codes[] = {"refused", "resolve", "bad_url"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        got.end = false;
        open_to(urls[i], 5000);
        assert_true(wait_for(&got.end, 6000));
        assert_false(got.head);
        assert_string_equal(got.code, codes[i]);
    }
    server_start(&there);
}

static void reply_nothing(struct conn *conn)
{
    (void)conn;
}

static void the_time_to_the_head_is_bounded_not_the_stream_s(void **state)
{
    (void)state;
    answer = reply_nothing;
    open_to(url_of(&here, "/"), 50);
    assert_true(wait_for(&got.end, 2000));
    assert_string_equal(got.code, "timeout");
    got.end = false;
    answer = reply_stream;
    open_to(url_of(&here, "/"), 50);
    turn_for(150);
    assert_true(got.head);
    assert_false(got.end);
}

static void reply_redirect_there(struct conn *conn)
{
    buf_clear(&seen);
    buf_add_bytes(&seen, buf_bytes(&conn->in));
    if (conn->server == &there) {
        conn_send(conn, STREAM);
        return;
    }
    char headers[128];
    snprintf(headers, sizeof(headers), "Location: %s\r\n", url_of(&there, "/moved"));
    reply(conn, 307, headers, "");
}

static void a_redirect_keeps_the_place_but_no_credentials(void **state)
{
    (void)state;
    answer = reply_redirect_there;
    open_wire();
    assert_true(wait_for(&got.head, 2000));
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(buf_text(&seen), "GET /moved "));
    assert_non_null(strstr(buf_text(&seen), "last-event-id: 42\r\n"));
    assert_null(strcasestr(buf_text(&seen), "authorization"));
}

static void closing_says_nothing_more(void **state)
{
    (void)state;
    answer = reply_at_once_and_end;
    open_wire();
    transport->close(transport, &wire);
    assert_null(wire);
    turn_for(30);
    assert_false(got.head || got.any || got.end);

    close_in_head = true;
    open_wire();
    assert_true(wait_for(&got.head, 2000));
    turn_for(30);
    assert_false(got.any || got.end);

    got.head = close_in_head = false;
    close_in_bytes = true;
    open_wire();
    assert_true(wait_for(&got.any, 2000));
    turn_for(30);
    assert_false(got.end);
    assert_null(wire);
}

static size_t sent_bytes;

/* Sends until the socket takes no more. */
static void pour(struct conn *conn)
{
    static char lines[8192];
    if (!lines[0]) {
        memset(lines, ':', sizeof(lines));
        for (size_t i = 99; i < sizeof(lines); i += 100) lines[i] = '\n';
    }
    while (conn->out.size == 0 && sent_bytes < 64u << 20) {
        sent_bytes += sizeof(lines);
        conn_send_bytes(conn, lines, sizeof(lines));
    }
}

static void reply_flood(struct conn *conn)
{
    sent_bytes = 0;
    conn_send(conn, STREAM);
    pour(conn);
}

static void a_paused_wire_stops_the_peer_and_loses_nothing(void **state)
{
    (void)state;
    count_only = true;
    answer = reply_flood;
    open_wire();
    assert_true(wait_for(&got.any, 2000));
    hold(true);
    turn_for(50);
    size_t told = got.size;
    for (int i = 0; i < 20; i++) {
        turn_for(5);
        pour(last_conn);
    }
    assert_int_equal(got.size, told);     /* nothing while it is held */
    assert_true(last_conn->out.size > 0); /* and the peer's socket is full */
    size_t stuck = sent_bytes;
    assert_true(stuck < 32u << 20);
    hold(false);
    for (int i = 0; i < 20; i++) {
        turn_for(5);
        pour(last_conn);
    }
    assert_true(sent_bytes > stuck);
    for (int i = 0; i < 1000 && last_conn->out.size; i++) turn_for(2);
    conn_end(last_conn);
    assert_true(wait_for(&got.end, 5000));
    assert_string_equal(got.code, "");
    assert_int_equal(got.size, sent_bytes);
}

static void the_end_waits_behind_what_is_held_back(void **state)
{
    (void)state;
    answer = reply_at_once_and_end;
    open_wire();
    hold(true);
    turn_for(50);
    assert_true(got.head);
    assert_false(got.any || got.end);
    hold(false);
    assert_true(wait_for(&got.end, 2000));
    assert_text(buf_bytes(&got.bytes), "data: a\n\n");
}

/* A link over all of it: events, the upstream's death and return, the last id. */

static struct {
    int events, opened, reopened, lost, closed;
    bool any, back;
} told;

static struct link *link_;

static void on_ask(void *owner, bool second_opinion)
{
    (void)owner, (void)second_opinion;
    link_request(link_, bytes_of(url_of(&here, "/events")), NULL, 0);
}

static void on_ask_cancel(void *owner)
{
    (void)owner;
}

static void on_opened(void *owner, bool reopened)
{
    (void)owner;
    reopened ? told.reopened++ : told.opened++;
    told.back = reopened;
}

static void on_event(void *owner, const struct sse_event *event)
{
    (void)owner, (void)event;
    told.events++;
    told.any = true;
}

static void on_lost(void *owner, enum link_loss loss, int status, const char *detail,
                    int64_t delay_ms)
{
    (void)owner, (void)loss, (void)status, (void)detail, (void)delay_ms;
    told.lost++;
}

static void on_closed(void *owner)
{
    (void)owner;
    told.closed++;
    link_unref(link_);
}

static const struct link_events link_events = {on_ask,   on_ask_cancel, on_opened,
                                               on_event, on_lost,       on_closed};

static void a_link_survives_its_upstream(void **state)
{
    (void)state;
    memset(&told, 0, sizeof(told));
    struct gate gate;
    gate_create(&gate, loop_clock(loop), 1000, 10);
    const struct link_ports ports = {loop_clock(loop), loop_random(loop), loop_log(loop), transport,
                                     &gate};
    const struct link_policy policy = {.grace_ms = 20,
                                       .backoff_min_ms = 50,
                                       .backoff_max_ms = 100,
                                       .idle_ms = 5000,
                                       .connect_timeout_ms = 1000,
                                       .event_limit_bytes = 1000};
    loop_log(loop)->level = LOG_ERROR;
    link_ = link_new(&ports, &policy, BYTES("inbox"), BYTES("ann"), &link_events, NULL);
    answer = reply_stream;
    link_acquire(link_);
    for (int i = 0; i < 100 && !last_conn; i++) turn_for(10);
    conn_send(last_conn, "id: 7\ndata: a\n\n");
    assert_true(wait_for(&told.any, 2000));
    server_stop(&here);
    turn_for(200);
    assert_true(told.lost >= 2); /* the cut, and refusals since */
    buf_clear(&seen);
    server_start(&here); /* another port: `ask` is asked each time */
    assert_true(wait_for(&told.back, 3000));
    assert_non_null(strstr(buf_text(&seen), "last-event-id: 7\r\n"));
    link_release(link_);
    turn_for(100);
    assert_int_equal(told.closed, 1);
    assert_int_equal(told.opened, 1);
    gate_destroy(&gate);
}

/* Many wires, as the node has them: nothing is lost, and it is quick. */

enum { WIRES = 200, EVENTS = 50 };

static struct many {
    struct wire *wire;
    size_t size;
} many[WIRES];

static int heads, events_missing;

static void many_head(void *owner, const struct wire_head *head)
{
    (void)owner;
    assert_int_equal(head->status, 200);
    got.head = ++heads == WIRES;
}

static void many_bytes(void *owner, struct bytes bytes)
{
    struct many *one = owner;
    one->size += bytes.size;
    got.any = (events_missing -= (int)bytes.size / 9) == 0;
}

static void many_end(void *owner, const char *code, const char *sentence)
{
    (void)owner;
    fail_msg("%s: %s", code, sentence);
}

static void hundreds_of_wires_share_one_multi(void **state)
{
    (void)state;
    static const struct wire_events many_events = {many_head, many_bytes, many_end};
    answer = reply_stream;
    heads = 0;
    events_missing = WIRES * EVENTS;
    const struct fetch_request request = {.method = BYTES("GET"),
                                          .url = bytes_of(url_of(&here, "/"))};
    for (int i = 0; i < WIRES; i++) {
        many[i] = (struct many){NULL, 0};
        transport->open(transport, &request, 5000, &many_events, &many[i], &many[i].wire);
    }
    assert_true(wait_for(&got.head, 10000));
    for (int i = 0; i < EVENTS; i++) {
        LIST_EACH(node, &here.conns) conn_send(CONTAINER(node, struct conn, node), "data: x\n\n");
        loop_turn(loop, false);
    }
    assert_true(wait_for(&got.any, 5000));
    for (int i = 0; i < WIRES; i++) {
        assert_int_equal(many[i].size, 9 * EVENTS);
        transport->close(transport, &many[i].wire);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_come_as_they_are_sent),
        TEST(head_bytes_and_end_in_one_packet_are_told_in_order),
        TEST(heads_say_what_was_answered),
        TEST(an_interim_head_is_not_the_answer_s),
        TEST(cuts_are_told_as_errors),
        TEST(no_wire_opens_where_none_can),
        TEST(the_time_to_the_head_is_bounded_not_the_stream_s),
        TEST(a_redirect_keeps_the_place_but_no_credentials),
        TEST(closing_says_nothing_more),
        TEST(a_paused_wire_stops_the_peer_and_loses_nothing),
        TEST(the_end_waits_behind_what_is_held_back),
        TEST(a_link_survives_its_upstream),
        TEST(hundreds_of_wires_share_one_multi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
