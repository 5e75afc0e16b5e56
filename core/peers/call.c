#include "peers/call.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

enum { CONNECT_TIMEOUT_S = 5, KEEPALIVE_S = 30 };

struct taking {
    CURL *curl;
    call_take_f *take;
    bool (*go_on)(void *ctx);
    void *ctx;
    struct call_head *head;
    bool enough;
};

static int status_of(CURL *curl)
{
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static void read_head(const struct taking *taking)
{
    curl_off_t after = 0;
    char *type = NULL;
    struct call_head *head = taking->head;
    if (!head || head->status) return;
    head->status = status_of(taking->curl);
    curl_easy_getinfo(taking->curl, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(taking->curl, CURLINFO_RETRY_AFTER, &after);
    snprintf(head->content_type, sizeof(head->content_type), "%s", type ? type : "");
    head->retry_after_s = (long)after;
}

static size_t on_bytes(char *data, size_t one, size_t size, void *owner)
{
    struct taking *taking = owner;
    (void)one;
    read_head(taking);
    taking->enough = !taking->take(taking->ctx, status_of(taking->curl), bytes_run(data, size));
    return taking->enough ? CURL_WRITEFUNC_ERROR : size;
}

static int on_progress(void *owner, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct taking *taking = owner;
    (void)a, (void)b, (void)c, (void)d;
    if (!taking->go_on(taking->ctx)) taking->enough = true;
    return taking->enough;
}

/* A listener on every address is reached on this machine's own. */
static void set_place(CURL *curl, const struct call *call)
{
    struct buf url = BUF_EMPTY;
    const char *port = call->url ? NULL : strrchr(call->address, ':');
    if (call->url) {
        buf_add_text(&url, call->url);
    } else if (strncmp(call->address, "unix:", 5) == 0) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, call->address + 5);
        buf_printf(&url, "http://localhost%s", call->target);
    } else if (port && (call->address[0] == '*' || port == call->address)) {
        buf_printf(&url, "http://127.0.0.1%s%s", port, call->target);
    } else {
        buf_printf(&url, "http://%s%s", call->address, call->target);
    }
    curl_easy_setopt(curl, CURLOPT_URL, buf_text(&url));
    buf_destroy(&url);
}

/* The custom header says that no web page made this request: a browser sends it across origins only
 * if the server allows it, which it does not (Fetch, "CORS protocol"). */
static struct curl_slist *make_headers(const struct call *call)
{
    struct curl_slist *headers = NULL;
    for (size_t i = 0; call->headers && call->headers[i]; i++)
        headers = curl_slist_append(headers, call->headers[i]);
    if (call->headers) {
        CHECK(headers || !call->headers[0]);
    } else if (call->json.data) {
        headers = curl_slist_append(NULL, "Content-Type: application/json");
        headers = curl_slist_append(headers, "Expect:"); /* no 100-continue */
    } else {
        headers = curl_slist_append(NULL, "X-Sluice-Admin: 1");
        headers = curl_slist_append(headers, "Accept: text/plain");
    }
    if (call->key) {
        struct buf line = BUF_EMPTY;
        buf_printf(&line, "Authorization: Bearer %s", call->key);
        headers = curl_slist_append(headers, buf_text(&line));
        buf_destroy(&line);
    }
    CHECK(headers || call->headers);
    return headers;
}

int call_make(const struct call *call, call_take_f *take, void *ctx, struct buf *error)
{
    char why[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    CHECK(curl);
    struct taking taking = {.curl = curl, .take = take, .go_on = call->go_on, .ctx = ctx,
                            .head = call->head};
    struct curl_slist *headers = make_headers(call);
    set_place(curl, call);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (call->json.data) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->json.size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->json.data);
    }
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &taking);
    if (call->go_on) {
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &taking);
    }
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
    const CURLcode code = curl_easy_perform(curl);
    read_head(&taking);
    const int status = code == CURLE_OK || taking.enough ? status_of(curl) : 0;
    if (!status)
        buf_printf(error, "no answer from %s%s: %s",
                   call->json.data || call->headers ? "" : "the admin listener at ",
                   call->url ? call->url : call->address, why[0] ? why : curl_easy_strerror(code));
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}
