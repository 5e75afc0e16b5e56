/* Static files: what is served, what is not, and what caches are told. */
#include "http/static.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char root[64];
static struct static_files statics;
static int log_lines;

/* -- an exchange in memory ------------------------------------------------- */

static struct {
    int status, answers;
    char type[64], etag[64], modified[64], cache[64], location[64], body[256];
    size_t body_size;
} got;

static void copy(char *to, size_t size, const struct http_response *response, const char *name)
{
    to[0] = '\0';
    for (size_t i = 0; i < response->header_count; i++)
        if (text_equal_nocase(response->headers[i].name, bytes_of(name)))
            snprintf(to, size, "%.*s", (int)response->headers[i].value.size,
                     response->headers[i].value.data);
}

static void respond(struct exchange *exchange, const struct http_response *response)
{
    (void)exchange;
    got.status = response->status;
    got.answers++;
    copy(got.type, sizeof(got.type), response, "content-type");
    copy(got.etag, sizeof(got.etag), response, "etag");
    copy(got.modified, sizeof(got.modified), response, "last-modified");
    copy(got.cache, sizeof(got.cache), response, "cache-control");
    copy(got.location, sizeof(got.location), response, "location");
    got.body_size = response->body.size;
    snprintf(got.body, sizeof(got.body), "%.*s", (int)response->body.size,
             response->body.size ? response->body.data : "");
}

static void get_with(const char *path, const char *name, const char *value)
{
    static const struct exchange_ops ops = {.respond = respond};
    struct http_header header = {bytes_of(name), bytes_of(value)};
    char full[256];
    snprintf(full, sizeof(full), "/%s", path);
    struct exchange exchange = {.ops = &ops,
                                .request = {.method = BYTES("GET"),
                                            .path = bytes_of(full),
                                            .headers = &header,
                                            .header_count = name ? 1 : 0}};
    got.answers = 0;
    statics.files.serve(&statics.files, root, bytes_of(path), NULL, &exchange);
    assert_int_equal(got.answers, 1);
}

static int status_of(const char *path)
{
    get_with(path, NULL, NULL);
    return got.status;
}

/* -- a directory ----------------------------------------------------------- */

static void put(const char *path, const char *content)
{
    char full[128];
    snprintf(full, sizeof(full), "%s/%s", root, path);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void write_log(struct log *log, enum log_level level, const char *message,
                      const struct log_field *fields, size_t count)
{
    (void)log, (void)level, (void)message, (void)fields, (void)count;
    log_lines++;
}

static int set_up(void **state)
{
    static struct log log = {LOG_INFO, write_log};
    char path[128];
    (void)state;
    log_lines = 0;
    snprintf(root, sizeof(root), "/tmp/sluice-static-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/sub", root), mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/.git", root), mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/fifo", root), mkfifo(path, 0600);
    snprintf(path, sizeof(path), "%s/link", root);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/outside", root);
    assert_int_equal(symlink("/etc", path), 0);
    put("index.html", "<p>hello");
    put("a b.css", "p{}");
    put("sub/index.html", "<p>sub");
    put("sub/x.JS", "x");
    put("plain", "?");
    put("empty.txt", "");
    put(".secret", "s");
    put(".git/config", "s");
    put("back\\slash", "b");
    static_create(&statics, &log, 100);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", root);
    return system(command) != 0 || alloc_live() != 0;
}

/* -- tests ----------------------------------------------------------------- */

static void files_have_type_and_content(void **state)
{
    (void)state;
    static const char *const files[][3] = {
        {"", "text/html; charset=utf-8", "<p>hello"},
        {"index.html", "text/html; charset=utf-8", "<p>hello"},
        {"a%20b.css", "text/css; charset=utf-8", "p{}"},
        {"sub/", "text/html; charset=utf-8", "<p>sub"},
        {"sub/x.JS", "text/javascript; charset=utf-8", "x"},
        {"s%75b/index.html", "text/html; charset=utf-8", "<p>sub"},
        {"plain", "application/octet-stream", "?"},
        {"back%5Cslash", "application/octet-stream", "b"},
        {"empty.txt", "text/plain; charset=utf-8", ""},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        assert_int_equal(status_of(files[i][0]), 200);
        assert_string_equal(got.type, files[i][1]);
        assert_string_equal(got.body, files[i][2]);
    }
}

static void nothing_else_is_found(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "..",
        "../",
        "../etc/passwd",
        "%2e%2e/etc/passwd",
        "sub/../index.html",
        "sub/%2e%2e/index.html",
        "./index.html",
        "sub/./index.html",
        "..%2fetc/passwd",
        "sub%2findex.html",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "/index.html",
        "sub//index.html",
        "sub//",
        "link",
        "outside/passwd",
        "outside/",
        "outside",
        ".secret",
        "%2esecret",
        ".git/config",
        ".git/",
        "fifo",
        "index.html/",
        "index.html/x",
        "missing",
        "missing/",
        "index.html%00",
        "index.html%00.css",
        "%",
        "%zz",
        "index%2",
        "sub/missing.js",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (status_of(paths[i]) != 404) fail_msg("%s: %d %s", paths[i], got.status, got.body);
    assert_string_equal(got.body,
                        "{\"error\":{\"code\":\"not_found\",\"message\":\"There is no such "
                        "file.\"}}");
    assert_int_equal(log_lines, 0);
}

static void a_directory_without_slash_is_redirected(void **state)
{
    (void)state;
    assert_int_equal(status_of("sub"), 301);
    assert_string_equal(got.location, "/sub/");
    assert_int_equal(status_of("/sub"), 404); /* //sub would lead to another host */
}

static void the_etag_is_of_the_content(void **state)
{
    (void)state;
    char before[64];
    assert_int_equal(status_of("index.html"), 200);
    snprintf(before, sizeof(before), "%s", got.etag);
    assert_true(before[0] == '"' && before[strlen(before) - 1] == '"');
    put("copy.html", "<p>hello");
    status_of("copy.html");
    assert_string_equal(got.etag, before);
    put("index.html", "<p>hellp");
    status_of("index.html");
    assert_string_not_equal(got.etag, before);
}

static void an_unchanged_file_is_304(void **state)
{
    (void)state;
    char etag[64], value[256];
    status_of("index.html");
    snprintf(etag, sizeof(etag), "%s", got.etag);
    static const char *const fresh[] = {"%s", "W/%s", "\"x\", %s", "\"x\",W/%s ,\"y\"", "*"};
    static const char *const stale[] = {"\"x\"", "", "W/\"x\"", "x%s", "%s\"x\"", ","};
    for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++) {
        snprintf(value, sizeof(value), fresh[i], etag);
        get_with("index.html", "if-none-match", value);
        assert_int_equal(got.status, 304);
        assert_int_equal(got.body_size, 0);
        assert_string_equal(got.etag, etag);
        assert_string_equal(got.type, "");
    }
    for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
        snprintf(value, sizeof(value), stale[i], etag);
        get_with("index.html", "if-none-match", value);
        assert_int_equal(got.status, 200);
    }
}

static void a_date_will_do_as_well(void **state)
{
    (void)state;
    char modified[64];
    status_of("index.html");
    snprintf(modified, sizeof(modified), "%s", got.modified);
    get_with("index.html", "if-modified-since", modified);
    assert_int_equal(got.status, 304);
    get_with("index.html", "if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(got.status, 200);
    get_with("index.html", "if-modified-since", "tomorrow");
    assert_int_equal(got.status, 200);
}

static void caching_is_the_callers(void **state)
{
    (void)state;
    static const struct exchange_ops ops = {.respond = respond};
    struct exchange exchange = {.ops = &ops};
    statics.files.serve(&statics.files, root, BYTES("index.html"), "max-age=60", &exchange);
    assert_string_equal(got.cache, "max-age=60");
    status_of("index.html");
    assert_string_equal(got.cache, "no-cache");
    status_of("missing");
    assert_string_equal(got.cache, "no-store");
}

static void a_file_above_the_bound_is_an_error(void **state)
{
    (void)state;
    char content[102];
    memset(content, 'x', sizeof(content));
    content[100] = '\0';
    put("most.txt", content);
    assert_int_equal(status_of("most.txt"), 200);
    assert_int_equal(got.body_size, 100);
    content[100] = 'x', content[101] = '\0';
    put("more.txt", content);
    assert_int_equal(status_of("more.txt"), 500);
    assert_int_equal(log_lines, 1);
}

static void dates_read_back(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 784111777, 951782399, 951782400, 1709164800, 4102444799};
    char text[DATE_BYTES];
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        date_write(text, times[i]);
        assert_int_equal(date_read(bytes_run(text, DATE_BYTES)), times[i]);
    }
    date_write(text, 784111777);
    assert_memory_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT", DATE_BYTES);
    static const char *const bad[] = {
        "",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 36 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Foo 1994 08:49:37 GMT",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(date_read(bytes_of(bad[i])), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_have_type_and_content),
        TEST(nothing_else_is_found),
        TEST(a_directory_without_slash_is_redirected),
        TEST(the_etag_is_of_the_content),
        TEST(an_unchanged_file_is_304),
        TEST(a_date_will_do_as_well),
        TEST(caching_is_the_callers),
        TEST(a_file_above_the_bound_is_an_error),
        cmocka_unit_test(dates_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
