/* Listeners: addresses, sockets of every kind, what happens when something is short, and draining.
 */
#include "http/listener.c"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "http_world.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* -- addresses ------------------------------------------------------------- */

static void addresses_are_read_and_written(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"127.0.0.1:8080", "127.0.0.1:8080"},
        {"[::1]:80", "[::1]:80"},
        {"localhost:1", "127.0.0.1:1"},
        {"*:0", "*:0"},
        {":65535", "*:65535"},
        {"0.0.0.0:5", "0.0.0.0:5"},
        {"[::]:5", "[::]:5"},
        {"unix:/a:b", "unix:/a:b"},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct address address;
        struct buf text = BUF_EMPTY;
        assert_true(address_read(&address, good[i][0], &text));
        address_write(&address, &text);
        assert_string_equal(buf_text(&text), good[i][1]);
        if (address.every) {
            address_every4(&address);
            buf_clear(&text);
            address_write(&address, &text);
            assert_string_equal(buf_text(&text), good[i][1]);
        }
        buf_destroy(&text);
    }
}

static void bad_addresses_say_what_is_expected(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"8080", "ends with ':' and a port"},
        {"127.0.0.1", "ends with ':' and a port"},
        {"127.0.0.1:", "ends with ':' and a port"},
        {"127.0.0.1:65536", "ends with ':' and a port"},
        {"127.0.0.1:80x", "ends with ':' and a port"},
        {"127.0.0.1:-1", "ends with ':' and a port"},
        {"example.org:80", "the host is an IPv4"},
        {"::1:80", "the host is an IPv4"},
        {"[::1:80", "the host is an IPv4"},
        {"[127.0.0.1]:80", "the host is an IPv4"},
        {"300.0.0.1:80", "the host is an IPv4"},
        {"unix:", "has 1 to 107 bytes, not 0"},
        {"unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789",
         "has 1 to 107 bytes, not 111"},
        {"", "ends with ':' and a port"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct address address;
        struct buf error = BUF_EMPTY;
        assert_false(address_read(&address, bad[i][0], &error));
        assert_non_null(strstr(buf_text(&error), bad[i][0]));
        if (!strstr(buf_text(&error), bad[i][1])) fail_msg("%s: %s", bad[i][0], buf_text(&error));
        buf_destroy(&error);
    }
}

/* -- sockets --------------------------------------------------------------- */

static struct listener *opened(const char *address)
{
    struct buf error = BUF_EMPTY;
    struct listener *listener = listener_open(world.http, address, &world.handler, &error);
    if (!listener) fail_msg("%s", buf_text(&error));
    return listener;
}

static void refused(const char *address, const char *sentence)
{
    struct buf error = BUF_EMPTY;
    assert_null(listener_open(world.http, address, &world.handler, &error));
    assert_string_equal(buf_text(&error), sentence);
    buf_destroy(&error);
}

/* Connects to where the listener says that it is. */
static int connected(const struct listener *listener)
{
    struct buf error = BUF_EMPTY;
    struct address address;
    assert_true(address_read(&address, listener_address(listener), &error));
    if (address.every) {
        address_every4(&address);
        ((struct sockaddr_in *)(void *)&address.name)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    int fd = socket(address.name.ss_family, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address.name, address.size), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void expect_served(const char *address, const char *peer)
{
    struct listener *listener = opened(address);
    int fd = connected(listener);
    ask(fd, GET("/later"), NULL);
    assert_non_null(world.parked);
    assert_true(bytes_is(world.parked->request.address, peer));
    assert_true(bytes_is(world.parked->request.listener, address));
    answer_text(world.parked, 200, BYTES("x"));
    close(fd);
    listener_close(listener);
    turns();
}

static void every_kind_serves(void **state)
{
    (void)state;
    expect_served("127.0.0.1:0", "127.0.0.1");
    expect_served("[::1]:0", "::1");
    expect_served("*:0", "127.0.0.1");
    expect_served(":0", "127.0.0.1");
    char path[64];
    snprintf(path, sizeof(path), "unix:/tmp/sluice-test-kind-%d", getpid());
    expect_served(path, "unix");
    assert_int_not_equal(access(path + 5, F_OK), 0); /* removed */
}

static void connections_inherit_their_options(void **state)
{
    (void)state;
    struct listener *listener = opened("127.0.0.1:0");
    int fd = connected(listener);
    ask(fd, GET("/stream"), NULL);
    struct conn *conn = CONTAINER(listener->conns.next, struct conn, node);
    int value = 0;
    socklen_t size = sizeof(value);
    getsockopt(conn_fd(conn), IPPROTO_TCP, TCP_NODELAY, &value, &size);
    assert_int_equal(value, 1);
    getsockopt(conn_fd(conn), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
    assert_int_equal(value, 60000);
    assert_true(fcntl(conn_fd(conn), F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(conn_fd(conn), F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void other_limits_hold_for_the_next_connection(void **state)
{
    (void)state;
    struct listener *listener = opened("127.0.0.1:0");
    struct http_limits limits = test_limits();
    int value = 0;
    socklen_t size = sizeof(value);
    limits.stall_timeout_ms = 7000;
    http_set_limits(world.http, &limits);
    int fd = connected(listener);
    ask(fd, GET("/stream"), NULL);
    struct conn *conn = CONTAINER(listener->conns.next, struct conn, node);
    getsockopt(conn_fd(conn), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
    assert_int_equal(value, 7000);
    close(fd);
}

static void a_taken_port_is_an_error(void **state)
{
    (void)state;
    char sentence[128];
    struct listener *listener = opened("127.0.0.1:0");
    snprintf(sentence, sizeof(sentence), "cannot listen on %s: the port is taken",
             listener_address(listener));
    refused(listener_address(listener), sentence);
    refused("192.0.2.1:0", "cannot listen on 192.0.2.1:0: this machine has no such address");
    refused("unix:/nowhere/at/all",
            "cannot listen on unix:/nowhere/at/all: No such file or directory");
}

static void a_stale_socket_file_is_replaced_and_a_live_one_is_not(void **state)
{
    (void)state;
    char text[64], sentence[160];
    snprintf(text, sizeof(text), "unix:/tmp/sluice-test-stale-%d", getpid());
    snprintf(sentence, sizeof(sentence),
             "cannot listen on %s: another process answers there, or the file is no socket", text);

    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", text + 5);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&name, sizeof(name)), 0);
    close(dead);
    struct listener *listener = opened(text);
    refused(text, sentence);
    close(connected(listener));
    listener_close(listener);
    turns();

    int file = open(text + 5, O_CREAT | O_WRONLY, 0600);
    refused(text, sentence);
    close(file);
    assert_int_equal(unlink(text + 5), 0);
}

/* What stands there in the end may be a successor's. */
static void only_its_own_socket_file_is_removed(void **state)
{
    (void)state;
    char text[64];
    snprintf(text, sizeof(text), "unix:/tmp/sluice-test-own-%d", getpid());
    struct listener *first = opened(text);
    unlink(text + 5);
    struct listener *second = opened(text);
    listener_close(first);
    assert_int_equal(access(text + 5, F_OK), 0);
    listener_close(second);
    assert_int_not_equal(access(text + 5, F_OK), 0);
}

/* -- shortage -------------------------------------------------------------- */

static void above_the_limit_connections_are_turned_away(void **state)
{
    (void)state;
    struct listener *listener = opened("127.0.0.1:0");
    world.http->limits.max_connections = 2;
    bool closed;
    int a = connected(listener), b = connected(listener), c = connected(listener);
    ask(a, GET("/a"), NULL);
    const char *answer = ask(c, GET("/c"), &closed);
    assert_int_equal(status_of(answer), 503);
    assert_non_null(strstr(answer, "\r\nRetry-After: "));
    assert_string_equal(
        body_of(answer),
        "{\"error\":{\"code\":\"full\",\"message\":\"too many connections are open\"}}");
    assert_true(closed);
    assert_int_equal(http_counters(world.http)->refused[HTTP_REFUSED_FULL], 1);
    assert_int_equal(http_counters(world.http)->open, 2);
    close(a);
    turns();
    int d = connected(listener);
    assert_int_equal(status_of(ask(d, GET("/d"), &closed)), 200);
    close(b), close(c), close(d);
}

static void out_of_descriptors_it_hangs_up_and_says_so_once(void **state)
{
    (void)state;
    struct listener *listener = opened("127.0.0.1:0");
    struct logger *logger = logger_of(loop_log(world.loop));
    logger->fd = open("/dev/null", O_WRONLY);
    struct rlimit before, none;
    bool closed;
    int a = connected(listener), b = connected(listener);
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){(rlim_t)b + 1, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    assert_string_equal(client_read(a, &closed).data, "");
    assert_true(closed);
    client_read(b, &closed);
    assert_true(closed);
    assert_int_equal(logger->errors, 1);
    assert_int_equal(http_counters(world.http)->refused[HTTP_REFUSED_FILES], 2);
    setrlimit(RLIMIT_NOFILE, &before);
    int c = connected(listener);
    assert_int_equal(status_of(ask(c, GET("/c"), &closed)), 200);
    close(a), close(b), close(c), close(logger->fd);
}

/* -- draining -------------------------------------------------------------- */

static void closing_lets_work_finish(void **state)
{
    (void)state;
    struct listener *listener = opened("127.0.0.1:0");
    bool closed;
    int idle = connected(listener), half = connected(listener), later = connected(listener),
        stream = connected(listener);
    ask(idle, GET("/a"), NULL);
    ask(half, "GET /half HTTP/1.1\r\n", NULL);
    ask(later, GET("/later"), NULL);
    ask(stream, GET("/stream"), NULL);
    listener_close(listener);

    assert_string_equal(client_read(idle, &closed).data, "");
    assert_true(closed);
    const char *answer = ask(half, "Host: a\r\n\r\n", &closed);
    assert_string_equal(body_of(answer), "GET /half? []");
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    assert_true(closed);
    answer_text(world.parked, 200, BYTES("late"));
    assert_string_equal(body_of(client_read(later, &closed).data), "late");
    assert_true(closed);
    struct iovec piece = {(void *)"x", 1};
    assert_int_equal(world.sink->ops->write(world.sink, &piece, 1), 1);
    assert_string_equal(client_read(stream, &closed).data, "x");
    assert_false(closed);
    assert_int_equal(http_counters(world.http)->open, 1);
    world.sink->ops->close(world.sink, "drain");
    client_read(stream, &closed);
    assert_true(closed);
    close(idle), close(half), close(later), close(stream);
}

static void a_closed_listener_accepts_no_more(void **state)
{
    (void)state;
    struct listener *listener = opened("127.0.0.1:0");
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    name.sin_port = ((struct sockaddr_in *)(void *)&listener->address.name)->sin_port;
    int fd = connected(listener);
    turns();
    listener_close(listener);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&name, sizeof(name)), -1);
    close(late);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(bad_addresses_say_what_is_expected),
        WORLD_TEST(every_kind_serves),
        WORLD_TEST(connections_inherit_their_options),
        WORLD_TEST(other_limits_hold_for_the_next_connection),
        WORLD_TEST(a_taken_port_is_an_error),
        WORLD_TEST(a_stale_socket_file_is_replaced_and_a_live_one_is_not),
        WORLD_TEST(only_its_own_socket_file_is_removed),
        WORLD_TEST(above_the_limit_connections_are_turned_away),
        WORLD_TEST(out_of_descriptors_it_hangs_up_and_says_so_once),
        WORLD_TEST(closing_lets_work_finish),
        WORLD_TEST(a_closed_listener_accepts_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
