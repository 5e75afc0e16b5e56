/* frame: the bytes of one trigger or control event as they go on the wire,
 * encoded once, immutable, counted. Every queue and history holds references.
 *
 * This is the only room that writes SSE (WHATWG HTML, 9.2.5 "Parsing an event
 * stream"). It cannot write a broken frame: names and ids that hold CR, LF or
 * NUL are refused, data is split at CR, LF and CRLF. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/bytes.h"

/* What a frame is made of. */
struct trigger {
    struct atom *topic;    /* NULL for control events */
    struct atom *type;     /* the trigger's type; what filters and coalescing see */
    struct bytes name;     /* the SSE event name; empty: unnamed ("message") */
    struct bytes data;     /* any bytes; UTF-8 is the caller's affair */
    struct bytes id;       /* the SSE id; empty: no id line */
    struct atom *replaces; /* coalescing key, or NULL */
    struct atom *user;     /* whose tab caused it, with tag: the echo to skip; or NULL */
    struct atom *tag;
    struct atom *meta;     /* JSON that stays with the frame and never goes on the wire; or NULL */
    uint64_t retry_ms;     /* a `retry:` line; 0: none */
    uint64_t position;     /* in the node's own order; 0 for control events */
    uint64_t place;        /* in the order of its server; the position, where there is none but this node's */
    uint8_t server;
    uint64_t at_ms;        /* when it took its place */
    uint64_t at_us;        /* the same moment, for measuring */
};

struct frame {
    uint32_t refs;
    uint32_t size;       /* of bytes, what goes on the wire */
    uint32_t _data_at;   /* where the raw data stands in bytes (behind size, if it has line ends) */
    uint32_t data_size;
    struct atom *topic, *type, *replaces, *user, *tag, *meta; /* references of the frame */
    uint64_t position, place;
    uint64_t at_ms;
    uint64_t at_us : 56;
    uint64_t server : 7;   /* whose order its place is in */
    uint64_t repeats : 1;  /* history's: its id was there already, see hub/history.h */
    struct frame *_tagged; /* the twin that carries session_tag, once somebody needs it */
    char bytes[];
};

/* Encodes; one reference for the caller. NULL if name or id hold CR, LF or NUL (an id with NUL
 * would be ignored by the client). Takes its own references of the atoms. */
struct frame *frame_new(const struct trigger *trigger);

/* What all these are on the wire, one behind the other, as one frame of the topic without a type and without data;
 * at least one. */
struct frame *frame_join(struct atom *topic, struct frame *const *parts, size_t count);

struct frame *frame_ref(struct frame *frame);
void frame_unref(struct frame *frame); /* takes NULL */

/* The data as given to frame_new. */
struct bytes frame_data(const struct frame *frame);

/* The id likewise; empty: it has none. */
struct bytes frame_id(const struct frame *frame);

/* The twin whose JSON object carries "session_tag" as its first member, for clients that skip
 * their own echo; the frame itself if it has no tag or its data is no JSON object (or has
 * the member already). Encoded once, owned by the frame: no new reference; the twin may outlive
 * the frame by references of its own. */
struct frame *frame_tagged(struct frame *frame);

/* The same with another id, which may be empty: a frame of its own. Not of one that frame_join made. */
struct frame *frame_with_id(struct frame *frame, struct bytes id);

/* A heartbeat: a block with an id and no data, which moves the client's cursor without an event
 * (step "dispatch" of 9.2.6 sets the last event id before it looks at the data); with an empty
 * id, a comment. An id that breaks a line is misuse. */
struct frame *frame_heartbeat(struct bytes id);

/* The reconnection time and nothing else. */
struct frame *frame_retry(uint64_t retry_ms);

/* A comment line, for `retry` refusals; line ends in the text become spaces. */
struct frame *frame_comment(struct bytes text);

/* Frames alive, for specs. */
uint32_t frame_live(void);
