#include "peers/transport.h"

#include "base/alloc.h"
#include "base/check.h"
#include "peers/transfer.h"

struct curl_transport {
    struct transport transport; /* first: the port */
    struct multi *multi;
    uint32_t wires;
};

struct wire {
    struct curl_transport *transport;
    struct transfer *transfer;
    const struct wire_events *events;
    void *owner;
    struct wire **slot;
};

static void free_wire(struct wire *wire)
{
    *wire->slot = NULL;
    wire->transport->wires--;
    xfree(wire);
}

static void on_head(void *owner)
{
    struct wire *wire = owner;
    struct transfer_head head;
    transfer_read_head(wire->transfer, &head);
    const struct wire_head told = {.status = head.status,
                                   .content_type = transfer_head_get(&head, "content-type"),
                                   .retry_after_ms = head.retry_after_ms};
    wire->events->head(wire->owner, &told);
    transfer_head_destroy(&head);
}

static void on_bytes(void *owner, struct bytes bytes)
{
    struct wire *wire = owner;
    wire->events->bytes(wire->owner, bytes);
}

static void on_end(void *owner, const char *code, const char *sentence)
{
    struct wire *wire = owner;
    const struct wire_events *events = wire->events;
    void *told = wire->owner;
    free_wire(wire);
    events->end(told, code, sentence);
}

static const struct transfer_events events = {on_head, on_bytes, on_end};

static void open_wire(struct transport *port, const struct fetch_request *request,
                      uint64_t connect_timeout_ms, const struct wire_events *wire_events,
                      void *owner, struct wire **slot)
{
    struct curl_transport *transport = CONTAINER(port, struct curl_transport, transport);
    struct wire *wire = xcalloc(1, sizeof(*wire));
    *wire = (struct wire){transport, NULL, wire_events, owner, slot};
    transport->wires++;
    const struct transfer_options options = {.timeout_ms = connect_timeout_ms, .stream = true};
    wire->transfer = transfer_start(transport->multi, request, &options, &events, wire);
    *slot = wire;
}

static void pause_wire(struct transport *port, struct wire *wire, bool paused)
{
    (void)port;
    transfer_hold(wire->transfer, paused);
}

static void close_wire(struct transport *port, struct wire **slot)
{
    (void)port;
    transfer_cancel((*slot)->transfer);
    free_wire(*slot);
}

struct transport *transport_new(struct multi *multi)
{
    struct curl_transport *transport = xcalloc(1, sizeof(*transport));
    transport->transport = (struct transport){open_wire, pause_wire, close_wire};
    transport->multi = multi;
    return &transport->transport;
}

void transport_free(struct transport *port)
{
    struct curl_transport *transport = CONTAINER(port, struct curl_transport, transport);
    CHECK(transport->wires == 0);
    xfree(transport);
}
