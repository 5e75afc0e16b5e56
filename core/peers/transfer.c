/* Curl's callbacks only note: a complete head, bytes into the buffer, a result.
 * deliver(), a job, tells the owner what was noted, in order, and lets curl go
 * on. So an owner may do anything from within an event, also start and cancel
 * transfers, without ever meeting a curl that is half-way through something.
 *
 * The deadline is one timer over all redirects. QUICK_EXIT is what keeps a
 * cancelled look-up of a name from blocking the loop until the resolver's thread
 * is done (curl would join it). */
#include "peers/transfer.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/text.h"
#include "peers/outgoing.h"

enum { STREAM_READ_BYTES = 4096, ANSWER_READ_BYTES = 16 * 1024, KEPT_BYTES = 8 * 1024 };

struct transfer {
    struct multi_run run;
    struct multi *multi;
    const struct transfer_events *events;
    void *owner;
    struct outgoing *outgoing;
    struct curl_slist *lines;
    struct job job;
    struct timer deadline;
    uint64_t timeout_ms;
    struct buf pending; /* bytes for the owner */
    size_t head_bytes, ignored_bytes;
    const char *code; /* of the end, with `sentence` */
    char sentence[CURL_ERROR_SIZE];
    bool stream;
    bool running;     /* in the multi */
    bool redirecting; /* the head is a redirect's; its body is ignored */
    bool head_done, head_told;
    bool ended;   /* nothing more comes from curl */
    bool stalled; /* curl is paused: the buffer was full */
    bool held;    /* by the owner */
    bool telling; /* deliver is on the stack */
    bool cancelled;
};

static CURL *easy_of(const struct transfer *transfer)
{
    return transfer->run.easy;
}

static void post(struct transfer *transfer)
{
    later_post(loop_later(multi_loop(transfer->multi)), LATER_SOON, &transfer->job);
}

static void free_transfer(struct transfer *transfer)
{
    curl_easy_cleanup(easy_of(transfer));
    curl_slist_free_all(transfer->lines);
    outgoing_free(transfer->outgoing);
    buf_destroy(&transfer->pending);
    xfree(transfer);
}

/* Nothing more comes; what was buffered is still told. */
static void finish(struct transfer *transfer, const char *code, const char *sentence)
{
    if (transfer->running) multi_stop(transfer->multi, &transfer->run);
    clock_cancel(loop_clock(multi_loop(transfer->multi)), &transfer->deadline);
    transfer->running = false;
    transfer->ended = true;
    transfer->code = code;
    if (sentence && sentence != transfer->sentence)
        snprintf(transfer->sentence, sizeof(transfer->sentence), "%s", sentence);
    post(transfer);
}

static void on_deadline(struct timer *timer)
{
    struct transfer *transfer = CONTAINER(timer, struct transfer, deadline);
    char sentence[64];
    snprintf(sentence, sizeof(sentence), "no %s within %.1f s",
             transfer->stream ? "head of an answer" : "whole answer",
             (double)transfer->timeout_ms / 1000);
    finish(transfer, "timeout", sentence);
}

static const char *code_of(CURLcode result)
{
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_COULDNT_CONNECT:
        return "refused";
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "resolve";
    case CURLE_URL_MALFORMAT:
        return "bad_url";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return "tls";
    default:
        return "network";
    }
}

static long status_of(const struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(easy_of(transfer), CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* The header Location, or NULL. */
static const char *location_of(const struct transfer *transfer)
{
    struct curl_header *header;
    CURLHcode code = curl_easy_header(easy_of(transfer), "location", 0, CURLH_HEADER, -1, &header);
    return code == CURLHE_OK ? header->value : NULL;
}

/* The blank line after a head. Those of 1xx announce another one. */
static void end_head(struct transfer *transfer)
{
    long status = status_of(transfer);
    if (status < 200) return;
    if (outgoing_redirects((int)status) && location_of(transfer)) {
        transfer->redirecting = true;
        return;
    }
    transfer->head_done = true;
    if (transfer->stream)
        clock_cancel(loop_clock(multi_loop(transfer->multi)), &transfer->deadline);
    post(transfer);
}

static size_t on_header(char *data, size_t unit, size_t count, void *owner)
{
    struct transfer *transfer = owner;
    size_t size = unit * count;
    transfer->head_bytes += size;
    if (transfer->head_bytes > TRANSFER_HEAD_BYTES) return 0;
    if (transfer->head_done || transfer->redirecting) return size; /* a trailer */
    if (size <= 2 && (data[0] == '\r' || data[0] == '\n')) end_head(transfer);
    return size;
}

static size_t on_body(char *data, size_t unit, size_t count, void *owner)
{
    struct transfer *transfer = owner;
    size_t size = unit * count;
    if (transfer->redirecting) {
        transfer->ignored_bytes += size;
        return transfer->ignored_bytes > TRANSFER_IGNORED_BYTES ? 0 : size;
    }
    if (transfer->pending.size && transfer->pending.size + size > TRANSFER_BUFFER_BYTES) {
        transfer->stalled = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    buf_add(&transfer->pending, data, size);
    post(transfer);
    return size;
}

static void set_lines(struct transfer *transfer)
{
    const struct outgoing *outgoing = transfer->outgoing;
    curl_slist_free_all(transfer->lines);
    struct curl_slist *lines = curl_slist_append(NULL, "Expect:"); /* no 100-continue */
    for (size_t i = 0; i < outgoing->header_count; i++)
        lines = curl_slist_append(lines, outgoing->headers[i].line);
    if (!outgoing_has(outgoing, "content-type"))
        lines = curl_slist_append(lines, "Content-Type:"); /* curl would guess a form */
    CHECK(lines);
    transfer->lines = lines;
    curl_easy_setopt(easy_of(transfer), CURLOPT_HTTPHEADER, lines);
}

static void set_method(struct transfer *transfer)
{
    const struct outgoing *outgoing = transfer->outgoing;
    CURL *easy = easy_of(transfer);
    const char *method = outgoing->method;
    bool posts = outgoing->body || !strcmp(method, "POST") || !strcmp(method, "PUT") ||
                 !strcmp(method, "PATCH");
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (posts) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)outgoing->body_size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, outgoing->body ? outgoing->body : "");
    }
    if (!strcmp(method, "HEAD")) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* What stays through redirects. */
static void set_options(struct transfer *transfer)
{
    const struct multi_options *options = multi_options(transfer->multi);
    CURL *easy = easy_of(transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer->run);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->sentence);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                     (long)(transfer->stream ? STREAM_READ_BYTES : ANSWER_READ_BYTES));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, options->proxy ? options->proxy : "");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (options->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
}

static void start(struct transfer *transfer)
{
    CURL *easy = easy_of(transfer);
    const char *url = transfer->outgoing->url;
    transfer->redirecting = false;
    transfer->head_bytes = transfer->ignored_bytes = 0;
    transfer->sentence[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, url);
    /* Over TLS, rather wait for whether a connection turns out to be HTTP/2 than open a second. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, !strncmp(url, "https:", 6) ? 1L : 0L);
    set_method(transfer);
    set_lines(transfer);
    transfer->running = true;
    multi_start(transfer->multi, &transfer->run);
}

static void follow(struct transfer *transfer)
{
    const char *fault =
        outgoing_redirect(transfer->outgoing, (int)status_of(transfer), location_of(transfer));
    if (fault)
        finish(transfer, "redirects", fault);
    else
        start(transfer);
}

static void on_done(struct multi_run *run, int result)
{
    struct transfer *transfer = CONTAINER(run, struct transfer, run);
    transfer->running = false;
    if (transfer->head_bytes > TRANSFER_HEAD_BYTES)
        finish(transfer, "too_large", "the answer's head is too large");
    else if (transfer->redirecting)
        follow(transfer);
    else if (result == CURLE_OK && transfer->head_done)
        finish(transfer, NULL, NULL);
    else if (result == CURLE_OK) /* curl takes half a head for a whole one */
        finish(transfer, "network", "the answer ended within its head");
    else
        finish(transfer, code_of((CURLcode)result),
               transfer->sentence[0] ? transfer->sentence : curl_easy_strerror((CURLcode)result));
}

static void let_flow(struct transfer *transfer)
{
    if (!transfer->stalled || transfer->ended) return;
    transfer->stalled = false;
    curl_easy_pause(easy_of(transfer), CURLPAUSE_CONT); /* may call on_body */
}

static void tell_bytes(struct transfer *transfer)
{
    transfer->events->bytes(transfer->owner, buf_bytes(&transfer->pending));
    if (transfer->pending.capacity > KEPT_BYTES) buf_destroy(&transfer->pending);
    buf_clear(&transfer->pending);
}

/* Tells what there is to tell; true after the last word. */
static bool tell(struct transfer *transfer)
{
    if (transfer->head_done && !transfer->head_told) {
        transfer->head_told = true;
        if (transfer->events->head) transfer->events->head(transfer->owner);
        if (transfer->cancelled) return true;
    }
    if (transfer->held) return false;
    if (transfer->pending.size) tell_bytes(transfer);
    if (transfer->cancelled) return true;
    if (transfer->held) return false;
    let_flow(transfer);
    if (!transfer->ended) return false;
    const char *sentence = transfer->code ? transfer->sentence : NULL;
    transfer->events->end(transfer->owner, transfer->code, sentence);
    return true;
}

static void deliver(struct job *job)
{
    struct transfer *transfer = CONTAINER(job, struct transfer, job);
    transfer->telling = true;
    bool over = tell(transfer);
    transfer->telling = false;
    if (!over) return;
    later_cancel(&transfer->job);
    free_transfer(transfer);
}

struct transfer *transfer_start(struct multi *multi, const struct fetch_request *request,
                                const struct transfer_options *options,
                                const struct transfer_events *events, void *owner)
{
    struct transfer *transfer = xcalloc(1, sizeof(*transfer));
    transfer->multi = multi;
    transfer->events = events;
    transfer->owner = owner;
    transfer->stream = options->stream;
    transfer->timeout_ms = options->timeout_ms;
    transfer->outgoing = outgoing_new(request);
    transfer->run = (struct multi_run){curl_easy_init(), on_done};
    CHECK(transfer->run.easy);
    job_create(&transfer->job, deliver);
    timer_init(&transfer->deadline, on_deadline);
    const char *fault = outgoing_fault(request);
    if (fault) {
        finish(transfer, "bad_url", fault);
        return transfer;
    }
    set_options(transfer);
    if (options->timeout_ms)
        clock_after(loop_clock(multi_loop(multi)), &transfer->deadline, options->timeout_ms);
    start(transfer);
    return transfer;
}

void transfer_cancel(struct transfer *transfer)
{
    if (transfer->running) multi_stop(transfer->multi, &transfer->run);
    transfer->running = false;
    transfer->cancelled = true;
    clock_cancel(loop_clock(multi_loop(transfer->multi)), &transfer->deadline);
    later_cancel(&transfer->job);
    if (!transfer->telling) free_transfer(transfer);
}

void transfer_hold(struct transfer *transfer, bool held)
{
    transfer->held = held;
    if (!held) post(transfer);
}

static size_t count_headers(const struct transfer *transfer, size_t *names_size)
{
    size_t count = 0;
    struct curl_header *at = NULL;
    while ((at = curl_easy_nextheader(easy_of(transfer), CURLH_HEADER, -1, at))) {
        *names_size += strlen(at->name);
        count++;
    }
    return count;
}

void transfer_read_head(const struct transfer *transfer, struct transfer_head *head)
{
    size_t names_size = 0, count = count_headers(transfer, &names_size);
    *head = (struct transfer_head){.status = (int)status_of(transfer), .retry_after_ms = -1};
    head->headers = xcalloc(count, sizeof(*head->headers));
    char *room = head->_names = xmalloc(names_size);
    struct curl_header *at = NULL;
    while ((at = curl_easy_nextheader(easy_of(transfer), CURLH_HEADER, -1, at))) {
        struct bytes name = bytes_run(room, strlen(at->name));
        for (const char *c = at->name; *c; c++) *room++ = (char)tolower((unsigned char)*c);
        head->headers[head->header_count++] = (struct http_header){name, bytes_of(at->value)};
    }
    curl_off_t seconds = 0; /* curl reads both the number and the date, and says 0 for none */
    curl_easy_getinfo(easy_of(transfer), CURLINFO_RETRY_AFTER, &seconds);
    if (transfer_head_get(head, "retry-after").data)
        head->retry_after_ms =
            seconds > 0 ? (int64_t)(seconds < INT32_MAX ? seconds : INT32_MAX) * 1000 : 0;
}

void transfer_head_destroy(struct transfer_head *head)
{
    xfree(head->headers);
    xfree(head->_names);
}

struct bytes transfer_head_get(const struct transfer_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (bytes_is(head->headers[i].name, name)) return head->headers[i].value;
    return (struct bytes){NULL, 0};
}
