/* control: the frames that the hub makes of its own: `ready`, `resync`, heartbeats
 * and named events for one subscriber. All return one reference. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "event/cursor.h"

struct frame;
struct hub;
struct subscriber_options;

enum { CONTROL_BEATS = 4 };

/* The heartbeats that were made last, one for each kind that the streams have. */
struct control_beats {
    struct control_beat {
        struct frame *frame; /* NULL: none yet */
        struct atom *name, *data; /* references */
        struct places at;
        uint64_t epoch;
    } _made[CONTROL_BEATS];
    unsigned _next;
};

void control_beats_destroy(struct control_beats *beats);

/* A count that is not known. */
#define CONTROL_UNKNOWN (-1)

/* Where `at` is NULL there is no id. */

/* {"resumed":…,"missed":…,"tag":…} */
struct frame *control_ready(struct hub *hub, const struct places *at, bool resumed, int64_t missed,
                            struct atom *tag);

/* A resync of one topic, without id; or only its data. */
struct frame *control_resync_of(struct hub *hub, const char *reason, struct atom *topic);
void control_resync_data(struct buf *data, const char *reason, const struct atom *topic);

/* {"reason":…,"missed":…,"topics":[…]}: begin, a control_resync_topic each, end. */
void control_resync_begin(struct buf *data, const char *reason, int64_t missed);
void control_resync_topic(struct buf *data, const struct atom *topic);

/* Destroys the buf. `topic`: the one concerned, if it is one, else NULL. */
struct frame *control_resync_end(struct hub *hub, struct buf *data, const struct places *at,
                                 struct atom *topic);

struct frame *control_event(struct bytes name, struct bytes data);

/* A block with this id and nothing else, whatever the stream's heartbeats look like. */
struct frame *control_mark(struct hub *hub, const struct places *at);

/* As the options want it. Shared while the id is the same: one reference for the caller all the
 * same. */
struct frame *control_heartbeat(struct hub *hub, const struct subscriber_options *options,
                                const struct places *at);
