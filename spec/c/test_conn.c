/* Connections over socketpairs with the real loop: one request after another, streams, time-outs,
 * and every way to end. */
#include "http/conn.c"

#include "http_world.h"

#include "http_requests.h"

/* -- requests -------------------------------------------------------------- */

static void samples_on_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *sample = &samples[i];
        bool closed;
        int fd = client_new();
        world.handled = 0;
        const char *answer = ask(fd, sample->request, &closed);
        if (status_of(answer) != (sample->status ? sample->status : 200))
            fail_msg("\"%s\": got %s", sample->what, answer);
        assert_int_equal(world.handled, sample->status ? 0 : 1);
        if (sample->status) {
            assert_true(closed);
            assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
            assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
            assert_memory_equal(body_of(answer), "{\"error\":{\"code\":\"", 18);
        } else {
            assert_string_equal(body_of(answer), sample->seen);
        }
        close(fd);
        turns();
    }
    assert_int_equal(http_counters(world.http)->open, 0);
}

static void samples_cut_on_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i += 3) {
        size_t size = strlen(samples[i].request);
        for (size_t cut = 1; cut < size; cut += 5) {
            bool closed;
            int fd = client_new();
            client_send(fd, samples[i].request, cut);
            turns();
            ssize_t sent = send(fd, samples[i].request + cut, size - cut, MSG_NOSIGNAL);
            assert_true(sent > 0 || samples[i].status);
            const char *answer = client_read(fd, &closed).data;
            assert_int_equal(status_of(answer), samples[i].status ? samples[i].status : 200);
            close(fd);
        }
    }
}

static void an_answer_is_framed(void **state)
{
    (void)state;
    int fd = client_new();
    const char *answer = ask(fd, "GET /a HTTP/1.1\r\n" H "\r\n", NULL);
    char date[32] = "";
    assert_int_equal(sscanf(answer, "HTTP/1.1 200 OK\r\nDate: %31[^\r]", date), 1);
    int64_t seconds = date_read(bytes_of(date));
    assert_true(seconds >= time(NULL) - 2 && seconds <= time(NULL));
    assert_string_equal(strstr(answer, "GMT") + 3, "\r\nContent-Type: text/plain\r\n"
                                                   "Content-Length: 10\r\n\r\nGET /a? []");
    close(fd);
}

static void head_has_the_length_and_no_body(void **state)
{
    (void)state;
    int fd = client_new();
    const char *answer = ask(fd, "HEAD /a HTTP/1.1\r\n" H "\r\n", NULL);
    assert_non_null(strstr(answer, "\r\nContent-Length: 11\r\n"));
    assert_string_equal(body_of(answer), "");
    answer = ask(fd, "GET /b HTTP/1.1\r\n" H "\r\n", NULL);
    assert_string_equal(body_of(answer), "GET /b? []");
    close(fd);
}

static void no_content_has_no_length(void **state)
{
    (void)state;
    int fd = client_new();
    const char *answer = ask(fd, "GET /empty HTTP/1.1\r\n" H "\r\n", NULL);
    assert_int_equal(status_of(answer), 204);
    assert_null(strstr(answer, "Content-Length"));
    close(fd);
}

static void http10_closes_after_its_answer(void **state)
{
    (void)state;
    bool closed;
    int fd = client_new();
    const char *answer = ask(fd, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &closed);
    assert_string_equal(body_of(answer), "GET /a? []");
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    assert_true(closed);
    close(fd);
}

static void the_handler_may_end_the_connection(void **state)
{
    (void)state;
    bool closed;
    int fd = client_new();
    assert_string_equal(body_of(ask(fd, "GET /last HTTP/1.1\r\n" H "\r\n", &closed)), "bye");
    assert_true(closed);
    close(fd);
}

static void a_header_with_a_line_break_never_leaves(void **state)
{
    (void)state;
    int fd = client_new();
    struct logger *logger = logger_of(loop_log(world.loop));
    logger->fd = open("/dev/null", O_WRONLY);
    const char *answer = ask(fd, "GET /broken HTTP/1.1\r\n" H "\r\n", NULL);
    assert_int_equal(status_of(answer), 500);
    assert_null(strstr(answer, "Set-Cookie"));
    assert_int_equal(logger->errors, 1);
    close(logger->fd);
    close(fd);
}

static void continue_is_sent_once_and_only_when_asked(void **state)
{
    (void)state;
    int fd = client_new();
    const char *head = "POST /p HTTP/1.1\r\n" H "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    assert_string_equal(ask(fd, head, NULL), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_string_equal(ask(fd, "ab", NULL), "");
    assert_string_equal(body_of(ask(fd, "cd", NULL)), "POST /p? [abcd]");
    assert_string_equal(ask(fd, head, NULL), "HTTP/1.1 100 Continue\r\n\r\n");
    close(fd);
}

/* -- pipelining ------------------------------------------------------------ */

static void requests_sent_ahead_are_answered_in_order(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    struct buf all = BUF_EMPTY;
    for (int i = 0; i < 50; i++)
        buf_printf(&all, "POST /%d HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nxy", i);
    client_send(fd, all.data, all.size);
    const char *answers = client_read(fd, &closed).data;
    for (int i = 0; i < 50; i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "POST /%d? [xy]", i);
        answers = strstr(answers, expected);
        assert_non_null(answers);
    }
    assert_int_equal(world.handled, 50);
    assert_false(closed);
    buf_destroy(&all);
    close(fd);
}

static void one_request_is_handled_at_a_time(void **state)
{
    (void)state;
    int fd = client_new();
    assert_string_equal(ask(fd,
                            "GET /later HTTP/1.1\r\n" H "\r\nGET /later HTTP/1.1\r\n" H "\r\n"
                            "GET /b HTTP/1.1\r\n" H "\r\n",
                            NULL),
                        "");
    assert_int_equal(world.handled, 1);
    uint64_t read = http_counters(world.http)->bytes_in;
    ask(fd, "GET /c HTTP/1.1\r\n", NULL);
    assert_int_equal(http_counters(world.http)->bytes_in, read);
    answer_text(world.parked, 200, BYTES("one"));
    assert_int_equal(world.handled, 1); /* not from within respond */
    bool closed;
    assert_string_equal(body_of(client_read(fd, &closed).data), "one");
    assert_int_equal(world.handled, 2);
    answer_text(world.parked, 200, BYTES("two"));
    const char *rest = client_read(fd, &closed).data;
    assert_non_null(strstr(rest, "\r\n\r\ntwoHTTP/1.1 200 OK"));
    assert_non_null(strstr(rest, "GET /b? []"));
    close(fd);
}

static void what_comes_while_a_handler_works_waits(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    ask(fd, "GET /b HTTP/1.1\r\n", NULL);
    ask(fd, H "\r\n", NULL);
    assert_int_equal(world.handled, 1);
    answer_text(world.parked, 200, BYTES("one"));
    const char *answers = client_read(fd, &closed).data;
    assert_non_null(strstr(answers, "oneHTTP/1.1 200 OK"));
    assert_non_null(strstr(answers, "GET /b? []"));
    close(fd);
}

static void reading_stops_while_a_handler_works(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    static char filler[64 * 1024];
    memset(filler, '\r', sizeof(filler));
    size_t sent = 0;
    for (int i = 0; i < 100; i++) {
        ssize_t got = send(fd, filler, sizeof(filler), MSG_NOSIGNAL);
        if (got > 0) sent += (size_t)got;
        turns();
    }
    assert_true(sent < 1024 * 1024); /* the socket is full, and stays so */
    assert_true(http_counters(world.http)->bytes_in <= 2 * HTTP_INPUT_BYTES);
    answer_text(world.parked, 200, BYTES("one"));
    const char *answers = client_read(fd, &closed).data;
    assert_non_null(strstr(answers, "\r\n\r\noneHTTP/1.1 400"));
    assert_true(closed);
    close(fd);
}

static void a_large_answer_goes_out_piece_by_piece(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    client_say(fd, "GET /large HTTP/1.1\r\n" H "\r\nGET /b HTTP/1.1\r\n" H "\r\n");
    struct bytes all = client_read(fd, &closed);
    assert_true(all.size > 1024 * 1024);
    assert_int_equal(strspn(body_of(all.data), "x"), 1024 * 1024);
    assert_non_null(strstr(all.data, "xHTTP/1.1 200 OK"));
    assert_non_null(strstr(all.data, "GET /b? []"));
    close(fd);
}

/* -- the other side goes away ---------------------------------------------- */

static void the_handler_is_told_that_nobody_waits(void **state)
{
    (void)state;
    int fd = client_new();
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    assert_non_null(world.parked);
    close(fd);
    turns();
    assert_int_equal(world.gone, 1);
    assert_int_equal(http_counters(world.http)->open, 0);
}

static void an_answer_to_nobody_is_dropped(void **state)
{
    (void)state;
    int fd = client_new();
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    struct exchange *exchange = world.parked;
    conn_close(CONTAINER(exchange, struct request, exchange)->conn, "test");
    answer_text(exchange, 200, BYTES("x"));
    turns();
    assert_int_equal(world.gone, 0); /* it answered, so nothing is to be told */
    close(fd);
}

static void a_stream_to_nobody_ends(void **state)
{
    (void)state;
    int fd = client_new();
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    struct exchange *exchange = world.parked;
    conn_close(CONTAINER(exchange, struct request, exchange)->conn, "test");
    begin_stream(exchange);
    struct iovec piece = {(void *)"x", 1};
    assert_int_equal(world.sink->ops->write(world.sink, &piece, 1), 0);
    turns();
    assert_int_equal(world.gone, 1);
    close(fd);
}

static void closing_twice_is_closing_once(void **state)
{
    (void)state;
    int fd = client_new();
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    struct conn *conn = CONTAINER(world.parked, struct request, exchange)->conn;
    conn_close(conn, "test");
    conn_close(conn, "again");
    assert_int_equal(http_counters(world.http)->open, 0);
    turns();
    assert_int_equal(world.gone, 1);
    close(fd);
}

static void a_client_that_closes_in_mid_request_leaves_nothing(void **state)
{
    (void)state;
    static const char request[] = POST("5") "hello";
    for (size_t cut = 0; cut < sizeof(request) - 1; cut++) {
        int fd = client_new();
        client_send(fd, request, cut);
        turns();
        close(fd);
        turns();
        assert_int_equal(http_counters(world.http)->open, 0);
    }
    assert_int_equal(world.handled, 0);
}

/* -- time ------------------------------------------------------------------ */

static struct http_limits hasty(void)
{
    struct http_limits limits = test_limits();
    limits.head_timeout_ms = limits.body_timeout_ms = 30;
    limits.keepalive_timeout_ms = limits.stall_timeout_ms = 30;
    return limits;
}

static int hasty_set_up(void **state)
{
    (void)state;
    struct http_limits limits = hasty();
    world_open(&limits);
    return 0;
}

/* Runs the loop until the client's end is closed; returns what came. */
static const char *wait_closed(int fd)
{
    static char text[1024];
    size_t size = 0;
    for (int i = 0; i < 1000; i++) {
        loop_turn(world.loop, false);
        usleep(2000);
        ssize_t got = recv(fd, text + size, sizeof(text) - 1 - size, 0);
        if (got > 0) size += (size_t)got;
        if (got == 0) break;
    }
    text[size] = '\0';
    return text;
}

static void a_silent_connection_is_closed_silently(void **state)
{
    (void)state;
    int fd = client_new();
    assert_string_equal(wait_closed(fd), "");
    close(fd);
    fd = client_new();
    ask(fd, "GET / HTTP/1.1\r\n" H "\r\n", NULL);
    assert_string_equal(wait_closed(fd), "");
    assert_int_equal(http_counters(world.http)->open, 0);
    assert_int_equal(http_counters(world.http)->refused[HTTP_REFUSED_TIMEOUT], 0);
    close(fd);
}

static void a_slow_head_and_a_slow_body_are_408(void **state)
{
    (void)state;
    int fd = client_new();
    client_say(fd, "GET / H");
    assert_int_equal(status_of(wait_closed(fd)), 408);
    close(fd);
    fd = client_new();
    client_say(fd, POST("5") "hel");
    assert_int_equal(status_of(wait_closed(fd)), 408);
    close(fd);
    assert_int_equal(http_counters(world.http)->refused[HTTP_REFUSED_TIMEOUT], 2);
}

/* Drips a byte at a time, each well within the time-out. */
static void dripping_does_not_prolong_it(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed = false;
    int status = 0;
    for (int i = 0; i < 100 && !closed; i++) {
        send(fd, "x", 1, MSG_NOSIGNAL);
        usleep(5000);
        struct bytes answer = client_read(fd, &closed);
        if (answer.size) status = status_of(answer.data);
    }
    assert_int_equal(status, 408);
    close(fd);
}

static void a_handler_has_all_the_time_it_needs(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    for (int i = 0; i < 30; i++) {
        usleep(3000);
        turns();
    }
    assert_non_null(world.parked);
    answer_text(world.parked, 200, BYTES("late"));
    assert_string_equal(body_of(client_read(fd, &closed).data), "late");
    close(fd);
}

static void a_client_that_does_not_read_its_answer_is_closed(void **state)
{
    (void)state;
    int fd = client_new();
    client_say(fd, "GET /large HTTP/1.1\r\n" H "\r\n");
    turns();
    assert_int_equal(http_counters(world.http)->open, 1);
    for (int i = 0; i < 500 && http_counters(world.http)->open; i++) {
        usleep(2000);
        turns();
    }
    assert_int_equal(http_counters(world.http)->open, 0);
    close(fd);
}

/* -- refusals -------------------------------------------------------------- */

static void what_follows_a_refused_request_is_read_to_its_end(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    static char body[100000];
    assert_int_equal(status_of(ask(fd, POST("100000"), &closed)), 413);
    assert_true(closed);                                  /* no more answers... */
    assert_int_equal(http_counters(world.http)->open, 1); /* ... but it is read */
    assert_true(send(fd, body, sizeof(body), MSG_NOSIGNAL) > 0);
    turns();
    assert_int_equal(http_counters(world.http)->open, 1);
    close(fd);
    turns();
    assert_int_equal(http_counters(world.http)->open, 0);
    assert_int_equal(http_counters(world.http)->refused[HTTP_REFUSED_BODY], 1);
}

static void but_not_for_ever(void **state)
{
    (void)state;
    int fd = client_new();
    static char body[100000];
    ask(fd, POST("100000"), NULL);
    size_t sent = 0;
    for (int i = 0; i < 100 && http_counters(world.http)->open; i++) {
        ssize_t got = send(fd, body, sizeof(body), MSG_NOSIGNAL);
        if (got > 0) sent += (size_t)got;
        turns();
    }
    assert_int_equal(http_counters(world.http)->open, 0);
    assert_true(sent > 1000000 && sent < 2000000);
    close(fd);
}

static void refusals_are_counted_by_reason(void **state)
{
    (void)state;
    static char large[2000];
    memset(large, 'a', sizeof(large) - 1);
    const struct http_counters *counters = http_counters(world.http);
    int fd = client_new();
    ask(fd, "GET / HTTP/9.9\r\n" H "\r\n", NULL);
    close(fd);
    fd = client_new();
    ask(fd, large, NULL);
    close(fd);
    turns();
    assert_int_equal(counters->refused[HTTP_REFUSED_MALFORMED], 1);
    assert_int_equal(counters->refused[HTTP_REFUSED_HEAD], 1);
    assert_int_equal(counters->responses[4], 1);
    assert_int_equal(counters->responses[5], 1);
    assert_int_equal(counters->requests, 0);
}

/* -- streams --------------------------------------------------------------- */

static size_t write_text(const char *text)
{
    struct iovec piece = {(void *)text, strlen(text)};
    return world.sink->ops->write(world.sink, &piece, 1);
}

static void the_head_leaves_with_the_first_write(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    char text[1024];
    client_say(fd, "GET /stream HTTP/1.1\r\n" H "\r\n");
    loop_turn(world.loop, false);
    int other = client_new(); /* parked, then begun and written to within one turn */
    ask(other, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    begin_stream(world.parked);
    assert_int_equal(recv(other, text, sizeof(text), 0), -1);
    struct iovec pieces[] = {{(void *)"ab", 2}, {(void *)"c", 1}};
    assert_int_equal(world.sink->ops->write(world.sink, pieces, 2), 3);
    ssize_t got = recv(other, text, sizeof(text) - 1, 0);
    assert_true(got > 0);
    text[got] = '\0';
    assert_string_equal(body_of(text), "abc");
    assert_non_null(strstr(text, "\r\nConnection: close\r\n\r\n"));
    assert_null(strstr(text, "Content-Length"));
    assert_null(strstr(text, "Transfer-Encoding"));
    const char *head = client_read(fd, &closed).data; /* the first one's left alone */
    assert_int_equal(status_of(head), 200);
    assert_string_equal(body_of(head), "");
    assert_false(closed);
    close(fd);
    close(other);
}

static struct {
    struct job job;
    int fd;
    bool alone; /* the head had gone by itself */
} writer;

static void write_at_the_end(struct job *job)
{
    char text[16];
    (void)job;
    writer.alone = recv(writer.fd, text, sizeof(text), MSG_PEEK) > 0;
    write_text("abc");
}

static void the_head_leaves_with_what_is_written_at_the_end_of_the_turn(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    begin_stream(world.parked);
    job_create(&writer.job, write_at_the_end);
    writer.fd = fd;
    later_post(loop_later(world.loop), LATER_LAST, &writer.job);
    turns();
    assert_false(writer.alone);
    assert_string_equal(body_of(client_read(fd, &closed).data), "abc");
    close(fd);
}

static void a_stream_gives_its_request_back(void **state)
{
    (void)state;
    int fd = client_new();
    ask(fd, "GET /stream HTTP/1.1\r\n" H "\r\nGET /ignored HTTP/1.1\r\n", NULL);
    assert_int_equal(world.http->spare_count, 1);
    assert_int_equal(world.handled, 1);
    assert_int_equal(http_counters(world.http)->streams, 1);
    int other = client_new();
    assert_int_equal(world.http->spare_count, 0);
    assert_string_equal(body_of(ask(other, "GET /a HTTP/1.1\r\n" H "\r\n", NULL)), "GET /a? []");
    close(fd);
    close(other);
}

static void the_end_of_file_ends_a_stream(void **state)
{
    (void)state;
    int fd = client_new();
    ask(fd, "GET /stream HTTP/1.1\r\n" H "\r\n", NULL);
    close(fd);
    turns();
    assert_int_equal(world.gone, 1);
    assert_string_equal(world.why, "client");
    assert_int_equal(http_counters(world.http)->streams, 0);
}

static void a_broken_socket_takes_nothing_and_says_so_later(void **state)
{
    (void)state;
    int fd = client_new();
    ask(fd, "GET /stream HTTP/1.1\r\n" H "\r\n", NULL);
    close(fd);
    assert_int_equal(write_text("x"), 0);
    assert_int_equal(world.gone, 0);
    assert_int_equal(write_text("x"), 0);
    turns();
    assert_int_equal(world.gone, 1);
    assert_string_equal(world.why, "reset");
}

/* What is kept of a request for the next connection knows nothing of who answered the last one. */
static void a_stream_that_waited_leaves_nothing_to_the_next_connection(void **state)
{
    (void)state;
    int fd = client_new();
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    begin_stream(world.parked);
    turns();
    int other = client_new();
    client_say(other, "GET / HT");
    turns();
    close(other);
    turns();
    assert_int_equal(world.gone, 0);
    close(fd);
    turns();
    assert_int_equal(world.gone, 1);
}

static void an_owner_that_closes_hears_nothing_more(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    ask(fd, "GET /stream HTTP/1.1\r\n" H "\r\n", NULL);
    assert_int_equal(write_text("end"), 3);
    world.sink->ops->close(world.sink, "test");
    assert_string_equal(client_read(fd, &closed).data, "end");
    assert_true(closed);
    close(fd);

    fd = client_new();
    ask(fd, "GET /stream HTTP/1.1\r\n" H "\r\n", NULL);
    close(fd);
    assert_int_equal(write_text("x"), 0);
    world.sink->ops->close(world.sink, "test");
    turns();
    assert_int_equal(world.gone, 0);
}

static void a_head_without_a_write_is_not_lost_on_close(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    ask(fd, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    begin_stream(world.parked);
    world.sink->ops->close(world.sink, "test");
    assert_int_equal(status_of(client_read(fd, &closed).data), 200);
    assert_true(closed);
    close(fd);
}

static void a_full_socket_says_when_it_can_take_more(void **state)
{
    (void)state;
    static char block[64 * 1024];
    memset(block, 'y', sizeof(block));
    int fd = client_new();
    bool closed;
    ask(fd, "GET /stream HTTP/1.1\r\n" H "\r\n", NULL);
    struct iovec piece = {block, sizeof(block)};
    size_t taken = 0, last;
    do taken += last = world.sink->ops->write(world.sink, &piece, 1);
    while (last == sizeof(block));
    turns();
    assert_int_equal(world.writable, 0);
    assert_int_equal(world.sink->ops->write(world.sink, &piece, 1), 0);
    assert_int_equal(client_read(fd, &closed).size, taken);
    assert_int_equal(world.writable, 1);
    turns();
    assert_int_equal(world.writable, 1); /* once */
    assert_int_equal(write_text("z"), 1);
    assert_string_equal(client_read(fd, &closed).data, "z");
    close(fd);
}

static void more_pieces_than_a_call_takes_come_back(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    ask(fd, "GET /stream HTTP/1.1\r\n" H "\r\n", NULL);
    static struct iovec pieces[1500];
    for (int i = 0; i < 1500; i++) pieces[i] = (struct iovec){(void *)"p", 1};
    assert_int_equal(world.sink->ops->write(world.sink, pieces, 1500), 1024);
    turns();
    assert_int_equal(world.writable, 1);
    assert_int_equal(world.sink->ops->write(world.sink, pieces, 476), 476);
    assert_int_equal(client_read(fd, &closed).size, 1500);
    close(fd);
}

static void what_a_client_says_on_a_stream_is_ignored_up_to_a_bound(void **state)
{
    (void)state;
    static char chatter[48 * 1024];
    int fd = client_new();
    ask(fd, "GET /stream HTTP/1.1\r\n" H "\r\n", NULL);
    client_send(fd, chatter, sizeof(chatter));
    turns();
    assert_int_equal(world.gone, 0);
    client_send(fd, chatter, sizeof(chatter));
    turns();
    assert_int_equal(world.gone, 1);
    assert_string_equal(world.why, "chatter");
    close(fd);
}

static void head_of_a_stream_is_its_head_alone(void **state)
{
    (void)state;
    int fd = client_new();
    bool closed;
    ask(fd, "HEAD /later HTTP/1.1\r\n" H "\r\n", NULL);
    begin_stream(world.parked);
    assert_int_equal(write_text("body"), 4);
    const char *answer = client_read(fd, &closed).data;
    assert_int_equal(status_of(answer), 200);
    assert_string_equal(body_of(answer), "");
    assert_true(closed);
    assert_int_equal(world.gone, 1);
    close(fd);
}

static void everyone_is_told_at_the_end(void **state)
{
    (void)state;
    int stream = client_new(), later = client_new(), idle = client_new();
    ask(stream, "GET /stream HTTP/1.1\r\n" H "\r\n", NULL);
    ask(later, "GET /later HTTP/1.1\r\n" H "\r\n", NULL);
    http_free(world.http);
    assert_int_equal(world.gone, 2);
    assert_string_equal(world.why, "shutdown");
    struct http_limits limits = test_limits();
    world.http = http_new(world.loop, &limits);
    close(stream), close(later), close(idle);
}

#define HASTY_TEST(name) cmocka_unit_test_setup_teardown(name, hasty_set_up, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(samples_on_the_wire),
        WORLD_TEST(samples_cut_on_the_wire),
        WORLD_TEST(an_answer_is_framed),
        WORLD_TEST(head_has_the_length_and_no_body),
        WORLD_TEST(no_content_has_no_length),
        WORLD_TEST(http10_closes_after_its_answer),
        WORLD_TEST(the_handler_may_end_the_connection),
        WORLD_TEST(a_header_with_a_line_break_never_leaves),
        WORLD_TEST(continue_is_sent_once_and_only_when_asked),
        WORLD_TEST(requests_sent_ahead_are_answered_in_order),
        WORLD_TEST(one_request_is_handled_at_a_time),
        WORLD_TEST(what_comes_while_a_handler_works_waits),
        WORLD_TEST(reading_stops_while_a_handler_works),
        WORLD_TEST(a_large_answer_goes_out_piece_by_piece),
        WORLD_TEST(the_handler_is_told_that_nobody_waits),
        WORLD_TEST(an_answer_to_nobody_is_dropped),
        WORLD_TEST(a_stream_to_nobody_ends),
        WORLD_TEST(closing_twice_is_closing_once),
        WORLD_TEST(a_client_that_closes_in_mid_request_leaves_nothing),
        HASTY_TEST(a_silent_connection_is_closed_silently),
        HASTY_TEST(a_slow_head_and_a_slow_body_are_408),
        HASTY_TEST(dripping_does_not_prolong_it),
        HASTY_TEST(a_handler_has_all_the_time_it_needs),
        HASTY_TEST(a_client_that_does_not_read_its_answer_is_closed),
        WORLD_TEST(what_follows_a_refused_request_is_read_to_its_end),
        WORLD_TEST(but_not_for_ever),
        WORLD_TEST(refusals_are_counted_by_reason),
        WORLD_TEST(the_head_leaves_with_the_first_write),
        WORLD_TEST(the_head_leaves_with_what_is_written_at_the_end_of_the_turn),
        WORLD_TEST(a_stream_gives_its_request_back),
        WORLD_TEST(the_end_of_file_ends_a_stream),
        WORLD_TEST(a_broken_socket_takes_nothing_and_says_so_later),
        WORLD_TEST(a_stream_that_waited_leaves_nothing_to_the_next_connection),
        WORLD_TEST(an_owner_that_closes_hears_nothing_more),
        WORLD_TEST(a_head_without_a_write_is_not_lost_on_close),
        WORLD_TEST(a_full_socket_says_when_it_can_take_more),
        WORLD_TEST(more_pieces_than_a_call_takes_come_back),
        WORLD_TEST(what_a_client_says_on_a_stream_is_ignored_up_to_a_bound),
        WORLD_TEST(head_of_a_stream_is_its_head_alone),
        WORLD_TEST(everyone_is_told_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
