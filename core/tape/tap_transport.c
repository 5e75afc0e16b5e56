/* Upstreams' wires. Events are written, not bytes: a secret that stands on both
 * sides of two reads' border would be found in neither. Bytes that end no event are
 * a sign of life, and written as that. A wire that is open when a recording begins
 * is read from the next event on that is whole. */
#include "base/alloc.h"
#include "base/check.h"
#include "event/parser.h"
#include "tape/taps.h"

enum { EVENT_MAX = 64 << 20 }; /* the link's limit is lower, and ends the wire */

struct wire {
    struct list node; /* among the taps' wires */
    struct taps *taps;
    struct wire *inner;
    struct wire **slot;
    const struct wire_events *events;
    void *owner;
    struct buf url;
    uint64_t number, recording; /* the recording that its parser reads for; 0: none yet */
    int status;                 /* 0: no head yet */
    bool between;               /* what came so far ended with an event's end */
    bool skipping;              /* the event that was under way when the recording began */
    bool told;                  /* the bytes at hand ended an event */
    struct sse_parser parser;
};

/* ---- lines ---- */

struct opening {
    const struct wire *wire;
    const struct fetch_request *request; /* NULL: it was open before */
};

static void write_opening(struct entry *entry, const void *ctx)
{
    const struct opening *opening = ctx;
    const struct wire *wire = opening->wire;
    struct tap_owner owner;
    entry_number(entry, "id", (long long)wire->number);
    if (wire->taps->_find(wire->taps->_ctx, wire->owner, &owner)) {
        entry_text(entry, "app", owner.app);
        entry_text(entry, "upstream", owner.upstream);
        entry_text(entry, "key", owner.key);
    }
    entry_url(entry, "url", buf_bytes(&wire->url));
    if (opening->request)
        entry_headers(entry, opening->request->headers, opening->request->header_count);
    else
        entry_flag(entry, "before");
}

/* What happened on a wire; a member that is empty is not written. */
struct happening {
    const struct wire *wire;
    const struct wire_head *head;
    const struct sse_event *event;
    uint64_t retry_ms;
    const char *code, *sentence;
};

static void write_happening(struct entry *entry, const void *ctx)
{
    const struct happening *happening = ctx;
    entry_number(entry, "id", (long long)happening->wire->number);
    if (happening->head) {
        entry_number(entry, "status", happening->head->status);
        entry_text(entry, "type", happening->head->content_type);
        if (happening->head->retry_after_ms >= 0)
            entry_number(entry, "retry_after", happening->head->retry_after_ms);
    }
    if (happening->event) {
        entry_text(entry, "type", happening->event->type);
        entry_body(entry, "data", BYTES(""), happening->event->data);
        if (happening->event->id.size) entry_text(entry, "event_id", happening->event->id);
    }
    if (happening->retry_ms) entry_number(entry, "ms", (long long)happening->retry_ms);
    entry_text(entry, "code", bytes_of(happening->code));
    entry_text(entry, "sentence", bytes_of(happening->sentence));
}

static void add(struct wire *wire, const char *what, struct happening happening)
{
    happening.wire = wire;
    if (taps_in(wire->taps, wire->recording))
        tape_add(wire->taps->tape, what, write_happening, &happening);
}

/* ---- events out of bytes ---- */

static void on_event(void *owner, const struct sse_event *event)
{
    struct wire *wire = owner;
    wire->told = true;
    add(wire, "event", (struct happening){.event = event});
}

static void on_retry(void *owner, uint64_t retry_ms)
{
    struct wire *wire = owner;
    wire->told = true;
    add(wire, "retry", (struct happening){.retry_ms = retry_ms});
}

static const struct sse_parser_events parser_events = {on_event, on_retry};

/* Where the first event ends in the bytes, or 0. */
static size_t end_of_event(struct bytes bytes)
{
    for (size_t i = 1; i < bytes.size; i++) {
        const char c = bytes.data[i], before = bytes.data[i - 1];
        if ((c == '\n' || c == '\r') && (before == c || (i > 1 && before == '\r' &&
                                                       bytes.data[i - 2] == '\n')))
            return i + 1;
    }
    return 0;
}

/* Comment lines between two events leave us between them. */
static bool is_between(const struct wire *wire, struct bytes bytes)
{
    while (bytes.size && bytes.data[bytes.size - 1] != '\r') {
        const size_t tail = bytes.size < 3 ? bytes.size : 3;
        if (end_of_event(bytes_run(bytes.data + bytes.size - tail, tail)) == tail) return true;
        if (bytes.data[bytes.size - 1] != '\n') return false;
        const char *before = memrchr(bytes.data, '\n', bytes.size - 1);
        const char *line = before ? before + 1 : bytes.data;
        if (*line != ':') return false;
        bytes.size = (size_t)(line - bytes.data);
    }
    return !bytes.size && wire->between;
}

static void read_bytes(struct wire *wire, struct bytes bytes)
{
    const size_t skipped = wire->skipping ? end_of_event(bytes) : 0;
    if (!taps_in(wire->taps, wire->recording)) return;
    if (wire->skipping && !skipped) return;
    wire->skipping = wire->told = false;
    sse_parser_feed(&wire->parser, bytes_run(bytes.data + skipped, bytes.size - skipped));
    if (!wire->told) add(wire, "alive", (struct happening){.wire = wire});
}

static void join(struct wire *wire, const struct fetch_request *request)
{
    struct taps *taps = wire->taps;
    wire->recording = taps->_recording;
    wire->skipping = !wire->between;
    sse_parser_destroy(&wire->parser);
    sse_parser_create(&wire->parser, EVENT_MAX, &parser_events, wire);
    tape_add(taps->tape, "wire", write_opening, &(struct opening){wire, request});
}

void taps_write_wires(struct taps *taps)
{
    LIST_EACH(node, &taps->_wires) {
        struct wire *wire = CONTAINER(node, struct wire, node);
        join(wire, NULL);
        const struct wire_head head = {.status = wire->status,
                                       .content_type = BYTES("text/event-stream"),
                                       .retry_after_ms = -1};
        if (wire->status) add(wire, "head", (struct happening){.head = &head});
    }
}

/* ---- the port ---- */

static void wire_free(struct wire *wire)
{
    *wire->slot = NULL;
    list_remove(&wire->node);
    sse_parser_destroy(&wire->parser);
    buf_destroy(&wire->url);
    xfree(wire);
}

static void on_head(void *owner, const struct wire_head *head)
{
    struct wire *wire = owner;
    wire->status = head->status;
    add(wire, "head", (struct happening){.head = head});
    wire->events->head(wire->owner, head);
}

static void on_bytes(void *owner, struct bytes bytes)
{
    struct wire *wire = owner;
    if (!bytes.size) return;
    read_bytes(wire, bytes);
    wire->between = is_between(wire, bytes);
    wire->events->bytes(wire->owner, bytes);
}

static void on_end(void *owner, const char *code, const char *sentence)
{
    struct wire *wire = owner;
    const struct wire_events *events = wire->events;
    void *link = wire->owner;
    add(wire, "cut", (struct happening){.code = code, .sentence = sentence});
    wire_free(wire);
    events->end(link, code, sentence);
}

static const struct wire_events events = {on_head, on_bytes, on_end};

static void open_wire(struct transport *transport, const struct fetch_request *request,
                      uint64_t connect_timeout_ms, const struct wire_events *wire_events,
                      void *owner, struct wire **slot)
{
    struct taps *taps = CONTAINER(transport, struct taps, transport);
    struct wire *wire = xcalloc(1, sizeof(*wire));
    wire->taps = taps;
    wire->slot = slot;
    wire->events = wire_events;
    wire->owner = owner;
    wire->number = ++taps->_numbers;
    buf_add_bytes(&wire->url, request->url);
    wire->between = true;
    sse_parser_create(&wire->parser, EVENT_MAX, &parser_events, wire);
    list_append(&taps->_wires, &wire->node);
    *slot = wire;
    if (taps->tape) join(wire, request);
    taps->_transport->open(taps->_transport, request, connect_timeout_ms, &events, wire,
                           &wire->inner);
}

static void pause_wire(struct transport *transport, struct wire *wire, bool paused)
{
    struct taps *taps = CONTAINER(transport, struct taps, transport);
    taps->_transport->pause(taps->_transport, wire->inner, paused);
}

static void close_wire(struct transport *transport, struct wire **slot)
{
    struct taps *taps = CONTAINER(transport, struct taps, transport);
    struct wire *wire = *slot;
    add(wire, "closed", (struct happening){.wire = wire});
    taps->_transport->close(taps->_transport, &wire->inner);
    wire_free(wire);
}

void taps_create_transport(struct taps *taps)
{
    taps->transport = (struct transport){open_wire, pause_wire, close_wire};
}
