#include "rig/remote.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

static void request_create(struct remote *remote, struct remote_request *request,
                           const struct fetch_request *from)
{
    request->number = ++remote->_number;
    remote->made++;
    buf_add_bytes(&request->method, from->method);
    buf_add_bytes(&request->url, from->url);
    buf_add_bytes(&request->body, from->body);
    for (size_t i = 0; i < from->header_count; i++)
        buf_printf(&request->headers, "%.*s: %.*s\n", (int)from->headers[i].name.size,
                   from->headers[i].name.data, (int)from->headers[i].value.size,
                   from->headers[i].value.data);
}

static void request_destroy(struct remote_request *request)
{
    list_remove(&request->node);
    buf_destroy(&request->method);
    buf_destroy(&request->url);
    buf_destroy(&request->headers);
    buf_destroy(&request->body);
}

static struct remote_request *find(struct list *list, uint64_t number)
{
    LIST_EACH(node, list) {
        struct remote_request *request = CONTAINER(node, struct remote_request, node);
        if (request->number == number) return request;
    }
    return NULL;
}

/* ---- requests ---- */

static void call_free(struct fetch_call *call)
{
    clock_cancel(call->_remote->_clock, &call->_timeout);
    request_destroy(&call->request);
    xfree(call);
}

static void finish(struct fetch_call *call, const struct fetch_answer *answer)
{
    fetch_done_f *done = call->_done;
    void *owner = call->_owner;
    call_free(call);
    done(owner, answer);
}

static void on_call_timeout(struct timer *timer)
{
    static const struct fetch_answer answer = {.code = "timeout",
                                               .sentence = "no answer within the time-out"};
    finish(CONTAINER(timer, struct fetch_call, _timeout), &answer);
}

static struct fetch_call *start(struct fetch *fetch, const struct fetch_request *request,
                                fetch_done_f *done, void *owner)
{
    struct remote *remote = CONTAINER(fetch, struct remote, fetch);
    struct fetch_call *call = xcalloc(1, sizeof(*call));
    call->_remote = remote;
    call->_done = done;
    call->_owner = owner;
    request_create(remote, &call->request, request);
    list_append(&remote->calls, &call->request.node);
    timer_init(&call->_timeout, on_call_timeout);
    clock_after(remote->_clock, &call->_timeout, request->timeout_ms);
    return call;
}

static void cancel(struct fetch *fetch, struct fetch_call *call)
{
    (void)fetch;
    call_free(call);
}

bool remote_answer(struct remote *remote, uint64_t number, const struct fetch_answer *answer)
{
    struct remote_request *request = find(&remote->calls, number);
    if (request) finish(CONTAINER(request, struct fetch_call, request), answer);
    return request;
}

/* ---- wires ---- */

static void wire_free(struct wire *wire)
{
    *wire->_slot = NULL;
    clock_cancel(wire->_remote->_clock, &wire->_timeout);
    later_cancel(&wire->_release);
    request_destroy(&wire->request);
    buf_destroy(&wire->_held);
    xfree(wire);
}

static void end(struct wire *wire, const char *code, const char *sentence)
{
    const struct wire_events *events = wire->_events;
    void *owner = wire->owner;
    wire_free(wire);
    events->end(owner, code, sentence);
}

static void head(struct wire *wire, const struct wire_head *said)
{
    wire->state = WIRE_OPEN;
    clock_cancel(wire->_remote->_clock, &wire->_timeout);
    wire->_events->head(wire->owner, said);
}

static void on_wire_timeout(struct timer *timer)
{
    end(CONTAINER(timer, struct wire, _timeout), "timeout", "no answer within the time-out");
}

static void on_release(struct job *job)
{
    struct wire *wire = CONTAINER(job, struct wire, _release);
    if (wire->paused) return;
    struct remote *remote = wire->_remote;
    const uint64_t number = wire->request.number;
    struct buf held = wire->_held;
    wire->_held = BUF_EMPTY;
    if (held.size) wire->_events->bytes(wire->owner, buf_bytes(&held));
    buf_destroy(&held);
    struct remote_request *still = find(&remote->wires, number);
    if (still && wire->_held_end && !wire->paused) end(wire, NULL, NULL);
}

/* The rule with the longest path that the URL's path begins with; "" is every URL's. */
static const struct remote_rule *rule_for(struct remote *remote, struct bytes url)
{
    const char *scheme = memmem(url.data, url.size, "://", 3);
    const char *host = scheme ? scheme + 3 : url.data;
    const char *end = url.data + url.size;
    const char *slash = memchr(host, '/', (size_t)(end - host)), *path = slash ? slash : end;
    const struct remote_rule *best = NULL;
    LIST_EACH(node, &remote->rules) {
        const struct remote_rule *rule = CONTAINER(node, struct remote_rule, node);
        size_t size = strlen(rule->path);
        if ((size_t)(end - path) >= size && memcmp(path, rule->path, size) == 0 &&
            (!best || size > strlen(best->path)))
            best = rule;
    }
    return best;
}

static void open_wire(struct transport *transport, const struct fetch_request *request,
                      uint64_t connect_timeout_ms, const struct wire_events *events, void *owner,
                      struct wire **slot)
{
    struct remote *remote = CONTAINER(transport, struct remote, transport);
    struct wire *wire = xcalloc(1, sizeof(*wire));
    wire->_remote = remote;
    wire->_events = events;
    wire->owner = owner;
    wire->_slot = slot;
    job_create(&wire->_release, on_release);
    timer_init(&wire->_timeout, on_wire_timeout);
    request_create(remote, &wire->request, request);
    list_append(&remote->wires, &wire->request.node);
    if (!remote->patient) clock_after(remote->_clock, &wire->_timeout, connect_timeout_ms);
    *slot = wire;
    const struct remote_rule *rule = rule_for(remote, request->url);
    if (rule && !rule->status) return;
    const struct wire_head said = {
        .status = rule ? rule->status : 200,
        .content_type = bytes_of(rule && rule->content_type ? rule->content_type
                                                            : "text/event-stream"),
        .retry_after_ms = rule ? rule->retry_after_ms : -1};
    head(wire, &said);
}

static void pause_wire(struct transport *transport, struct wire *wire, bool paused)
{
    (void)transport;
    wire->paused = paused;
    if (!paused && (wire->_held.size || wire->_held_end))
        later_post(wire->_remote->_later, LATER_SOON, &wire->_release);
}

static void close_wire(struct transport *transport, struct wire **slot)
{
    (void)transport;
    if (*slot) wire_free(*slot);
}

static struct wire *wire_of(struct remote *remote, uint64_t number)
{
    struct remote_request *request = find(&remote->wires, number);
    return request ? CONTAINER(request, struct wire, request) : NULL;
}

bool remote_head(struct remote *remote, uint64_t number, const struct wire_head *said)
{
    struct wire *wire = wire_of(remote, number);
    if (wire) head(wire, said);
    return wire;
}

bool remote_bytes(struct remote *remote, uint64_t number, struct bytes bytes)
{
    struct wire *wire = wire_of(remote, number);
    if (!wire) return false;
    if (wire->paused || wire->_held.size)
        buf_add_bytes(&wire->_held, bytes);
    else
        wire->_events->bytes(wire->owner, bytes);
    return true;
}

bool remote_end(struct remote *remote, uint64_t number, const char *code, const char *sentence)
{
    struct wire *wire = wire_of(remote, number);
    if (!wire) return false;
    if (wire->_held.size && !code)
        wire->_held_end = true;
    else
        end(wire, code, sentence);
    return true;
}

/* ---- rules, life ---- */

static void rule_free(struct remote_rule *rule)
{
    list_remove(&rule->node);
    xfree(rule->path);
    xfree(rule->content_type);
    xfree(rule);
}

void remote_rule(struct remote *remote, const char *path, int status, const char *content_type,
                 int64_t retry_after_ms)
{
    LIST_EACH(node, &remote->rules) {
        struct remote_rule *rule = CONTAINER(node, struct remote_rule, node);
        if (strcmp(rule->path, path) == 0) rule_free(rule);
    }
    struct remote_rule *rule = xcalloc(1, sizeof(*rule));
    rule->path = xstrdup(path);
    rule->status = status;
    rule->content_type = content_type ? xstrdup(content_type) : NULL;
    rule->retry_after_ms = retry_after_ms;
    list_append(&remote->rules, &rule->node);
}

void remote_create(struct remote *remote, struct clock *clock, struct later *later)
{
    *remote = (struct remote){
        .fetch = {.start = start, .cancel = cancel},
        .transport = {.open = open_wire, .pause = pause_wire, .close = close_wire},
        ._clock = clock,
        ._later = later};
    list_create(&remote->calls);
    list_create(&remote->wires);
    list_create(&remote->rules);
}

void remote_destroy(struct remote *remote)
{
    CHECK(list_empty(&remote->calls) && list_empty(&remote->wires));
    while (!list_empty(&remote->rules))
        rule_free(CONTAINER(remote->rules.next, struct remote_rule, node));
}
