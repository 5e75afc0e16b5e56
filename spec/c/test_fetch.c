/* Fetches over real sockets: answers of every shape, redirects and what crosses
 * an origin, bounds, time-outs, and what must not be sent. */
#include "peers/fetch.h"

#include "http_peer.h"
#include "peers/url.h"

static struct multi *multi;
static struct fetch *fetch;
static int descriptors;

/* What the last call was told. */
static struct {
    bool done;
    int times, status;
    char code[32], sentence[256];
    struct buf body, headers;
} got;

static struct buf seen; /* requests, as the servers saw them */

static int begin(void **state)
{
    (void)state;
    unsetenv("http_proxy");
    loop = loop_new();
    descriptors = open_descriptors();
    server_start(&here);
    server_start(&there);
    multi = multi_new(loop, &(struct multi_options){.keep_alive = 0});
    fetch = fetch_new(multi);
    last_conn = NULL;
    return 0;
}

static int end(void **state)
{
    fetch_free(fetch);
    multi_free(multi);
    server_stop(&here);
    server_stop(&there);
    turn_for(1);
    bool leaked = open_descriptors() != descriptors;
    loop_free(loop);
    buf_destroy(&got.body);
    buf_destroy(&got.headers);
    buf_destroy(&seen);
    if (leaked) print_error("a descriptor is left\n");
    return leaked ? -1 : nothing_left(state);
}

static void on_done(void *owner, const struct fetch_answer *told)
{
    (void)owner;
    got.done = true;
    got.times++;
    got.status = told->status;
    snprintf(got.code, sizeof(got.code), "%s", told->code ? told->code : "");
    snprintf(got.sentence, sizeof(got.sentence), "%s", told->sentence ? told->sentence : "");
    buf_clear(&got.body);
    buf_clear(&got.headers);
    buf_add_bytes(&got.body, told->body);
    for (size_t i = 0; i < told->header_count; i++) {
        buf_add_bytes(&got.headers, told->headers[i].name);
        buf_add_char(&got.headers, '=');
        buf_add_bytes(&got.headers, told->headers[i].value);
        buf_add_char(&got.headers, '\n');
    }
}

static struct fetch_request get(const char *url)
{
    return (struct fetch_request){.method = BYTES("GET"),
                                  .url = bytes_of(url),
                                  .timeout_ms = 5000,
                                  .max_answer_bytes = 1 << 20};
}

static void ask(const struct fetch_request *request)
{
    got.done = false;
    fetch->start(fetch, request, on_done, NULL);
    assert_false(got.done); /* never before start returns */
    assert_true(wait_for(&got.done, 8000));
}

static void ask_url(const char *url)
{
    const struct fetch_request request = get(url);
    ask(&request);
}

static void note_request(struct conn *conn)
{
    buf_add_bytes(&seen, buf_bytes(&conn->in));
    buf_add_text(&seen, "\n----\n");
}

static bool was_seen(const char *text)
{
    return strcasestr(buf_text(&seen), text) != NULL;
}

static void reply_hello(struct conn *conn)
{
    note_request(conn);
    reply(conn, 200, "X-Thing: a\r\nX-THING: b\r\nContent-Type: text/plain\r\n", "hello");
}

static void an_answer_comes_whole_with_lower_case_names(void **state)
{
    (void)state;
    answer = reply_hello;
    ask_url(url_of(&here, "/path?q=1#part"));
    assert_int_equal(got.status, 200);
    assert_string_equal(got.code, "");
    assert_text(buf_bytes(&got.body), "hello");
    assert_text(buf_bytes(&got.headers),
                "x-thing=a\nx-thing=b\ncontent-type=text/plain\ncontent-length=5\n");
    assert_true(was_seen("GET /path?q=1 HTTP/1.1\r\n"));
    assert_true(was_seen("\r\nUser-Agent: sluice/" SLUICE_VERSION "\r\n"));
    assert_false(was_seen("accept-encoding"));
    assert_false(was_seen("cookie"));
    assert_int_equal(got.times, 1);
}

static void reply_by_path(struct conn *conn)
{
    note_request(conn);
    if (request_is(conn, "GET /204"))
        conn_send(conn, "HTTP/1.1 204 No\r\n\r\n");
    else if (request_is(conn, "GET /chunked"))
        conn_send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n");
    else if (request_is(conn, "GET /until-close"))
        conn_send(conn, "HTTP/1.1 200 OK\r\n\r\nto the end"), conn_end(conn);
    else if (request_is(conn, "GET /hints"))
        conn_send(conn, "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"
                        "HTTP/1.1 201 Made\r\nX-A: b\r\nContent-Length: 0\r\n\r\n");
    else if (request_is(conn, "GET /cut"))
        conn_send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), conn_end(conn);
    else if (request_is(conn, "GET /nothing"))
        conn_end(conn);
    else if (request_is(conn, "GET /half-a-head"))
        conn_send(conn, "HTTP/1.1 200 OK\r\nContent-Le"), conn_end(conn);
    else if (request_is(conn, "GET /garbage"))
        conn_send(conn, "SSH-2.0-x\r\n"), conn_end(conn);
    else if (request_is(conn, "GET /304-with-location"))
        reply(conn, 304, "Location: /x\r\n", "");
    else if (request_is(conn, "GET /302-without"))
        reply(conn, 302, "", "moved, but where");
    else
        reply(conn, 500, "", "{\"error\":1}");
}

static void answers_of_every_shape(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
        const char *code, *body;
    } shapes[] = {{"/204", 204, "", ""},
                  {"/chunked", 200, "", "abcde"},
                  {"/until-close", 200, "", "to the end"},
                  {"/hints", 201, "", ""},
                  {"/304-with-location", 304, "", ""},
                  {"/302-without", 302, "", "moved, but where"},
                  {"/500", 500, "", "{\"error\":1}"},
                  {"/cut", 0, "network", ""},
                  {"/nothing", 0, "network", ""},
                  {"/half-a-head", 0, "network", ""},
                  {"/garbage", 0, "network", ""}};
    answer = reply_by_path;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        ask_url(url_of(&here, shapes[i].path));
        assert_string_equal(got.code, shapes[i].code);
        assert_int_equal(got.status, shapes[i].status);
        assert_text(buf_bytes(&got.body), shapes[i].body);
        assert_true((got.sentence[0] != '\0') == (got.code[0] != '\0'));
    }
}

static void connections_are_kept_and_used_again(void **state)
{
    (void)state;
    answer = reply_hello;
    for (int i = 0; i < 5; i++) ask_url(url_of(&here, "/"));
    assert_int_equal(here.accepted, 1);
    conn_close(last_conn); /* while it is idle */
    ask_url(url_of(&here, "/"));
    assert_int_equal(got.status, 200);
    assert_int_equal(here.accepted, 2);
}

static void what_is_sent_is_what_was_said(void **state)
{
    (void)state;
    static const struct {
        const char *method, *body, *line;
    } requests[] = {
        {"POST", "a=b", "POST / HTTP/1.1\r\n"},  {"POST", "", "POST / HTTP/1.1\r\n"},
        {"PUT", "x", "PUT / HTTP/1.1\r\n"},      {"PATCH", "x", "PATCH / HTTP/1.1\r\n"},
        {"DELETE", "", "DELETE / HTTP/1.1\r\n"}, {"DELETE", "x", "DELETE / HTTP/1.1\r\n"},
        {"GET", "x", "GET / HTTP/1.1\r\n"},      {"OPTIONS", "", "OPTIONS / HTTP/1.1\r\n"}};
    answer = reply_hello;
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct fetch_request request = get(url_of(&here, "/"));
        request.method = bytes_of(requests[i].method);
        request.body = bytes_of(requests[i].body);
        buf_clear(&seen);
        ask(&request);
        assert_int_equal(got.status, 200);
        assert_true(was_seen(requests[i].line));
        char length[64];
        snprintf(length, sizeof(length), "content-length: %zu\r\n", strlen(requests[i].body));
        bool has_body = requests[i].body[0] || requests[i].method[0] == 'P';
        assert_true(was_seen(length) == has_body);
        if (requests[i].body[0]) assert_true(was_seen(requests[i].body));
        assert_false(was_seen("expect:"));
        assert_false(was_seen("content-type:"));
    }
}

static void headers_go_out_but_framing_is_not_the_caller_s(void **state)
{
    (void)state;
    answer = reply_hello;
    const struct http_header headers[] = {{BYTES("authorization"), BYTES("Bearer t")},
                                          {BYTES("Cookie"), BYTES("a=b")},
                                          {BYTES("x-empty"), BYTES("")},
                                          {BYTES("Content-Type"), BYTES("application/json")},
                                          {BYTES("user-agent"), BYTES("mine")},
                                          {BYTES("Content-Length"), BYTES("999")},
                                          {BYTES("Transfer-Encoding"), BYTES("chunked")},
                                          {BYTES("connection"), BYTES("close")}};
    struct fetch_request request = get(url_of(&here, "/"));
    request.method = BYTES("POST");
    request.body = BYTES("{}");
    request.headers = headers;
    request.header_count = COUNT(headers);
    ask(&request);
    assert_true(was_seen("authorization: Bearer t\r\n"));
    assert_true(was_seen("Cookie: a=b\r\n"));
    assert_true(was_seen("x-empty:\r\n"));
    assert_true(was_seen("Content-Type: application/json\r\n"));
    assert_true(was_seen("user-agent: mine\r\n"));
    assert_true(was_seen("content-length: 2\r\n"));
    assert_false(was_seen("999"));
    assert_false(was_seen("chunked"));
    assert_false(was_seen("connection:"));
}

static void a_large_body_goes_out_at_once(void **state)
{
    (void)state;
    enum { LARGE = 3 << 20 };
    answer = reply_hello;
    char *body = xmalloc(LARGE);
    memset(body, 'u', LARGE);
    struct fetch_request request = get(url_of(&here, "/"));
    request.method = BYTES("PUT");
    request.body = bytes_run(body, LARGE);
    ask(&request);
    assert_int_equal(got.status, 200);
    assert_false(was_seen("expect:"));
    assert_true(seen.size > LARGE);
    xfree(body);
}

static void a_head_asks_for_no_body(void **state)
{
    (void)state;
    answer = reply_hello;
    struct fetch_request request = get(url_of(&here, "/"));
    request.method = BYTES("HEAD");
    ask(&request);
    assert_true(was_seen("HEAD / HTTP/1.1"));
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body.size, 0);
}

static void what_may_not_be_sent_is_an_error(void **state)
{
    (void)state;
    answer = reply_hello;
    static const char *const urls[] = {"",
                                       "/relative",
                                       "ftp://127.0.0.1/x",
                                       "file:///etc/passwd",
                                       "gopher://h",
                                       "http://",
                                       "http://:80/",
                                       "127.0.0.1",
                                       "http://a b/",
                                       "http://h/a b",
                                       "http://h/\r\nX: y",
                                       "http://h/\nx",
                                       "javascript:alert(1)",
                                       "http://h:99999/",
                                       "http://h:x/"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        ask_url(urls[i]);
        if (strcmp(got.code, "bad_url")) print_error("[%s] gave %s\n", urls[i], got.code);
        assert_string_equal(got.code, "bad_url");
        assert_true(got.sentence[0]);
    }
    struct fetch_request request = get(url_of(&here, "/"));
    request.url = (struct bytes){"http://127.0.0.1/\0x", 19};
    ask(&request);
    assert_string_equal(got.code, "bad_url");

    static const struct http_header bad[] = {
        {{"a", 1}, {"x\r\nEvil: y", 10}}, {{"a", 1}, {"x\ny", 3}}, {{"a", 1}, {"x\0y", 3}},
        {{"a b", 3}, {"x", 1}},           {{"a:", 2}, {"x", 1}},   {{"", 0}, {"x", 1}},
        {{"a\r\nb", 4}, {"x", 1}}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        request = get(url_of(&here, "/"));
        request.headers = &bad[i];
        request.header_count = 1;
        ask(&request);
        assert_string_equal(got.code, "bad_url");
    }
    request = get(url_of(&here, "/"));
    request.method = BYTES("GET / HTTP/1.1\r\nX: y\r\n\r\nGET");
    ask(&request);
    assert_string_equal(got.code, "bad_url");
    assert_int_equal(here.accepted, 0);
}

static void the_environment_names_no_proxy(void **state)
{
    (void)state;
    char proxy[64];
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", there.port);
    setenv("http_proxy", proxy, 1);
    setenv("ALL_PROXY", proxy, 1);
    answer = reply_hello;
    ask_url(url_of(&here, "/"));
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(here.accepted, 1);
    assert_int_equal(there.accepted, 0);
}

static void a_configured_proxy_is_used(void **state)
{
    (void)state;
    fetch_free(fetch);
    multi_free(multi);
    char proxy[64];
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", there.port);
    multi = multi_new(loop, &(struct multi_options){.proxy = proxy});
    fetch = fetch_new(multi);
    answer = reply_hello;
    ask_url("http://upstream.invalid/x");
    assert_int_equal(got.status, 200);
    assert_true(was_seen("GET http://upstream.invalid/x HTTP/1.1"));
}

static char redirect_to[256];
static int redirect_status, redirects_left;

static void reply_redirect(struct conn *conn)
{
    note_request(conn);
    if (redirects_left-- <= 0) {
        reply(conn, 200, "", "arrived");
        return;
    }
    char headers[300];
    snprintf(headers, sizeof(headers), "Location: %s\r\n", redirect_to);
    reply(conn, redirect_status, headers, "moved");
}

static void redirect(int status, const char *location, int times)
{
    answer = reply_redirect;
    redirect_status = status;
    redirects_left = times;
    snprintf(redirect_to, sizeof(redirect_to), "%s", location);
    buf_clear(&seen);
}

static void redirects_are_followed_five_times(void **state)
{
    (void)state;
    redirect(302, "next?a=b", 5);
    ask_url(url_of(&here, "/dir/first"));
    assert_int_equal(got.status, 200);
    assert_text(buf_bytes(&got.body), "arrived");
    assert_true(was_seen("GET /dir/next?a=b HTTP/1.1"));
    assert_int_equal(here.accepted, 1); /* the body of each was read, the connection kept */
    redirect(302, "/again", 6);
    ask_url(url_of(&here, "/"));
    assert_string_equal(got.code, "redirects");
    assert_int_equal(redirects_left, 0);
}

static void methods_change_as_browsers_do(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *method, *then;
        bool body;
    } rows[] = {{301, "POST", "GET", false},   {302, "POST", "GET", false},
                {303, "POST", "GET", false},   {307, "POST", "POST", true},
                {308, "POST", "POST", true},   {301, "PUT", "PUT", true},
                {303, "PUT", "GET", false},    {302, "DELETE", "DELETE", true},
                {303, "DELETE", "GET", false}, {303, "HEAD", "HEAD", false}};
    const struct http_header header = {BYTES("Content-Type"), BYTES("text/x")};
    for (size_t i = 0; i < COUNT(rows); i++) {
        redirect(rows[i].status, "/then", 1);
        struct fetch_request request = get(url_of(&here, "/first"));
        request.method = bytes_of(rows[i].method);
        if (strcmp(rows[i].method, "HEAD")) request.body = BYTES("the body");
        request.headers = &header;
        request.header_count = 1;
        ask(&request);
        assert_int_equal(got.status, 200);
        char line[64];
        snprintf(line, sizeof(line), "----\n%s /then HTTP/1.1", rows[i].then);
        assert_true(was_seen(line));
        const char *second = strstr(buf_text(&seen), "/then HTTP");
        assert_true((strstr(second, "the body") != NULL) == rows[i].body);
        if (request.body.size)
            assert_true((strstr(second, "Content-Type: text/x") != NULL) == rows[i].body);
    }
}

static void ask_with_credentials(const char *url)
{
    static const struct http_header headers[] = {{BYTES("Authorization"), BYTES("Bearer secret")},
                                                 {BYTES("cookie"), BYTES("sid=secret")},
                                                 {BYTES("x-api-key"), BYTES("secret")},
                                                 {BYTES("host"), BYTES("secret.example")},
                                                 {BYTES("Accept"), BYTES("text/plain")}};
    struct fetch_request request = get(url);
    request.headers = headers;
    request.header_count = COUNT(headers);
    ask(&request);
}

static int secrets_in_second_request(void)
{
    const char *second = strstr(buf_text(&seen), "----\n");
    assert_non_null(second);
    second += 5;
    int secrets = 0;
    for (const char *at = second; (at = strstr(at, "secret")); at++) secrets++;
    assert_non_null(strcasestr(second, "Accept: text/plain"));
    return secrets;
}

static void credentials_stay_within_their_origin(void **state)
{
    (void)state;
    redirect(302, "/same", 1);
    ask_with_credentials(url_of(&here, "/"));
    assert_int_equal(secrets_in_second_request(), 4);

    redirect(307, url_of(&there, "/other-port"), 1);
    ask_with_credentials(url_of(&here, "/"));
    assert_int_equal(got.status, 200);
    assert_int_equal(secrets_in_second_request(), 0);

    char other_host[64];
    snprintf(other_host, sizeof(other_host), "http://localhost:%d/", here.port);
    redirect(302, other_host, 1);
    ask_with_credentials(url_of(&here, "/"));
    assert_int_equal(got.status, 200);
    assert_int_equal(secrets_in_second_request(), 0);

    char named[96]; /* credentials within the redirect's URL */
    snprintf(named, sizeof(named), "http://user:secret@127.0.0.1:%d/", there.port);
    redirect(302, named, 1);
    ask_with_credentials(url_of(&here, "/"));
    assert_int_equal(secrets_in_second_request(), 0);
    assert_false(was_seen("Authorization: Basic"));
}

static void reply_there_and_back(struct conn *conn)
{
    note_request(conn);
    char location[128];
    if (conn->server == &there) {
        snprintf(location, sizeof(location), "Location: %s\r\n", url_of(&here, "/back"));
        reply(conn, 302, location, "");
    } else if (request_is(conn, "GET /back")) {
        reply(conn, 200, "", request_has(conn, "secret") ? "leaked" : "clean");
    } else {
        snprintf(location, sizeof(location), "Location: %s\r\n", url_of(&there, "/"));
        reply(conn, 302, location, "");
    }
}

static void credentials_do_not_come_back_from_another_origin(void **state)
{
    (void)state;
    answer = reply_there_and_back;
    ask_with_credentials(url_of(&here, "/"));
    assert_text(buf_bytes(&got.body), "clean");
}

static void a_redirect_to_elsewhere_than_http_is_an_error(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x/",
        "javascript:x",       "http://",          "dict://127.0.0.1:11211/x"};
    for (size_t i = 0; i < COUNT(targets); i++) {
        redirect(302, targets[i], 1);
        ask_url(url_of(&here, "/"));
        assert_string_equal(got.code, "redirects");
    }
}

static void reply_endless_redirect(struct conn *conn)
{
    if (request_is(conn, "GET /then")) {
        reply(conn, 200, "", "arrived");
        return;
    }
    char *much = xcalloc(1, 200001);
    memset(much, 'x', 200000);
    reply(conn, 302, "Location: /then\r\n", much);
    xfree(much);
}

static void a_redirect_s_body_is_cut_when_it_is_large(void **state)
{
    (void)state;
    answer = reply_endless_redirect;
    ask_url(url_of(&here, "/"));
    assert_text(buf_bytes(&got.body), "arrived");
    assert_int_equal(here.accepted, 2);
}

static void origins_are_scheme_host_and_port(void **state)
{
    (void)state;
    assert_true(url_same_origin("http://a/x", "http://a:80/y?z"));
    assert_true(url_same_origin("https://A/", "https://a:443/"));
    assert_true(url_same_origin("http://u:p@a/", "http://a/"));
    assert_false(url_same_origin("http://a/", "https://a/"));
    assert_false(url_same_origin("http://a:443/", "https://a:443/"));
    assert_false(url_same_origin("http://a/", "http://a:81/"));
    assert_false(url_same_origin("http://a/", "http://b/"));
    assert_false(url_same_origin("http://a/", "http://a.b/"));
    assert_false(url_same_origin("file:///a", "file:///a"));
}

static void reply_big(struct conn *conn)
{
    static char big[300000];
    memset(big, 'b', sizeof(big) - 1);
    reply(conn, 200, "", big);
}

static void big_bodies_come_whole_or_not_at_all(void **state)
{
    (void)state;
    answer = reply_big;
    struct fetch_request request = get(url_of(&here, "/"));
    request.max_answer_bytes = 299999;
    ask(&request);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body.size, 299999);
    request.max_answer_bytes--;
    ask(&request);
    assert_string_equal(got.code, "too_large");
    assert_int_equal(got.status, 0);
}

static void reply_endless_head(struct conn *conn)
{
    conn_send(conn, "HTTP/1.1 200 OK\r\n");
    char line[1024];
    memset(line, 'h', sizeof(line));
    memcpy(line, "X-Line: ", 8);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    for (int i = 0; i < 100; i++) conn_send_bytes(conn, line, sizeof(line));
}

static void a_head_too_large_is_an_error(void **state)
{
    (void)state;
    answer = reply_endless_head;
    ask_url(url_of(&here, "/"));
    assert_string_equal(got.code, "too_large");
}

static void reply_never(struct conn *conn)
{
    note_request(conn);
}

static void reply_slowly(struct conn *conn)
{
    conn_send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow");
}

static void a_slow_answer_times_out(void **state)
{
    (void)state;
    void (*const slow[])(struct conn *) = {reply_never, reply_slowly};
    for (size_t i = 0; i < COUNT(slow); i++) {
        answer = slow[i];
        struct fetch_request request = get(url_of(&here, "/"));
        request.timeout_ms = 60;
        uint64_t started = loop_clock(loop)->now_ms;
        ask(&request);
        assert_string_equal(got.code, "timeout");
        assert_in_range(loop_clock(loop)->now_ms - started, 59, 2000);
    }
}

static void a_redirect_does_not_lengthen_the_time(void **state)
{
    (void)state;
    redirect(302, "/next", 1000);
    struct fetch_request request = get(url_of(&here, "/"));
    request.timeout_ms = 1;
    ask(&request);
    assert_true(!strcmp(got.code, "timeout") || !strcmp(got.code, "redirects"));
}

static void nobody_there_is_refused(void **state)
{
    (void)state;
    int port = there.port;
    server_stop(&there);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
    ask_url(url);
    server_start(&there);
    assert_string_equal(got.code, "refused");
}

static void no_such_host_does_not_resolve(void **state)
{
    (void)state;
    ask_url("http://no-such-host.invalid/");
    assert_string_equal(got.code, "resolve");
}

static void plain_text_is_no_tls(void **state)
{
    (void)state;
    greeting = "HTTP/1.1 400 Bad Request\r\n\r\n";
    char url[64];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", here.port);
    ask_url(url);
    greeting = NULL;
    assert_string_equal(got.code, "tls");
    assert_int_equal(here.accepted, 1);
}

static void cancelled_calls_are_not_told(void **state)
{
    (void)state;
    answer = reply_hello;
    struct fetch_request request = get(url_of(&here, "/"));
    got.done = false;
    struct fetch_call *call = fetch->start(fetch, &request, on_done, NULL);
    fetch->cancel(fetch, call); /* before anything */
    answer = reply_never;
    call = fetch->start(fetch, &request, on_done, NULL);
    turn_for(50);
    fetch->cancel(fetch, call); /* while it waits */
    answer = reply_slowly;
    call = fetch->start(fetch, &request, on_done, NULL);
    turn_for(50);
    fetch->cancel(fetch, call); /* within the body */
    request.url = BYTES("nonsense");
    call = fetch->start(fetch, &request, on_done, NULL);
    fetch->cancel(fetch, call); /* an error on its way */
    request.url = BYTES("http://no-such-host.invalid/");
    call = fetch->start(fetch, &request, on_done, NULL);
    loop_turn(loop, false);
    fetch->cancel(fetch, call); /* while the name is looked up */
    turn_for(50);
    assert_false(got.done);
}

static void reply_anyhow(struct conn *conn)
{
    static void (*const ways[])(struct conn *) = {reply_hello, reply_never,    reply_slowly,
                                                  reply_big,   reply_redirect, reply_endless_head};
    redirects_left = 1;
    ways[strtoul(conn->in.data + 5, NULL, 10) % COUNT(ways)](conn);
}

static struct fetch_call *calls[16];
static int told_of_many, given_up;

static void on_told(void *owner, const struct fetch_answer *told)
{
    (void)told;
    *(struct fetch_call **)owner = NULL;
    told_of_many++;
}

/* Calls to peers of every kind, given up at every moment; memory and descriptors are the judges. */
static void calls_may_be_given_up_at_any_time(void **state)
{
    (void)state;
    uint64_t chance = 7;
    answer = reply_anyhow;
    redirect(302, url_of(&there, "/0"), 0);
    answer = reply_anyhow;
    told_of_many = given_up = 0;
    for (int i = 0; i < 1500; i++) {
        struct fetch_call **call = &calls[draw_below(&chance, COUNT(calls))];
        if (*call) {
            fetch->cancel(fetch, *call);
            *call = NULL;
            given_up++;
        } else {
            char path[16];
            snprintf(path, sizeof(path), "/%d", (int)draw_below(&chance, 6));
            struct fetch_request request = get(url_of(&here, path));
            request.timeout_ms = 1 + draw_below(&chance, 40);
            *call = fetch->start(fetch, &request, on_told, call);
        }
        for (uint64_t turns = draw_below(&chance, 4); turns > 0; turns--) loop_turn(loop, false);
    }
    for (size_t i = 0; i < COUNT(calls); i++)
        if (calls[i]) fetch->cancel(fetch, calls[i]);
    memset(calls, 0, sizeof(calls));
    assert_true(told_of_many > 200 && given_up > 200);
}

static int chained;

static void chain(void *owner, const struct fetch_answer *told)
{
    on_done(owner, told);
    got.done = false;
    if (chained-- > 0) {
        const struct fetch_request request = get(url_of(&here, "/"));
        fetch->start(fetch, &request, chain, NULL);
    } else {
        got.done = true;
    }
}

static void an_answer_may_ask_again(void **state)
{
    (void)state;
    answer = reply_hello;
    chained = 20;
    got.done = false;
    const struct fetch_request request = get(url_of(&here, "/"));
    fetch->start(fetch, &request, chain, NULL);
    assert_true(wait_for(&got.done, 5000));
    assert_int_equal(here.accepted, 1);
}

static int many_left;

static void on_one_of_many(void *owner, const struct fetch_answer *told)
{
    (void)owner;
    assert_int_equal(told->status, 200);
    got.done = --many_left == 0;
}

static void ask_many(int count)
{
    const struct fetch_request request = get(url_of(&here, "/"));
    got.done = false;
    many_left = count;
    for (int i = 0; i < count; i++) fetch->start(fetch, &request, on_one_of_many, NULL);
    assert_true(wait_for(&got.done, 20000));
}

static void connections_are_bounded_where_it_is_asked(void **state)
{
    (void)state;
    fetch_free(fetch);
    multi_free(multi);
    multi = multi_new(loop, &(struct multi_options){.connections_max = 4});
    fetch = fetch_new(multi);
    answer = reply_hello;
    ask_many(100);
    assert_int_equal(here.accepted, 4);
}

static void reply_unless_held(struct conn *conn)
{
    if (!request_is(conn, "GET /hold")) reply(conn, 200, "", "hello");
}

static void busy_connections_do_not_push_idle_ones_out(void **state)
{
    (void)state;
    fetch_free(fetch);
    multi_free(multi);
    multi = multi_new(loop, &(struct multi_options){.keep_alive = 2});
    fetch = fetch_new(multi);
    answer = reply_unless_held;
    struct fetch_call *held[10];
    const struct fetch_request request = get(url_of(&here, "/hold"));
    for (size_t i = 0; i < COUNT(held); i++) held[i] = fetch->start(fetch, &request, on_done, NULL);
    for (int i = 0; i < 5; i++) ask_url(url_of(&here, "/"));
    assert_int_equal(here.accepted, COUNT(held) + 1);
    for (size_t i = 0; i < COUNT(held); i++) fetch->cancel(fetch, held[i]);
}

static void idle_connections_are_bounded(void **state)
{
    (void)state;
    fetch_free(fetch);
    multi_free(multi);
    multi = multi_new(loop, &(struct multi_options){.keep_alive = 3});
    fetch = fetch_new(multi);
    answer = reply_hello;
    ask_many(40);
    turn_for(20);
    int idle = 0;
    LIST_EACH(node, &here.conns) idle++;
    assert_in_range(idle, 1, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_comes_whole_with_lower_case_names),
        TEST(answers_of_every_shape),
        TEST(connections_are_kept_and_used_again),
        TEST(what_is_sent_is_what_was_said),
        TEST(headers_go_out_but_framing_is_not_the_caller_s),
        TEST(a_large_body_goes_out_at_once),
        TEST(a_head_asks_for_no_body),
        TEST(what_may_not_be_sent_is_an_error),
        TEST(the_environment_names_no_proxy),
        TEST(a_configured_proxy_is_used),
        TEST(redirects_are_followed_five_times),
        TEST(methods_change_as_browsers_do),
        TEST(credentials_stay_within_their_origin),
        TEST(credentials_do_not_come_back_from_another_origin),
        TEST(a_redirect_to_elsewhere_than_http_is_an_error),
        TEST(a_redirect_s_body_is_cut_when_it_is_large),
        TEST(origins_are_scheme_host_and_port),
        TEST(big_bodies_come_whole_or_not_at_all),
        TEST(a_head_too_large_is_an_error),
        TEST(a_slow_answer_times_out),
        TEST(a_redirect_does_not_lengthen_the_time),
        TEST(nobody_there_is_refused),
        TEST(no_such_host_does_not_resolve),
        TEST(plain_text_is_no_tls),
        TEST(cancelled_calls_are_not_told),
        TEST(calls_may_be_given_up_at_any_time),
        TEST(an_answer_may_ask_again),
        TEST(connections_are_bounded_where_it_is_asked),
        TEST(busy_connections_do_not_push_idle_ones_out),
        TEST(idle_connections_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
