/* The node: which declaration a request means, what the rest is told, several apps, limits. */
#include "engine/node.c"
#include "engine/route.c"

#include "engine_world.h"

static struct world *world;

static int begin(void **state)
{
    (void)state;
    world = world_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free(world);
    return 0;
}

static void add_origin(struct plan_endpoint *at, const char *origin)
{
    at->origins = xrealloc(at->origins, (at->origin_count + 1) * sizeof(*at->origins));
    at->origins[at->origin_count++] = atom_of(origin);
}

/* The status and, of an answer, the body. */
static void answers(const char *method, const char *path, int status, const char *body)
{
    struct client *client = request(world, method, path, NULL, "x-user: ann");
    if (client->status != status) print_error("%s %s\n", method, path);
    assert_int_equal(client->status, status);
    if (body) assert_text(buf_bytes(&client->body), body);
    client_cut(client);
    settle(world);
}

static void allows(const char *method, const char *path, int status, const char *allow)
{
    struct client *client = request(world, method, path, NULL, NULL);
    assert_int_equal(client->status, status);
    assert_head(client, allow);
}

/* ---- paths ---- */

static void serves_streams_and_routes(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *tab = connect_tab(world, "ann");
    assert_int_equal(tab->state, CLIENT_STREAM);
    assert_int_equal(tab->status, 200);
    assert_head(tab, "content-type: text/event-stream");
    assert_head(tab, "cache-control: no-store, no-transform");
    answers("POST", "/rooms/blue", 200, "done");
    answers("POST", "/rooms/a%2Fb", 200, "done");
    answers("POST", "/%72ooms/blue", 200, "done");
    assert_int_equal(node_counters(world->node)->requests, 4);
}

static void knows_nothing_else(void **state)
{
    (void)state;
    world_start(world, NULL);
    static const char *const paths[] = {
        "/",       "/event",     "/events/",  "/events/x", "/Events", "/rooms",     "/rooms/",
        "/rooms/a/b", "//events", "*",        "/rooms//",  "",        "/events%2F", "/rooms/%zz"};
    for (size_t i = 0; i < COUNT(paths); i++) answers("POST", paths[i], 404, NULL);
    assert_int_equal(node_counters(world->node)->not_found, COUNT(paths));
    struct client *client = request(world, "GET", "/nothing", NULL, NULL);
    assert_head(client, "content-type: application/json");
    assert_text(buf_bytes(&client->body), "{\"error\":{\"code\":\"not_found\",\"message\":"
                                          "\"There is nothing at this path.\"}}\n");
}

static void means_the_more_literal_path(void **state)
{
    (void)state;
    make_route(world->plan, "all", "GET", "/rooms/all");
    make_route(world->plan, "one", "GET", "/rooms/{room}");
    make_route(world->plan, "deep", "GET", "/{any}/all");
    world_start(world, NULL);
    answers("GET", "/rooms/all", 200, "done");
    answers("GET", "/rooms/blue", 200, "done");
    answers("GET", "/other/all", 200, "done");
    buf_clear(&world->said);
    const struct http_request asked = {.method = BYTES("GET"), .path = BYTES("/rooms/all")};
    struct app *app = world->app;
    struct route found = route_find(&app, 1, &asked);
    assert_text(atom_bytes(found.at->name), "all");
    pattern_match_destroy(&found.match);
}

static void gives_the_methods_of_a_path_once_each(void **state)
{
    (void)state;
    make_route(world->plan, "close", "DELETE", "/rooms/{room}");
    make_route(world->plan, "all", "POST", "/rooms/all");
    make_route(world->plan, "read", "GET", "/rooms/all");
    world_start(world, NULL);
    allows("PUT", "/rooms/blue", 405, "allow: POST, DELETE, OPTIONS");
    allows("GET", "/rooms/blue", 405, "allow: POST, DELETE, OPTIONS");
    allows("PATCH", "/rooms/all", 405, "allow: POST, DELETE, GET, HEAD, OPTIONS");
    allows("POST", "/events", 405, "allow: GET, HEAD, OPTIONS");
    allows("get", "/events", 405, "allow: GET, HEAD, OPTIONS");
    allows("OPTIONS", "/rooms/blue", 204, "allow: POST, DELETE, OPTIONS");
    answers("OPTIONS", "/nothing", 404, NULL);
}

static void answers_the_head_of_a_stream(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *client = request(world, "HEAD", "/events", NULL, NULL);
    assert_int_equal(client->state, CLIENT_ENDED); /* of no known length, as the GET's is */
    assert_int_equal(client->status, 200);
    assert_head(client, "content-type: text/event-stream");
    assert_int_equal(client->writes, 0);
    assert_said(world, "authenticate"); /* no topics: nobody comes in */
    assert_int_equal(streams(world), 0);
}

static void takes_head_for_a_get(void **state)
{
    (void)state;
    make_route(world->plan, "read", "GET", "/read");
    world_start(world, NULL);
    answers("HEAD", "/read", 200, "done");
    assert_said(world, "route");
}

/* ---- statics ---- */

static void serves_what_is_below_a_prefix(void **state)
{
    (void)state;
    make_static(world->plan, "assets", "/assets/", "files");
    world_start(world, NULL);
    answers("GET", "/assets/", 200, "files|");
    answers("GET", "/assets/a/b.js", 200, "files|a/b.js");
    answers("HEAD", "/assets/a%20b", 200, "files|a%20b");
    answers("GET", "/assetsx", 404, NULL);
    answers("GET", "/asset", 404, NULL);
    answers("GET", "/", 404, NULL);
    allows("POST", "/assets/a", 405, "allow: GET, HEAD, OPTIONS");
    allows("OPTIONS", "/assets/a", 204, "allow: GET, HEAD, OPTIONS");
}

static void takes_a_prefix_without_its_slash(void **state)
{
    (void)state;
    make_static(world->plan, "assets", "/assets", "files");
    world_start(world, NULL);
    answers("GET", "/assets/a", 200, "files|a");
    answers("GET", "/assetsx", 404, NULL);
    struct client *client = request(world, "GET", "/assets", "v=1", NULL);
    assert_int_equal(client->status, 301);
    assert_head(client, "location: /assets/?v=1");
}

static void serves_the_longest_prefix_of_any_app(void **state)
{
    (void)state;
    make_static(world->plan, "page", "/", "page");
    make_static(world->plan, "assets", "/assets/", "files");
    world_start(world, NULL);
    struct plan *other = another_plan(world, BYTES("other"));
    make_static(other, "deep", "/assets/deep/", "deep");
    struct buf errors = BUF_EMPTY;
    assert_non_null(add_app(world, other, &errors));
    answers("GET", "/index.html", 200, "page|index.html");
    answers("GET", "/assets/a", 200, "files|a");
    answers("GET", "/assets/deep/a", 200, "deep|a");
}

static void serves_files_where_no_route_takes_the_method(void **state)
{
    (void)state;
    make_static(world->plan, "page", "/", "page");
    make_route(world->plan, "read", "GET", "/a");
    world_start(world, NULL);
    answers("GET", "/a", 200, "done");
    answers("GET", "/rooms/blue", 200, "page|rooms/blue");
    answers("POST", "/rooms/blue", 200, "done");
    allows("DELETE", "/rooms/blue", 405, "allow: POST, GET, HEAD, OPTIONS");
}

/* ---- other sites ---- */

static void sends_other_sites_away(void **state)
{
    (void)state;
    world_start(world, NULL);
    struct client *client = request(world, "POST", "/rooms/blue", NULL,
                                    "x-user: ann\nhost: a.ex\norigin: https://evil.ex");
    assert_int_equal(client->status, 403);
    assert_true(has(&client->body, "cross_site"));
    client = request(world, "GET", "/events", NULL, "host: a.ex\nsec-fetch-site: cross-site");
    assert_int_equal(client->status, 403);
    assert_said(world, "");
    assert_int_equal(node_counters(world->node)->cross_site, 2);
}

static void answers_a_preflight_for_what_it_announces(void **state)
{
    (void)state;
    struct plan_route *close = make_route(world->plan, "close", "DELETE", "/rooms/{room}");
    add_origin(&close->at, "https://b.ex");
    add_origin(&world->post->at, "https://c.ex");
    world_start(world, NULL);
    struct client *client =
        request(world, "OPTIONS", "/rooms/blue", NULL,
                "host: a.ex\norigin: https://c.ex\naccess-control-request-method: POST");
    assert_int_equal(client->status, 204);
    assert_head(client, "access-control-allow-origin: https://c.ex");
    assert_head(client, "access-control-allow-methods: POST, DELETE, OPTIONS");
    client = request(world, "OPTIONS", "/rooms/blue", NULL,
                     "host: a.ex\norigin: https://c.ex\naccess-control-request-method: DELETE");
    assert_int_equal(client->status, 204);
    assert_false(has(&client->head, "access-control"));
    client = request(world, "OPTIONS", "/rooms/blue", NULL,
                     "host: a.ex\norigin: https://b.ex\naccess-control-request-method: DELETE");
    assert_head(client, "access-control-allow-origin: https://b.ex");
    assert_said(world, "");
}

/* ---- apps ---- */

static void refuses_apps_that_clash(void **state)
{
    (void)state;
    make_static(world->plan, "page", "/page", "page");
    world_start(world, NULL);
    struct plan *other = another_plan(world, BYTES("app"));
    make_route(other, "get", "GET", "/{x}");
    make_route(other, "two", "POST", "/rooms/{x}");
    make_static(other, "page", "/page/", "page");
    struct buf errors = BUF_EMPTY;
    assert_null(add_app(world, other, &errors));
    assert_text(buf_bytes(&errors),
                "two rule files declare the app \"app\"\n"
                ": POST /rooms/{x} clashes with \"post\" of app \"app\" at \n"
                ": static \"page\" has the prefix of \"page\" of app \"app\", \n");
    buf_destroy(&errors);
    assert_int_equal(node_apps(world->node), 1);
}

/* ---- limits ---- */

static void takes_so_many_streams(void **state)
{
    (void)state;
    struct engine_limits limits = LIMITS;
    limits.streams = 2;
    world_start(world, &limits);
    struct client *first = connect_tab(world, "ann");
    world->answers[HOOK_AUTHENTICATE] = ANSWER_WAIT; /* who is on the way in counts too */
    struct client *second = connect_tab(world, "bob");
    struct client *third = connect_tab(world, "cid");
    assert_int_equal(third->status, 503);
    assert_true(has(&third->body, "\"full\""));
    assert_true(has(&third->head, "retry-after: "));
    assert_int_equal(node_counters(world->node)->refused[REFUSED_FULL], 1);
    client_cut(second);
    world->answers[HOOK_AUTHENTICATE] = ANSWER_YES;
    assert_int_equal(connect_tab(world, "dan")->status, 200);
    client_cut(first);
    settle(world);
    assert_int_equal(connect_tab(world, "eve")->status, 200);
    answers("POST", "/rooms/blue", 200, "done");
    assert_int_equal(streams(world), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(serves_streams_and_routes),
        TEST(knows_nothing_else),
        TEST(means_the_more_literal_path),
        TEST(gives_the_methods_of_a_path_once_each),
        TEST(answers_the_head_of_a_stream),
        TEST(takes_head_for_a_get),
        TEST(serves_what_is_below_a_prefix),
        TEST(takes_a_prefix_without_its_slash),
        TEST(serves_the_longest_prefix_of_any_app),
        TEST(serves_files_where_no_route_takes_the_method),
        TEST(sends_other_sites_away),
        TEST(answers_a_preflight_for_what_it_announces),
        TEST(refuses_apps_that_clash),
        TEST(takes_so_many_streams),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
