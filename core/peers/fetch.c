#include "peers/fetch.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "peers/transfer.h"

struct curl_fetch {
    struct fetch fetch; /* first: the port */
    struct multi *multi;
    uint32_t calls;
};

struct fetch_call {
    struct curl_fetch *fetch;
    struct transfer *transfer;
    struct buf body;
    size_t limit_bytes;
    fetch_done_f *done;
    void *owner;
};

static void free_call(struct fetch_call *call)
{
    call->fetch->calls--;
    buf_destroy(&call->body);
    xfree(call);
}

static void fail(struct fetch_call *call, const char *code, const char *sentence)
{
    const struct fetch_answer answer = {.code = code, .sentence = sentence};
    call->done(call->owner, &answer);
    free_call(call);
}

static void on_bytes(void *owner, struct bytes bytes)
{
    struct fetch_call *call = owner;
    if (bytes.size <= call->limit_bytes - call->body.size) {
        buf_add_bytes(&call->body, bytes);
        return;
    }
    transfer_cancel(call->transfer);
    fail(call, "too_large", "the answer's body is larger than allowed");
}

static void on_end(void *owner, const char *code, const char *sentence)
{
    struct fetch_call *call = owner;
    if (code) {
        fail(call, code, sentence);
        return;
    }
    struct transfer_head head;
    transfer_read_head(call->transfer, &head);
    const struct fetch_answer answer = {.status = head.status,
                                        .headers = head.headers,
                                        .header_count = head.header_count,
                                        .body = buf_bytes(&call->body)};
    call->done(call->owner, &answer);
    transfer_head_destroy(&head);
    free_call(call);
}

static const struct transfer_events events = {NULL, on_bytes, on_end};

static struct fetch_call *start(struct fetch *port, const struct fetch_request *request,
                                fetch_done_f *done, void *owner)
{
    struct curl_fetch *fetch = CONTAINER(port, struct curl_fetch, fetch);
    struct fetch_call *call = xcalloc(1, sizeof(*call));
    call->fetch = fetch;
    call->limit_bytes = request->max_answer_bytes;
    call->done = done;
    call->owner = owner;
    fetch->calls++;
    const struct transfer_options options = {.timeout_ms = request->timeout_ms};
    call->transfer = transfer_start(fetch->multi, request, &options, &events, call);
    return call;
}

static void cancel(struct fetch *port, struct fetch_call *call)
{
    (void)port;
    transfer_cancel(call->transfer);
    free_call(call);
}

struct fetch *fetch_new(struct multi *multi)
{
    struct curl_fetch *fetch = xcalloc(1, sizeof(*fetch));
    fetch->fetch = (struct fetch){start, cancel};
    fetch->multi = multi;
    return &fetch->fetch;
}

void fetch_free(struct fetch *port)
{
    struct curl_fetch *fetch = CONTAINER(port, struct curl_fetch, fetch);
    CHECK(fetch->calls == 0);
    xfree(fetch);
}
