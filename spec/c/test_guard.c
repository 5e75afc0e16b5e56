/* The guard: which pages may use an endpoint, and which may read its answers. */
#include "engine/guard.c"

#include "engine_client.h"
#include "engine_plan.h"

static struct plan_endpoint at;

/* A handler of nothing but the guard: 403, the preflight's answer, or 200. */
static void handle(struct http_handler *handler, struct exchange *exchange)
{
    struct answer_headers headers = {.count = 0};
    (void)handler;
    if (bytes_is(exchange->request.method, "OPTIONS")) {
        guard_preflight(&at, BYTES("POST, OPTIONS"), exchange);
        return;
    }
    const bool admitted = guard_admits(&at, &exchange->request);
    guard_headers(&at, &exchange->request, &headers);
    const struct http_response response = {.status = admitted ? 200 : 403,
                                           .headers = headers.items,
                                           .header_count = headers.count};
    exchange->ops->respond(exchange, &response);
}

static struct http_handler handler = {handle};

static int begin(void **state)
{
    (void)state;
    at = (struct plan_endpoint){.identity = 1};
    return 0;
}

static int end(void **state)
{
    for (size_t i = 0; i < at.origin_count; i++) atom_unref(at.origins[i]);
    xfree(at.origins);
    return nothing_left(state);
}

static void list(const char *origin)
{
    at.origins = xrealloc(at.origins, (at.origin_count + 1) * sizeof(*at.origins));
    at.origins[at.origin_count++] = atom_of(origin);
}

static void gives(const char *method, const char *headers, int status, const char *answer)
{
    struct client *client = client_new(&handler, method, "/x", NULL, headers);
    if (client->status != status) print_error("%s %s\n", method, headers);
    assert_int_equal(client->status, status);
    assert_text(buf_bytes(&client->head), answer);
    client_free(client);
}

static void admits(const char *headers)
{
    gives("POST", headers, 200, "");
}

static void refuses(const char *headers)
{
    gives("POST", headers, 403, "");
}

static void lets_through_what_comes_from_no_browser(void **state)
{
    (void)state;
    admits("host: a.ex");
    admits(NULL);
}

static void goes_by_the_browsers_own_word(void **state)
{
    (void)state;
    admits("host: a.ex\nsec-fetch-site: same-origin");
    admits("host: a.ex\nsec-fetch-site: none");
    refuses("host: a.ex\nsec-fetch-site: cross-site");
    refuses("host: a.ex\nsec-fetch-site: same-site");
    refuses("host: a.ex\nsec-fetch-site: else");
}

static void believes_it_before_a_host_that_a_proxy_changed(void **state)
{
    (void)state;
    admits("host: 10.0.0.7:8080\norigin: https://a.ex\nsec-fetch-site: same-origin");
    admits("host: a.ex\norigin: null\nsec-fetch-site: same-origin");
    refuses("host: a.ex\norigin: http://a.ex\nsec-fetch-site: cross-site");
}

static void goes_by_the_origin_without_it(void **state)
{
    (void)state;
    admits("host: a.ex\norigin: https://a.ex");
    admits("host: A.ex:8080\norigin: http://a.ex:8080");
    admits("host: [::1]:8080\norigin: http://[::1]:8080");
    refuses("host: a.ex\norigin: https://b.ex");
    refuses("host: a.ex\norigin: https://a.ex:8443");
    refuses("host: a.ex\norigin: https://a.ex.evil.ex");
    refuses("host: a.ex\norigin: https://evil.ex/://a.ex");
    refuses("host: a.ex\norigin: null");
    refuses("host: a.ex\norigin: ");
    refuses("origin: https://a.ex");
}

static void guards_reading_where_there_is_an_identity(void **state)
{
    (void)state;
    gives("GET", "host: a.ex\norigin: https://b.ex", 403, "");
    gives("HEAD", "host: a.ex\nsec-fetch-site: cross-site", 403, "");
    at.identity = 0;
    gives("GET", "host: a.ex\norigin: https://b.ex", 200, "");
    gives("HEAD", "host: a.ex\nsec-fetch-site: cross-site", 200, "");
    gives("DELETE", "host: a.ex\norigin: https://b.ex", 403, "");
}

static void shares_with_listed_origins(void **state)
{
    (void)state;
    list("https://b.ex");
    list("https://c.ex");
    gives("POST", "host: a.ex\norigin: https://c.ex\nsec-fetch-site: cross-site", 200,
          "vary: Origin\naccess-control-allow-origin: https://c.ex\n"
          "access-control-allow-credentials: true\n");
    gives("POST", "host: a.ex\norigin: https://d.ex", 403, "vary: Origin\n");
    gives("POST", "host: a.ex\norigin: http://b.ex", 403, "vary: Origin\n");
    gives("POST", "host: a.ex\norigin: https://a.ex", 200, "vary: Origin\n");
    gives("POST", "host: a.ex", 200, "vary: Origin\n");
}

static void shares_with_all_but_without_credentials(void **state)
{
    (void)state;
    at.identity = 0;
    list("*");
    gives("POST", "host: a.ex\norigin: https://b.ex", 200, "access-control-allow-origin: *\n");
    gives("GET", "host: a.ex", 200, "access-control-allow-origin: *\n");
}

static void answers_preflights(void **state)
{
    (void)state;
    list("https://b.ex");
    gives("OPTIONS",
          "origin: https://b.ex\naccess-control-request-method: POST\n"
          "access-control-request-headers: x-session-tag",
          204,
          "allow: POST, OPTIONS\nvary: Origin\naccess-control-allow-origin: https://b.ex\n"
          "access-control-allow-credentials: true\naccess-control-allow-methods: POST, OPTIONS\n"
          "access-control-allow-headers: x-session-tag\naccess-control-max-age: 600\n");
    gives("OPTIONS", "origin: https://c.ex\naccess-control-request-method: POST", 204,
          "allow: POST, OPTIONS\nvary: Origin\n");
    gives("OPTIONS", "origin: https://b.ex", 204,
          "allow: POST, OPTIONS\nvary: Origin\naccess-control-allow-origin: https://b.ex\n"
          "access-control-allow-credentials: true\n");
    gives("OPTIONS", "host: a.ex", 204, "allow: POST, OPTIONS\nvary: Origin\n");
}

static void answers_preflights_where_no_origin_is_listed(void **state)
{
    (void)state;
    gives("OPTIONS", "origin: https://b.ex\naccess-control-request-method: POST", 204,
          "allow: POST, OPTIONS\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(lets_through_what_comes_from_no_browser),
        TEST(goes_by_the_browsers_own_word),
        TEST(believes_it_before_a_host_that_a_proxy_changed),
        TEST(goes_by_the_origin_without_it),
        TEST(guards_reading_where_there_is_an_identity),
        TEST(shares_with_listed_origins),
        TEST(shares_with_all_but_without_credentials),
        TEST(answers_preflights),
        TEST(answers_preflights_where_no_origin_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
