/* What rules ask over HTTP, and what they are answered. Whoever asked before the
 * recording began is answered in it without a line: a replay does not have the
 * question. */
#include "base/alloc.h"
#include "base/check.h"
#include "tape/taps.h"

struct fetch_call {
    struct taps *taps;
    struct fetch_call *inner;
    fetch_done_f *done;
    void *owner;
    uint64_t number, recording; /* 0: its question is in none */
};

struct question {
    uint64_t number;
    const struct fetch_request *request;
};

struct reply {
    uint64_t number;
    const struct fetch_answer *answer; /* NULL: nobody waits for it any more */
};

static struct bytes type_of(const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_is(headers[i].name, "content-type")) return headers[i].value;
    return BYTES("");
}

static void write_question(struct entry *entry, const void *ctx)
{
    const struct question *question = ctx;
    const struct fetch_request *request = question->request;
    entry_number(entry, "id", (long long)question->number);
    entry_text(entry, "method", request->method);
    entry_url(entry, "url", request->url);
    entry_headers(entry, request->headers, request->header_count);
    entry_body(entry, "body", type_of(request->headers, request->header_count), request->body);
}

static void write_reply(struct entry *entry, const void *ctx)
{
    const struct reply *reply = ctx;
    const struct fetch_answer *answer = reply->answer;
    entry_number(entry, "id", (long long)reply->number);
    if (!answer) return;
    if (answer->code) {
        entry_text(entry, "code", bytes_of(answer->code));
        entry_text(entry, "sentence", bytes_of(answer->sentence));
        return;
    }
    entry_number(entry, "status", answer->status);
    entry_headers(entry, answer->headers, answer->header_count);
    entry_body(entry, "body", type_of(answer->headers, answer->header_count), answer->body);
}

static void on_done(void *owner, const struct fetch_answer *answer)
{
    struct fetch_call *call = owner;
    const struct reply reply = {call->number, answer};
    fetch_done_f *done = call->done;
    void *asker = call->owner;
    if (taps_in(call->taps, call->recording))
        tape_add(call->taps->tape, "fetched", write_reply, &reply);
    xfree(call);
    done(asker, answer);
}

static struct fetch_call *start(struct fetch *fetch, const struct fetch_request *request,
                                fetch_done_f *done, void *owner)
{
    struct taps *taps = CONTAINER(fetch, struct taps, fetch);
    struct fetch_call *call = xcalloc(1, sizeof(*call));
    *call = (struct fetch_call){.taps = taps, .done = done, .owner = owner};
    if (taps->tape) {
        call->number = ++taps->_numbers;
        call->recording = taps->_recording;
        tape_add(taps->tape, "fetch", write_question, &(struct question){call->number, request});
    }
    call->inner = taps->_fetch->start(taps->_fetch, request, on_done, call);
    return call;
}

static void cancel(struct fetch *fetch, struct fetch_call *call)
{
    struct taps *taps = CONTAINER(fetch, struct taps, fetch);
    if (taps_in(taps, call->recording))
        tape_add(taps->tape, "dropped", write_reply, &(struct reply){call->number, NULL});
    taps->_fetch->cancel(taps->_fetch, call->inner);
    xfree(call);
}

void taps_create_fetch(struct taps *taps)
{
    taps->fetch = (struct fetch){.start = start, .cancel = cancel};
}
