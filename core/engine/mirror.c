/* What is under way for the live rules has a `seen` that forwards the answer and keeps
 * a copy; a shadow's request is an `asking` that finds its `seen` or waits for one to
 * come. The two know each other by a hash of what was asked, so a body is not kept. */
#include "engine/mirror.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"

enum {
    KEPT_MAX = 1000,
    KEPT_BYTES_MAX = 16 << 20,
    KEPT_MS = 10000,
    WAIT_MS = 2000,
    WAIT_SAFE_MS = 100
};

/* A request of the live rules. */
struct seen {
    struct list node;
    struct mirror *mirror;
    uint64_t hash, at_ms; /* when it was answered */
    fetch_done_f *done;
    void *owner;
    struct fetch_call *call; /* the real one; NULL once it is answered */
    bool answered;
    int status;
    const char *code, *sentence; /* the sentence is copied into `bytes` */
    size_t header_count;
    struct buf bytes;             /* copies: names and values, the body, the sentence */
    struct http_header *headers;  /* into `bytes`, as offsets until they are handed out */
    size_t body_at, body_size, sentence_at;
};

/* A request of the shadow's. */
struct asking {
    struct list node;
    struct mirror *mirror;
    uint64_t hash, until_ms;
    fetch_done_f *done;
    void *owner;
    struct fetch_call *call; /* a real one, of what is sent */
    bool safe;
    struct buf bytes; /* what `request` points into */
    struct fetch_request request;
    struct http_header headers[];
};

/* ---- what was asked ---- */

static void add(struct buf *fields, struct bytes field)
{
    buf_printf(fields, "%zu:", field.size);
    buf_add_bytes(fields, field);
}

static uint64_t hash_of_header(const struct http_header *header)
{
    struct buf fields = BUF_EMPTY;
    add(&fields, header->name);
    add(&fields, header->value);
    const uint64_t hash = hash_bytes(fields.data, fields.size);
    buf_destroy(&fields);
    return hash;
}

/* Headers count in any order: a rule writes them as a table, and Lua's order of one is another in
 * every VM. */
static uint64_t hash_of(const struct fetch_request *request)
{
    struct buf fields = BUF_EMPTY;
    add(&fields, request->method);
    add(&fields, request->url);
    add(&fields, request->body);
    uint64_t hash = hash_bytes(fields.data, fields.size);
    buf_destroy(&fields);
    for (size_t i = 0; i < request->header_count; i++)
        hash += hash_of_header(&request->headers[i]);
    return hash;
}

static bool is_old(const struct mirror *mirror, const struct seen *seen)
{
    return seen->answered && mirror->_clock->now_ms - seen->at_ms >= KEPT_MS;
}

static struct bytes key_of(const uint64_t *hash)
{
    return bytes_run((const char *)hash, sizeof(*hash));
}

/* The newest that asked this; those before it were for earlier events. */
static struct seen *find(const struct mirror *mirror, uint64_t hash)
{
    struct seen *newest = dict_get(&mirror->_newest, key_of(&hash));
    return newest && !is_old(mirror, newest) ? newest : NULL;
}

/* ---- the live rules' ---- */

static void seen_free(struct seen *seen)
{
    struct dict *newest = &seen->mirror->_newest;
    if (dict_get(newest, key_of(&seen->hash)) == seen) dict_remove(newest, key_of(&seen->hash));
    list_remove(&seen->node);
    seen->mirror->_kept--;
    seen->mirror->_bytes -= seen->bytes.size;
    buf_destroy(&seen->bytes);
    xfree(seen->headers);
    xfree(seen);
}

/* Those that are answered and old, or too many, or too large. */
static void forget(struct mirror *mirror)
{
    LIST_EACH(node, &mirror->_requests) {
        struct seen *seen = CONTAINER(node, struct seen, node);
        const bool full = mirror->_kept > KEPT_MAX || mirror->_bytes > KEPT_BYTES_MAX;
        if (seen->answered && (full || !mirror->_watching || is_old(mirror, seen))) seen_free(seen);
    }
}

static struct bytes keep(struct seen *seen, struct bytes bytes)
{
    const size_t at = seen->bytes.size;
    buf_add_bytes(&seen->bytes, bytes);
    return bytes_run((const char *)(uintptr_t)at, bytes.size);
}

static void keep_answer(struct seen *seen, const struct fetch_answer *answer)
{
    seen->answered = true;
    seen->at_ms = seen->mirror->_clock->now_ms;
    seen->status = answer->status;
    seen->code = answer->code;
    seen->header_count = answer->header_count;
    seen->headers = xcalloc(answer->header_count, sizeof(struct http_header));
    for (size_t i = 0; i < answer->header_count; i++)
        seen->headers[i] = (struct http_header){keep(seen, answer->headers[i].name),
                                                keep(seen, answer->headers[i].value)};
    seen->body_at = seen->bytes.size;
    seen->body_size = answer->body.size;
    buf_add_bytes(&seen->bytes, answer->body);
    seen->sentence_at = seen->bytes.size;
    buf_add_text(&seen->bytes, answer->sentence ? answer->sentence : "");
    buf_add_char(&seen->bytes, '\0');
    seen->mirror->_bytes += seen->bytes.size;
}

static void post_answers(struct mirror *mirror)
{
    if (mirror->_watching) later_post(mirror->_later, LATER_SOON, &mirror->_answer);
}

static void on_live_done(void *owner, const struct fetch_answer *answer)
{
    struct seen *seen = owner;
    struct mirror *mirror = seen->mirror;
    seen->call = NULL;
    keep_answer(seen, answer);
    post_answers(mirror);
    seen->done(seen->owner, answer); /* it may do anything: `seen` may be gone */
    if (!mirror->_watching) forget(mirror); /* else once those who wait for it have it */
}

static struct fetch_call *start_live(struct fetch *fetch, const struct fetch_request *request,
                                     fetch_done_f *done, void *owner)
{
    struct mirror *mirror = CONTAINER(fetch, struct mirror, live);
    if (!mirror->_watching) return mirror->_real->start(mirror->_real, request, done, owner);
    struct seen *seen = xcalloc(1, sizeof(*seen));
    seen->mirror = mirror;
    seen->hash = hash_of(request);
    seen->done = done;
    seen->owner = owner;
    list_append(&mirror->_requests, &seen->node);
    dict_set(&mirror->_newest, key_of(&seen->hash), seen);
    mirror->_kept++;
    seen->call = mirror->_real->start(mirror->_real, request, on_live_done, seen);
    return (struct fetch_call *)seen;
}

/* Is it one of ours, or was it started before there was a shadow? */
static struct seen *seen_of(struct mirror *mirror, const struct fetch_call *call)
{
    LIST_EACH(node, &mirror->_requests) {
        struct seen *seen = CONTAINER(node, struct seen, node);
        if ((const void *)seen == (const void *)call) return seen;
    }
    return NULL;
}

static void cancel_live(struct fetch *fetch, struct fetch_call *call)
{
    struct mirror *mirror = CONTAINER(fetch, struct mirror, live);
    struct seen *seen = seen_of(mirror, call);
    mirror->_real->cancel(mirror->_real, seen ? seen->call : call);
    if (!seen) return;
    seen_free(seen);
    post_answers(mirror);
}

/* ---- the shadow's ---- */

static void asking_free(struct asking *asking)
{
    list_remove(&asking->node);
    buf_destroy(&asking->bytes);
    xfree(asking);
}

/* Its own, or one that the live rules wait for as well: that it gets, however long it takes. */
static bool is_under_way(const struct mirror *mirror, const struct asking *asking)
{
    return asking->call || find(mirror, asking->hash);
}

/* The next that gives up, or is old. */
static void watch_time(struct mirror *mirror)
{
    uint64_t next = UINT64_MAX;
    LIST_EACH(node, &mirror->_asking) {
        const struct asking *asking = CONTAINER(node, struct asking, node);
        if (asking->until_ms < next && !is_under_way(mirror, asking)) next = asking->until_ms;
    }
    LIST_EACH(node, &mirror->_requests) {
        const struct seen *seen = CONTAINER(node, struct seen, node);
        if (seen->answered && seen->at_ms + KEPT_MS < next) next = seen->at_ms + KEPT_MS;
    }
    if (next == UINT64_MAX)
        clock_cancel(mirror->_clock, &mirror->_timer);
    else
        wheel_arm(&mirror->_clock->wheel, &mirror->_timer, next);
}

static void hand_over(struct asking *asking, const struct seen *seen)
{
    fetch_done_f *done = asking->done;
    void *owner = asking->owner;
    struct http_header *headers = xcalloc(seen->header_count, sizeof(*headers));
    const char *base = seen->bytes.data;
    for (size_t i = 0; i < seen->header_count; i++) {
        const struct http_header *kept = &seen->headers[i];
        headers[i].name = bytes_run(base + (uintptr_t)kept->name.data, kept->name.size);
        headers[i].value = bytes_run(base + (uintptr_t)kept->value.data, kept->value.size);
    }
    const struct fetch_answer answer = {.status = seen->status,
                                        .headers = headers,
                                        .header_count = seen->header_count,
                                        .body = bytes_run(base + seen->body_at, seen->body_size),
                                        .code = seen->code,
                                        .sentence = seen->code ? base + seen->sentence_at : NULL};
    asking_free(asking);
    done(owner, &answer);
    xfree(headers);
}

static void on_sent_done(void *owner, const struct fetch_answer *answer)
{
    struct asking *asking = owner;
    fetch_done_f *done = asking->done;
    void *whose = asking->owner;
    asking_free(asking);
    done(whose, answer);
}

/* Nobody else has asked it: it is sent, or fails. */
static void give_up(struct asking *asking)
{
    static const struct fetch_answer answer = {
        .code = "network",
        .sentence = "a shadow's request that changes something is not sent, and the live rules made "
                    "no such request, or gave it up"};
    struct mirror *mirror = asking->mirror;
    fetch_done_f *done = asking->done;
    void *owner = asking->owner;
    if (asking->safe) {
        asking->call = mirror->_real->start(mirror->_real, &asking->request, on_sent_done, asking);
        return;
    }
    mirror->unsent++;
    asking_free(asking);
    done(owner, &answer);
}

/* One at a time: what a call-back does may change the list. */
static bool answer_one(struct mirror *mirror)
{
    LIST_EACH(node, &mirror->_asking) {
        struct asking *asking = CONTAINER(node, struct asking, node);
        const struct seen *seen = asking->call ? NULL : find(mirror, asking->hash);
        if (asking->call || (seen && !seen->answered)) continue;
        if (!seen && asking->until_ms > mirror->_clock->now_ms) continue;
        if (seen)
            hand_over(asking, seen);
        else
            give_up(asking);
        return true;
    }
    return false;
}

static void run_answers(struct mirror *mirror)
{
    while (answer_one(mirror)) continue;
    forget(mirror);
    watch_time(mirror);
}

static void on_answers(struct job *job)
{
    run_answers(CONTAINER(job, struct mirror, _answer));
}

static void on_time(struct timer *timer)
{
    run_answers(CONTAINER(timer, struct mirror, _timer));
}

static struct bytes copy(struct asking *asking, struct bytes bytes)
{
    const struct bytes at = bytes_run(asking->bytes.data + asking->bytes.size, bytes.size);
    buf_add_bytes(&asking->bytes, bytes);
    return at;
}

/* One block for all bytes, reserved beforehand so that nothing moves. */
static void copy_request(struct asking *asking, const struct fetch_request *from)
{
    struct fetch_request *to = &asking->request;
    size_t size = from->method.size + from->url.size + from->body.size + 1;
    for (size_t i = 0; i < from->header_count; i++)
        size += from->headers[i].name.size + from->headers[i].value.size;
    buf_reserve(&asking->bytes, size);
    *to = *from;
    to->method = copy(asking, from->method);
    to->url = copy(asking, from->url);
    to->body = copy(asking, from->body);
    to->headers = asking->headers;
    for (size_t i = 0; i < from->header_count; i++)
        asking->headers[i] = (struct http_header){copy(asking, from->headers[i].name),
                                                  copy(asking, from->headers[i].value)};
}

static struct fetch_call *start_shadow(struct fetch *fetch, const struct fetch_request *request,
                                       fetch_done_f *done, void *owner)
{
    struct mirror *mirror = CONTAINER(fetch, struct mirror, shadow);
    struct asking *asking =
        xcalloc(1, sizeof(*asking) + request->header_count * sizeof(struct http_header));
    asking->mirror = mirror;
    asking->hash = hash_of(request);
    asking->safe = bytes_is(request->method, "GET") || bytes_is(request->method, "HEAD");
    const uint64_t wait = asking->safe ? WAIT_SAFE_MS : WAIT_MS;
    asking->until_ms =
        mirror->_clock->now_ms + (request->timeout_ms < wait ? request->timeout_ms : wait);
    asking->done = done;
    asking->owner = owner;
    copy_request(asking, request);
    list_append(&mirror->_asking, &asking->node);
    post_answers(mirror);
    return (struct fetch_call *)asking;
}

static void cancel_shadow(struct fetch *fetch, struct fetch_call *call)
{
    struct mirror *mirror = CONTAINER(fetch, struct mirror, shadow);
    struct asking *asking = (struct asking *)call;
    if (asking->call) mirror->_real->cancel(mirror->_real, asking->call);
    asking_free(asking);
    watch_time(mirror);
}

/* ---- life ---- */

void mirror_create(struct mirror *mirror, struct fetch *real, struct clock *clock,
                   struct later *later)
{
    *mirror = (struct mirror){.live = {start_live, cancel_live},
                              .shadow = {start_shadow, cancel_shadow},
                              ._real = real,
                              ._clock = clock,
                              ._later = later,
                              ._newest = DICT_EMPTY};
    list_create(&mirror->_requests);
    list_create(&mirror->_asking);
    timer_init(&mirror->_timer, on_time);
    job_create(&mirror->_answer, on_answers);
}

void mirror_watch(struct mirror *mirror, bool watching)
{
    mirror->_watching = watching;
    if (watching) return;
    CHECK(list_empty(&mirror->_asking));
    clock_cancel(mirror->_clock, &mirror->_timer);
    later_cancel(&mirror->_answer);
    forget(mirror);
}

void mirror_destroy(struct mirror *mirror)
{
    mirror_watch(mirror, false);
    CHECK(list_empty(&mirror->_requests));
    dict_destroy(&mirror->_newest);
}
