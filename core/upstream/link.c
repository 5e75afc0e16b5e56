/* turn() makes every change of state: it asserts that the table in the header
 * has it, logs it, and takes down what the old state had up (a question, a place
 * at the gate, a wire, a timer). What the new state puts up is its maker's, done
 * after turn(); so between any two states nothing is left over, and at most one
 * wire can exist.
 *
 * Every call out (owner, transport, gate) may call back in. Three habits make
 * that safe: a call out is the last thing that a path does, or what follows it
 * looks again; hold() keeps the memory while any frame of ours is on the stack;
 * and only link_close can take an open link's wire away under the parser, which
 * is told to stop.
 *
 * The idle timer is not moved by each piece of bytes: it looks, when it fires,
 * at how long the silence has been. */
#include "upstream/link.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "upstream/backoff.h"
#include "upstream/request.h"

enum {
    DETAIL_BYTES = 256,
    FIELD_BYTES = 6, /* "data: ": the parser bounds lines, the policy an event's data */
};

struct link {
    uint32_t refs, leases;
    enum link_state state;
    bool asked;            /* the owner owes an answer to `ask` */
    bool second_opinion;   /* a 401 came: what is asked next is one */
    bool fresh_lease;      /* a lease came since `ask`: its data is untried */
    bool first_lease_only; /* STOPPED by 204 */
    bool kept, suspended;  /* link_keep, link_suspend */
    bool due;              /* suspended while STOPPED, and a lease came that asks again */
    bool tried;            /* something was opened, or attempted, before */
    bool ever_opened, resumed, proven, paused;
    struct link_ports ports;
    struct link_policy policy;
    const struct link_events *events;
    void *owner;
    struct backoff backoff;
    struct sse_parser parser;
    struct request *request; /* in QUEUED */
    struct gate_pass pass;   /* in QUEUED */
    struct wire *wire;       /* in CONNECTING and OPEN */
    struct timer timer;      /* OPEN: silence; WAITING: the next attempt */
    struct timer grace;      /* armed while there is no lease, unless new or closed */
    uint64_t opened_ms, heard_ms;
    size_t name_size, key_size;
    char label[]; /* name, key */
};

static struct bytes name_of(const struct link *link)
{
    return bytes_run(link->label, link->name_size);
}

static struct bytes key_of(const struct link *link)
{
    return bytes_run(link->label + link->name_size, link->key_size);
}

static struct link *hold(struct link *link)
{
    link->refs++;
    return link;
}

#define TO(state) (1u << LINK_##state)

static const unsigned allowed[LINK_STATES] = {
    [LINK_IDLE] = TO(ASKING) | TO(CLOSED),
    [LINK_ASKING] = TO(QUEUED) | TO(WAITING) | TO(IDLE) | TO(CLOSED),
    [LINK_QUEUED] = TO(CONNECTING) | TO(QUEUED) | TO(IDLE) | TO(CLOSED),
    [LINK_CONNECTING] = TO(OPEN) | TO(QUEUED) | TO(ASKING) | TO(IDLE) | TO(STOPPED) | TO(WAITING) | TO(CLOSED),
    [LINK_OPEN] = TO(WAITING) | TO(QUEUED) | TO(IDLE) | TO(CLOSED),
    [LINK_WAITING] = TO(ASKING) | TO(IDLE) | TO(CLOSED),
    [LINK_STOPPED] = TO(ASKING) | TO(CLOSED),
};

static void hang_up(struct link *link)
{
    clock_cancel(link->ports.clock, &link->timer);
    sse_parser_stop(&link->parser);
    if (link->wire) link->ports.transport->close(link->ports.transport, &link->wire);
}

/* Takes down what a state had up. */
static void leave(struct link *link, enum link_state was)
{
    switch (was) {
    case LINK_ASKING:
        if (!link->asked) break;
        link->asked = false;
        link->events->ask_cancel(link->owner);
        break;
    case LINK_QUEUED:
        gate_leave(link->ports.gate, &link->pass);
        if (link->state == LINK_CONNECTING) break;
        request_free(link->request);
        link->request = NULL;
        break;
    case LINK_CONNECTING:
        if (link->state != LINK_OPEN) hang_up(link);
        break;
    case LINK_OPEN:
        hang_up(link);
        break;
    case LINK_WAITING:
        clock_cancel(link->ports.clock, &link->timer);
        break;
    default:
        break;
    }
}

static void turn(struct link *link, enum link_state state)
{
    enum link_state was = link->state;
    CHECK(allowed[was] & 1u << state);
    link->state = state;
    LOG(link->ports.log, LOG_DEBUG, "link state", F_BYTES("upstream", name_of(link)),
        F_BYTES("key", key_of(link)), F_TEXT("from", link_state_name(was)),
        F_TEXT("to", link_state_name(state)));
    leave(link, was);
}

static void ask(struct link *link)
{
    turn(link, LINK_ASKING);
    link->asked = true;
    link->fresh_lease = false;
    link->events->ask(link->owner, link->second_opinion);
}

/* Somebody has a lease, here or elsewhere. */
static bool wanted(const struct link *link)
{
    return link->leases || link->kept;
}

static void tell_lost(struct link *link, enum link_loss loss, int status, const char *detail,
                      int64_t delay_ms)
{
    LOG(link->ports.log, loss == LINK_LOST ? LOG_INFO : LOG_WARN, "link lost",
        F_BYTES("upstream", name_of(link)), F_BYTES("key", key_of(link)), F_TEXT("why", detail),
        F_NUMBER("retry_ms", delay_ms));
    link->events->lost(link->owner, loss, status, detail, delay_ms);
}

/* Lost, or never reached: try again later. `after_ms` is what the server asked for, at least. */
static void lose(struct link *link, enum link_loss loss, int status, const char *detail,
                 int64_t after_ms)
{
    uint64_t now = link->ports.clock->now_ms;
    if (link->state == LINK_OPEN && (link->proven || now - link->opened_ms >= LINK_PROVEN_MS))
        backoff_reset(&link->backoff);
    uint64_t delay = backoff_next_ms(&link->backoff, link->ports.random);
    if (after_ms > LINK_RETRY_AFTER_MAX_MS) after_ms = LINK_RETRY_AFTER_MAX_MS;
    if (after_ms > 0) delay += (uint64_t)after_ms;
    turn(link, LINK_WAITING);
    clock_after(link->ports.clock, &link->timer, delay);
    tell_lost(link, loss, status, detail, wanted(link) ? (int64_t)delay : -1);
}

static void stop(struct link *link, enum link_loss loss, int status, const char *detail)
{
    turn(link, LINK_STOPPED);
    link->second_opinion = false;
    link->first_lease_only = status == 204;
    tell_lost(link, loss, status, detail, -1);
}

/* 401 and 403. Untried data may be better: that of a lease newer than the question, and after the
 * first 401 that of the newest. */
static void refuse(struct link *link, int status, const char *detail)
{
    bool untried = link->fresh_lease || (status == 401 && !link->second_opinion);
    if (!untried) {
        stop(link, LINK_UNAUTHORIZED, status, detail);
        return;
    }
    link->second_opinion = true;
    if (wanted(link))
        ask(link);
    else
        turn(link, LINK_IDLE);
}

static void open_up(struct link *link)
{
    bool reopened = link->ever_opened;
    link->ever_opened = true;
    link->second_opinion = false;
    link->proven = false;
    link->resumed = link->policy.trust_resume && request_carries(buf_bytes(&link->parser.last_id));
    link->opened_ms = link->heard_ms = link->ports.clock->now_ms;
    turn(link, LINK_OPEN);
    clock_after(link->ports.clock, &link->timer, link->policy.idle_ms);
    LOG(link->ports.log, LOG_INFO, "link open", F_BYTES("upstream", name_of(link)),
        F_BYTES("key", key_of(link)), F_NUMBER("reopened", reopened));
    link->events->opened(link->owner, reopened);
}

static void on_head(void *owner, const struct wire_head *head)
{
    struct link *link = hold(owner);
    CHECK(link->state == LINK_CONNECTING);
    char detail[DETAIL_BYTES];
    snprintf(detail, sizeof(detail), "status %d", head->status);
    if (head->status == 200) {
        if (request_is_answered(head->content_type)) {
            open_up(link);
        } else {
            snprintf(detail, sizeof(detail), "content type %.*s, not text/event-stream",
                     head->content_type.size < 100 ? (int)head->content_type.size : 100,
                     head->content_type.data ? head->content_type.data : "");
            lose(link, LINK_REFUSED, head->status, detail, -1);
        }
    } else if (head->status == 204) {
        stop(link, LINK_REFUSED, head->status, detail);
    } else if (head->status == 401 || head->status == 403) {
        refuse(link, head->status, detail);
    } else {
        bool busy = head->status == 429 || head->status == 503;
        lose(link, LINK_REFUSED, head->status, detail, busy ? head->retry_after_ms : -1);
    }
    link_unref(link);
}

static void on_bytes(void *owner, struct bytes bytes)
{
    struct link *link = hold(owner);
    CHECK(link->state == LINK_OPEN);
    link->heard_ms = link->ports.clock->now_ms;
    if (sse_parser_feed(&link->parser, bytes) == SSE_TOO_LARGE) {
        char detail[DETAIL_BYTES];
        snprintf(detail, sizeof(detail), "an event above %zu bytes",
                 link->policy.event_limit_bytes);
        lose(link, LINK_LOST, 200, detail, -1);
    }
    link_unref(link);
}

static void on_end(void *owner, const char *code, const char *sentence)
{
    struct link *link = hold(owner);
    char detail[DETAIL_BYTES];
    if (code)
        snprintf(detail, sizeof(detail), "%s: %s", code, sentence ? sentence : "");
    else
        snprintf(detail, sizeof(detail), "the upstream ended it");
    lose(link, LINK_LOST, link->state == LINK_OPEN ? 200 : 0, detail, -1);
    link_unref(link);
}

static const struct wire_events wire_events = {on_head, on_bytes, on_end};

static void on_event(void *owner, const struct sse_event *event)
{
    struct link *link = owner;
    link->proven = true;
    link->events->event(link->owner, event);
}

static void on_retry(void *owner, uint64_t retry_ms)
{
    struct link *link = owner;
    backoff_retry(&link->backoff, retry_ms);
}

static const struct sse_parser_events parser_events = {on_event, on_retry};

static void on_pass(struct gate_pass *pass)
{
    struct link *link = hold(CONTAINER(pass, struct link, pass));
    struct transport *transport = link->ports.transport;
    struct request *request = link->request;
    link->request = NULL;
    link->tried = true;
    sse_parser_reset(&link->parser);
    turn(link, LINK_CONNECTING);
    transport->open(transport, &request->fetch, link->policy.connect_timeout_ms, &wire_events, link,
                    &link->wire);
    if (link->wire && link->paused) transport->pause(transport, link->wire, true);
    request_free(request);
    link_unref(link);
}

static void hear_silence(struct link *link)
{
    uint64_t idle = link->policy.idle_ms;
    uint64_t silent = link->ports.clock->now_ms - link->heard_ms;
    if (link->paused) silent = 0;
    if (silent < idle) {
        clock_after(link->ports.clock, &link->timer, idle - silent);
        return;
    }
    char detail[DETAIL_BYTES];
    snprintf(detail, sizeof(detail), "idle %llu s", (unsigned long long)silent / 1000);
    lose(link, LINK_LOST, 200, detail, -1);
}

static void on_timer(struct timer *timer)
{
    struct link *link = hold(CONTAINER(timer, struct link, timer));
    if (link->state == LINK_OPEN)
        hear_silence(link);
    else if (wanted(link))
        ask(link);
    else
        turn(link, LINK_IDLE);
    link_unref(link);
}

static void on_grace(struct timer *timer)
{
    link_close(CONTAINER(timer, struct link, grace));
}

struct link *link_new(const struct link_ports *ports, const struct link_policy *policy,
                      struct bytes name, struct bytes key, const struct link_events *events,
                      void *owner)
{
    struct link *link = xcalloc(1, sizeof(*link) + name.size + key.size);
    link->refs = 1;
    link->state = LINK_IDLE;
    link->ports = *ports;
    link->policy = *policy;
    link->events = events;
    link->owner = owner;
    link->name_size = name.size;
    link->key_size = key.size;
    if (name.size) memcpy(link->label, name.data, name.size);
    if (key.size) memcpy(link->label + name.size, key.data, key.size);
    backoff_create(&link->backoff, policy->backoff_min_ms, policy->backoff_max_ms);
    sse_parser_create(&link->parser, policy->event_limit_bytes + FIELD_BYTES, &parser_events, link);
    gate_pass_create(&link->pass, on_pass);
    timer_init(&link->timer, on_timer);
    timer_init(&link->grace, on_grace);
    return link;
}

void link_unref(struct link *link)
{
    if (--link->refs) return;
    CHECK(link->state == LINK_CLOSED || (link->state == LINK_IDLE && !timer_armed(&link->grace)));
    sse_parser_destroy(&link->parser);
    xfree(link);
}

void link_set_policy(struct link *link, const struct link_policy *policy)
{
    link->policy = *policy;
    backoff_limits(&link->backoff, policy->backoff_min_ms, policy->backoff_max_ms);
    sse_parser_limit(&link->parser, policy->event_limit_bytes);
}

void link_acquire(struct link *link)
{
    CHECK(link->state != LINK_CLOSED);
    hold(link);
    link->leases++;
    link->fresh_lease = true;
    clock_cancel(link->ports.clock, &link->grace);
    const bool again = link->state == LINK_STOPPED && (!link->first_lease_only || link->leases == 1);
    if (link->suspended)
        link->due = link->due || again;
    else if (again || link->state == LINK_IDLE)
        ask(link);
    link_unref(link);
}

static void begin_grace(struct link *link)
{
    hold(link);
    clock_after(link->ports.clock, &link->grace, link->policy.grace_ms);
    if (link->state == LINK_ASKING || link->state == LINK_QUEUED) turn(link, LINK_IDLE);
    link_unref(link);
}

void link_release(struct link *link)
{
    if (link->state == LINK_CLOSED) return;
    CHECK(link->leases > 0);
    link->leases--;
    if (!wanted(link)) begin_grace(link);
}

void link_keep(struct link *link, bool kept)
{
    if (link->state == LINK_CLOSED || link->kept == kept) return;
    link->kept = kept;
    if (kept) clock_cancel(link->ports.clock, &link->grace);
    if (!wanted(link))
        begin_grace(link);
    else if (link->state == LINK_IDLE && !link->suspended)
        ask(link);
}

void link_suspend(struct link *link)
{
    if (link->state == LINK_CLOSED) return;
    link->suspended = true;
    link->due = link->second_opinion = false;
    if (link->state != LINK_IDLE && link->state != LINK_STOPPED) turn(link, LINK_IDLE);
}

void link_resume(struct link *link, struct bytes last_id, bool ever)
{
    CHECK(link->suspended);
    link->suspended = false;
    link->ever_opened = link->ever_opened || ever;
    sse_parser_go_on_from(&link->parser, last_id);
    if (wanted(link) && (link->due || link->state == LINK_IDLE)) ask(link);
}

void link_close(struct link *link)
{
    if (link->state == LINK_CLOSED) return;
    hold(link);
    link->leases = 0;
    link->kept = false;
    clock_cancel(link->ports.clock, &link->grace);
    turn(link, LINK_CLOSED);
    link->events->closed(link->owner);
    link_unref(link);
}

static void enter_queue(struct link *link, struct bytes url, const struct http_header *headers,
                        size_t header_count)
{
    struct request *request =
        request_new(url, headers, header_count, buf_bytes(&link->parser.last_id));
    hold(link);
    turn(link, LINK_QUEUED);
    link->request = request;
    gate_enter(link->ports.gate, &link->pass, link->tried ? GATE_AGAIN : GATE_FIRST);
    link_unref(link);
}

void link_request(struct link *link, struct bytes url, const struct http_header *headers,
                  size_t header_count)
{
    CHECK(link->state == LINK_ASKING && link->asked);
    link->asked = false;
    enter_queue(link, url, headers, header_count);
}

void link_renew(struct link *link, struct bytes url, const struct http_header *headers,
                size_t header_count)
{
    CHECK(link->state == LINK_QUEUED || link->state == LINK_CONNECTING || link->state == LINK_OPEN);
    enter_queue(link, url, headers, header_count);
}

void link_request_failed(struct link *link, const char *detail)
{
    CHECK(link->state == LINK_ASKING && link->asked);
    link->asked = false;
    hold(link);
    lose(link, LINK_LOST, 0, detail, -1);
    link_unref(link);
}

void link_pause(struct link *link, bool paused)
{
    if (link->paused == paused) return;
    link->paused = paused;
    link->heard_ms = link->ports.clock->now_ms;
    if (link->wire) link->ports.transport->pause(link->ports.transport, link->wire, paused);
}

enum link_state link_state(const struct link *link)
{
    return link->state;
}
uint32_t link_leases(const struct link *link)
{
    return link->leases;
}
bool link_suspended(const struct link *link)
{
    return link->suspended;
}
bool link_ever_opened(const struct link *link)
{
    return link->ever_opened;
}
bool link_resumed(const struct link *link)
{
    return link->resumed;
}
struct bytes link_last_id(const struct link *link)
{
    return buf_bytes(&link->parser.last_id);
}
