/* upstream_world: a link's whole outside in memory: the clock, chance from a
 * seed, a transport whose wires the test plays, and an owner that writes down
 * what it is told. */
#pragma once

#include <stdio.h>

#include "base/buf.h"
#include "unit.h"
#include "upstream/gate.h"
#include "upstream/link.h"

struct wire {
    const struct wire_events *events;
    void *owner;
    struct wire **slot;
    bool paused;
    uint64_t opened_ms;
};

/* What the next wire does from within open, instead of waiting for the test. */
enum script { SCRIPT_NONE, SCRIPT_401, SCRIPT_503, SCRIPT_WHOLE_LIFE };

static struct clock clock_;
static struct gate gate;
static struct wire *wire; /* the one that is open, or NULL */
static struct buf said;   /* what the owner was told, and what was sent: words, space-separated */
static struct buf sent;   /* the last request: "url name=value name=value" */
static enum script script;
static struct link *link_;
static uint64_t chance;
static int wires_opened, turns_logged;
static int64_t last_delay_ms;
static char last_detail[256];
static bool asks_wait; /* `ask` is answered by the test */
static bool asking;
static void (*on_said)(const char *word); /* the owner's reentrant behaviour */

static uint64_t next_chance(struct random *random)
{
    (void)random;
    return draw(&chance);
}

static struct random random_ = {next_chance};

static void count_line(struct log *log, enum log_level level, const char *message,
                       const struct log_field *fields, size_t count)
{
    (void)log, (void)level, (void)fields, (void)count;
    if (bytes_is(bytes_of(message), "link state")) turns_logged++;
}

static struct log log_ = {LOG_DEBUG, count_line};

static void say(const char *word)
{
    if (said.size) buf_add_char(&said, ' ');
    buf_add_text(&said, word);
    if (on_said) on_said(word);
}

/* What was told since the last look. */
#define assert_said(words) (assert_text(buf_bytes(&said), words), buf_clear(&said))

static void wire_head(int status, const char *type, int64_t retry_after_ms)
{
    const struct wire_head head = {status, bytes_of(type), retry_after_ms};
    wire->events->head(wire->owner, &head);
}

static void wire_bytes(const char *text)
{
    wire->events->bytes(wire->owner, bytes_of(text));
}

static void wire_end(const char *code, const char *sentence)
{
    struct wire *ending = wire;
    wire = NULL;
    *ending->slot = NULL;
    ending->events->end(ending->owner, code, sentence);
    xfree(ending);
}

static void play(enum script part)
{
    if (part == SCRIPT_401) wire_head(401, NULL, -1);
    if (part == SCRIPT_503) wire_head(503, NULL, -1);
    if (part != SCRIPT_WHOLE_LIFE) return;
    wire_head(200, "text/event-stream", -1);
    if (wire) wire_bytes("data: one\n\n");
    if (wire) wire_end(NULL, NULL);
}

static void fake_open(struct transport *transport, const struct fetch_request *request,
                      uint64_t connect_timeout_ms, const struct wire_events *events, void *owner,
                      struct wire **slot)
{
    (void)transport;
    assert_null(wire); /* never two */
    assert_int_equal(connect_timeout_ms, 10000);
    assert_text(request->method, "GET");
    buf_clear(&sent);
    buf_add_bytes(&sent, request->url);
    for (size_t i = 0; i < request->header_count; i++) {
        struct http_header header = request->headers[i];
        buf_printf(&sent, " %.*s=%.*s", (int)header.name.size, header.name.data,
                   (int)header.value.size, header.value.data);
    }
    wires_opened++;
    wire = xcalloc(1, sizeof(*wire));
    *wire = (struct wire){events, owner, slot, false, clock_.now_ms};
    *slot = wire;
    enum script part = script;
    script = SCRIPT_NONE;
    play(part);
}

static void fake_pause(struct transport *transport, struct wire *paused_wire, bool paused)
{
    (void)transport;
    assert_ptr_equal(paused_wire, wire);
    wire->paused = paused;
}

static void fake_close(struct transport *transport, struct wire **slot)
{
    (void)transport;
    assert_ptr_equal(*slot, wire);
    xfree(wire);
    wire = *slot = NULL;
}

static struct transport transport_ = {fake_open, fake_pause, fake_close};

static void on_ask(void *owner, bool second_opinion)
{
    (void)owner;
    asking = true;
    say(second_opinion ? "ask:second" : "ask");
    if (asks_wait || !asking) return;
    asking = false;
    link_request(link_, BYTES("http://up/"), NULL, 0);
}

static void on_ask_cancel(void *owner)
{
    (void)owner;
    assert_true(asking);
    asking = false;
    say("cancel");
}

static void on_opened(void *owner, bool reopened)
{
    (void)owner;
    say(reopened ? "reopened" : "opened");
}

static void on_link_event(void *owner, const struct sse_event *event)
{
    (void)owner;
    char word[64];
    snprintf(word, sizeof(word), "%.*s:%.*s", (int)event->type.size, event->type.data,
             (int)(event->data.size < 20 ? event->data.size : 20), event->data.data);
    say(word);
}

static void on_lost(void *owner, enum link_loss loss, int status, const char *detail,
                    int64_t delay_ms)
{
    (void)owner;
    static const char *const names[] = {"lost", "refused", "unauthorized"};
    last_delay_ms = delay_ms;
    snprintf(last_detail, sizeof(last_detail), "%s", detail);
    char word[32];
    snprintf(word, sizeof(word), "%s:%d", names[loss], status);
    say(word);
}

static void on_closed(void *owner)
{
    (void)owner;
    say("closed");
    struct link *closed = link_;
    link_ = NULL;
    link_unref(closed);
}

static const struct link_events fake_events = {on_ask,        on_ask_cancel, on_opened,
                                               on_link_event, on_lost,       on_closed};

static struct link_policy policy;

static void new_link(void)
{
    const struct link_ports ports = {&clock_, &random_, &log_, &transport_, &gate};
    link_ = link_new(&ports, &policy, BYTES("inbox"), BYTES("ann"), &fake_events, NULL);
}

static int begin(void **state)
{
    (void)state;
    chance = 1;
    clock_ = (struct clock){.now_ms = 1000};
    wheel_create(&clock_.wheel, clock_.now_ms);
    gate_create(&gate, &clock_, 1000, 100);
    policy = (struct link_policy){.grace_ms = 10000,
                                  .backoff_min_ms = 1000,
                                  .backoff_max_ms = 30000,
                                  .idle_ms = 90000,
                                  .connect_timeout_ms = 10000,
                                  .event_limit_bytes = 1000};
    wire = NULL;
    script = SCRIPT_NONE;
    asks_wait = asking = false;
    on_said = NULL;
    wires_opened = turns_logged = 0;
    buf_clear(&said);
    new_link();
    return 0;
}

static int end(void **state)
{
    on_said = NULL;
    if (link_) link_close(link_);
    assert_null(wire);
    gate_destroy(&gate);
    assert_int_equal(clock_.wheel.count, 0);
    buf_destroy(&said);
    buf_destroy(&sent);
    return nothing_left(state);
}

static void advance(uint64_t ms)
{
    uint64_t until = clock_.now_ms + ms;
    for (;;) {
        uint64_t next = wheel_next(&clock_.wheel);
        clock_.now_ms = next < until ? (next > clock_.now_ms ? next : clock_.now_ms) : until;
        wheel_advance(&clock_.wheel, clock_.now_ms);
        if (clock_.now_ms == until) break;
    }
}
