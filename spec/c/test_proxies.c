/* Whose word about a client's address is taken, and whose not. */
#include "http/proxies.c"

#include "unit.h"

static struct proxies proxies;

static void trust(const char *header, const char *const *list)
{
    struct buf error = BUF_EMPTY;
    proxies = PROXIES_NONE;
    proxies.header = header;
    for (; *list; list++) assert_true(proxies_add(&proxies, *list, &error));
    assert_int_equal(error.size, 0);
}

/* The client's address of a request from this peer with up to three lines of a header. */
static const char *client(const char *peer, const char *name, const char *one, const char *two,
                          const char *three)
{
    static char out[PROXIES_ADDRESS_BYTES];
    bool secure;
    const char *const lines[] = {one, two, three};
    struct http_header headers[4] = {{BYTES("host"), BYTES("1.1.1.1")}};
    size_t count = 1;
    for (size_t i = 0; i < 3; i++)
        if (lines[i]) headers[count++] = (struct http_header){bytes_of(name), bytes_of(lines[i])};
    const struct http_request request = {
        .address = bytes_of(peer), .headers = headers, .header_count = count};
    proxies_client(&proxies, &request, out, &secure);
    assert_false(secure);
    return out;
}

/* Did the client come over TLS, as this header says? */
static bool secure(const char *peer, bool peers, const char *name, const char *one, const char *two)
{
    char out[PROXIES_ADDRESS_BYTES];
    const struct http_header headers[] = {{bytes_of(name), bytes_of(one)},
                                          {bytes_of(name), bytes_of(two ? two : "")}};
    const struct http_request request = {.address = bytes_of(peer),
                                         .headers = headers,
                                         .header_count = two ? 2 : 1,
                                         .secure = peers};
    bool said;
    proxies_client(&proxies, &request, out, &said);
    return said;
}

static const char *listed(const char *peer, const char *line)
{
    return client(peer, "x-forwarded-for", line, NULL, NULL);
}

static const char *forwarded(const char *line)
{
    return client("10.0.0.1", "forwarded", line, NULL, NULL);
}

static void believes_nobody_unnamed(void **state)
{
    (void)state;
    trust("x-forwarded-for", (const char *const[]){NULL});
    assert_string_equal(listed("127.0.0.1", "9.9.9.9"), "127.0.0.1");
    assert_string_equal(listed("unix", "9.9.9.9"), "unix");
    proxies_destroy(&proxies);
    trust("x-forwarded-for", (const char *const[]){"10.0.0.0/8", "fd00::/8", NULL});
    assert_string_equal(listed("11.0.0.1", "9.9.9.9"), "11.0.0.1");
    assert_string_equal(listed("fe00::1", "9.9.9.9"), "fe00::1");
    assert_string_equal(listed("unix", "9.9.9.9"), "unix");
    assert_string_equal(listed("10.255.0.1", "9.9.9.9"), "9.9.9.9");
    assert_string_equal(listed("fdff::1", "9.9.9.9"), "9.9.9.9");
    proxies_destroy(&proxies);
    trust("x-forwarded-for", (const char *const[]){"unix", NULL});
    assert_string_equal(listed("unix", "9.9.9.9"), "9.9.9.9");
    assert_string_equal(listed("127.0.0.1", "9.9.9.9"), "127.0.0.1");
    proxies_destroy(&proxies);
}

static void reads_from_the_right(void **state)
{
    (void)state;
    trust("x-forwarded-for", (const char *const[]){"10.0.0.0/8", "::1", NULL});
    assert_string_equal(listed("10.0.0.1", "6.6.6.6, 9.9.9.9"), "9.9.9.9");
    assert_string_equal(listed("10.0.0.1", "6.6.6.6,9.9.9.9 ,\t10.0.0.2"), "9.9.9.9");
    assert_string_equal(listed("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3"); /* a proxy's own */
    assert_string_equal(client("10.0.0.1", "x-forwarded-for", "6.6.6.6", "9.9.9.9", "10.0.0.2, ::1"), "9.9.9.9");
    assert_string_equal(client("10.0.0.1", "forwarded", "for=9.9.9.9", NULL, NULL), "10.0.0.1");
    assert_string_equal(client("10.0.0.1", "x-forwarded-for", NULL, NULL, NULL), "10.0.0.1");
    proxies_destroy(&proxies);
}

static void stops_at_what_is_no_address(void **state)
{
    (void)state;
    trust("x-forwarded-for", (const char *const[]){"10.0.0.0/8", NULL});
    assert_string_equal(listed("10.0.0.1", "9.9.9.9, unknown"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "9.9.9.9, _x, 10.0.0.7"), "10.0.0.7");
    assert_string_equal(listed("10.0.0.1", "9.9.9.9,"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", ""), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "9.9.9.9.9"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "localhost"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "9.9.9.9:"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "9.9.9.9:x"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "9.9.9.9:65536"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "[2001:db8::1"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "[2001:db8::1]x"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "[9.9.9.9]"), "10.0.0.1");
    assert_string_equal(listed("10.0.0.1", "unix"), "10.0.0.1");
    proxies_destroy(&proxies);
}

static void knows_an_address_however_it_is_spelled(void **state)
{
    (void)state;
    trust("x-forwarded-for", (const char *const[]){"10.0.0.0/8", NULL});
    assert_string_equal(listed("10.0.0.1", "9.9.9.9:443"), "9.9.9.9");
    assert_string_equal(listed("10.0.0.1", "::ffff:9.9.9.9"), "9.9.9.9");
    assert_string_equal(listed("10.0.0.1", "2001:0DB8:0::0001"), "2001:db8::1");
    assert_string_equal(listed("10.0.0.1", "[2001:db8::1]"), "2001:db8::1");
    assert_string_equal(listed("10.0.0.1", "[2001:db8::1]:80"), "2001:db8::1");
    assert_string_equal(listed("10.0.0.1", "9.9.9.9, ::ffff:10.9.9.9"), "9.9.9.9");
    proxies_destroy(&proxies);
}

static void reads_forwarded(void **state)
{
    (void)state;
    trust("forwarded", (const char *const[]){"10.0.0.0/8", NULL});
    assert_string_equal(forwarded("for=9.9.9.9"), "9.9.9.9");
    assert_string_equal(forwarded("For=6.6.6.6, FOR=9.9.9.9;proto=http;by=10.0.0.1"), "9.9.9.9");
    assert_string_equal(forwarded("by=10.0.0.1 ; for=\"9.9.9.9:80\" ,for=10.0.0.2"), "9.9.9.9");
    assert_string_equal(forwarded("for=\"[2001:db8::1]:80\""), "2001:db8::1");
    assert_string_equal(forwarded("for=9.9.9.9, for=unknown"), "10.0.0.1");
    assert_string_equal(forwarded("for=9.9.9.9, for=\"_hidden\", for=10.0.0.3"), "10.0.0.3");
    assert_string_equal(forwarded("for=9.9.9.9, proto=http"), "10.0.0.1");
    assert_string_equal(forwarded("for=6.6.6.6;for=9.9.9.9"), "10.0.0.1");
    assert_string_equal(client("10.0.0.1", "forwarded", "for=\"6.6.6.6", "for=9.9.9.9", NULL), "9.9.9.9");
    assert_string_equal(client("10.0.0.1", "x-forwarded-for", "9.9.9.9", NULL, NULL), "10.0.0.1");
    proxies_destroy(&proxies);
}

static void takes_the_scheme_from_who_served_the_client(void **state)
{
    (void)state;
    const char *const proto = "x-forwarded-proto", *const one = "forwarded";
    trust("x-forwarded-for", (const char *const[]){"10.0.0.0/8", NULL});
    assert_true(secure("10.0.0.1", false, proto, "https", NULL));
    assert_true(secure("10.0.0.1", false, proto, "http, HTTPS", NULL));
    assert_true(secure("10.0.0.1", false, proto, "http", "https"));
    assert_false(secure("10.0.0.1", true, proto, "https, http", NULL));
    assert_false(secure("10.0.0.1", true, proto, "https", "http"));
    assert_false(secure("10.0.0.1", true, proto, "https,", NULL));
    assert_false(secure("9.9.9.9", false, proto, "https", NULL));
    assert_true(secure("9.9.9.9", true, proto, "http", NULL));
    assert_false(secure("10.0.0.1", false, one, "for=9.9.9.9;proto=https", NULL));
    assert_true(secure("10.0.0.1", true, one, "for=9.9.9.9;proto=http", NULL));
    proxies_destroy(&proxies);
    trust(one, (const char *const[]){"10.0.0.0/8", NULL});
    assert_true(secure("10.0.0.1", false, one, "proto=https;for=9.9.9.9", NULL));
    assert_true(secure("10.0.0.1", false, one, "for=unknown;proto=\"https\"", NULL));
    assert_true(secure("10.0.0.1", false, one, "for=9.9.9.9;proto=https, for=10.0.0.2;proto=http", NULL));
    assert_false(secure("10.0.0.1", true, one, "for=9.9.9.9;proto=http, for=10.0.0.2;proto=https", NULL));
    assert_false(secure("10.0.0.1", true, one, "for=6.6.6.6;proto=https, for=9.9.9.9", NULL));
    assert_false(secure("10.0.0.1", false, one, "for=9.9.9.9;proto=http;proto=https", NULL));
    assert_false(secure("10.0.0.1", true, one, "for=9.9.9.9;proto=https;", NULL));
    assert_false(secure("9.9.9.9", false, one, "for=9.9.9.9;proto=https", NULL));
    assert_false(secure("10.0.0.1", false, proto, "https", NULL));
    proxies_destroy(&proxies);
}

/* A client writes what stands left of the proxy's own words, and shall not make them part of a text. */
static void lets_nobody_quote_the_proxy_away(void **state)
{
    (void)state;
    static const char *const lefts[] = {
        "for=6.6.6.6;x=\"", "for=6.6.6.6, for=\"", "for=6.6.6.6;x=\"\\", "for=6.6.6.6;x=\"\\\"", "for=6.6.6.6;",
        "for=6.6.6.6;x", "for=6.6.6.6 x", "for=\"6.6.6.6\"x", "=", "\"for\"=6.6.6.6;x=\"a\\"};
    static const char *const rights[] = {", for=9.9.9.9", ", for=\"9.9.9.9\"", ",for=\"9.9.9.9\";by=\"10.0.0.1\""};
    trust("forwarded", (const char *const[]){"10.0.0.0/8", NULL});
    for (size_t l = 0; l < sizeof(lefts) / sizeof(lefts[0]); l++)
        for (size_t r = 0; r < sizeof(rights) / sizeof(rights[0]); r++) {
            char line[128];
            snprintf(line, sizeof(line), "%s%s", lefts[l], rights[r]);
            assert_string_not_equal(forwarded(line), "6.6.6.6");
        }
    proxies_destroy(&proxies);
}

static void goes_no_further_than_it_keeps(void **state)
{
    (void)state;
    struct buf line = BUF_EMPTY;
    trust("x-forwarded-for", (const char *const[]){"10.0.0.0/8", NULL});
    buf_add_text(&line, "9.9.9.9");
    for (int i = 0; i < CHAIN_MAX - 1; i++) buf_printf(&line, ", 10.0.1.%d", i);
    assert_string_equal(listed("10.0.0.1", buf_text(&line)), "9.9.9.9");
    buf_add_text(&line, ", 10.0.0.2");
    assert_string_equal(listed("10.0.0.1", buf_text(&line)), "10.0.1.0");
    buf_destroy(&line);
    proxies_destroy(&proxies);
}

static void says_what_is_no_network(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "proxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.1/8",
                                      "::1/129", "fd00::1/8", "10.0.0/8", "unix:/run/x"};
    proxies = PROXIES_NONE;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf error = BUF_EMPTY;
        assert_false(proxies_add(&proxies, bad[i], &error));
        assert_int_equal(error.data[0], '"');
        buf_destroy(&error);
    }
    struct buf error = BUF_EMPTY;
    assert_true(proxies_add(&proxies, "0.0.0.0/0", &error)); /* all of IPv4, none of IPv6 */
    assert_true(proxies_trust(&proxies, BYTES("9.9.9.9")));
    assert_false(proxies_trust(&proxies, BYTES("2001:db8::1")));
    proxies_destroy(&proxies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(believes_nobody_unnamed),
        cmocka_unit_test(reads_from_the_right),
        cmocka_unit_test(stops_at_what_is_no_address),
        cmocka_unit_test(knows_an_address_however_it_is_spelled),
        cmocka_unit_test(reads_forwarded),
        cmocka_unit_test(takes_the_scheme_from_who_served_the_client),
        cmocka_unit_test(lets_nobody_quote_the_proxy_away),
        cmocka_unit_test(goes_no_further_than_it_keeps),
        cmocka_unit_test(says_what_is_no_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
