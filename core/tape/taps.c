#include "tape/taps.h"

#include "event/frame.h"

struct placed {
    const struct cursor_epoch *epoch;
    const struct frame *frame;
};

static void write_trigger(struct entry *entry, const void *ctx)
{
    const struct placed *placed = ctx;
    const struct frame *frame = placed->frame;
    char text[CURSOR_MAX];
    struct places at = {{0}}; /* of other servers nothing is said */
    at.at[frame->server] = frame->place;
    const struct bytes cursor = bytes_run(text, cursor_write(placed->epoch, &at, text));
    entry_text(entry, "topic", atom_bytes(frame->topic));
    entry_text(entry, "type", frame->type ? atom_bytes(frame->type) : BYTES("resync"));
    entry_body(entry, "data", BYTES(""), frame_data(frame));
    if (frame->user) entry_text(entry, "user", atom_bytes(frame->user));
    if (frame->tag) entry_text(entry, "tag", atom_bytes(frame->tag));
    entry_text(entry, "cursor", cursor);
    if (!bytes_equal(frame_id(frame), cursor))
        entry_text(entry, "id", frame_id(frame));
    if (frame->meta) entry_body(entry, "meta", BYTES(""), atom_bytes(frame->meta));
}

static void on_placed(struct journal *journal, const struct placing *placing,
                      const struct emission *emission)
{
    struct taps *taps = CONTAINER(journal, struct taps, journal);
    const struct placed placed = {taps->_epoch, placing->frame};
    (void)emission;
    if (taps->tape) tape_add(taps->tape, "trigger", write_trigger, &placed);
}

void taps_create(struct taps *taps, struct fetch *fetch, struct transport *transport,
                 const struct cursor_epoch *epoch,
                 bool (*find)(void *ctx, const void *owner, struct tap_owner *found), void *ctx)
{
    *taps = (struct taps){._epoch = epoch,
                          ._find = find,
                          ._ctx = ctx,
                          .journal = {.placed = on_placed},
                          ._fetch = fetch,
                          ._transport = transport};
    list_create(&taps->_wires);
    taps_create_handler(taps);
    taps_create_fetch(taps);
    taps_create_transport(taps);
}

void taps_handle(struct taps *taps, struct http_handler *handler)
{
    taps->_handler = handler;
}

void taps_set(struct taps *taps, struct tape *tape)
{
    taps->tape = tape;
    if (!tape) return;
    taps->_recording++;
    taps_write_wires(taps);
}
