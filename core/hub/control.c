/* The only JSON that the hub writes. */
#include "hub/control.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/text.h"
#include "event/frame.h"
#include "hub/hub_state.h"

static struct bytes id_of(struct hub *hub, const struct places *at, char out[CURSOR_MAX])
{
    if (!at) return (struct bytes){NULL, 0};
    return bytes_run(out, cursor_write(&hub->ports.order->epoch, at, out));
}

static void add_missed(struct buf *data, int64_t missed)
{
    if (missed == CONTROL_UNKNOWN)
        buf_add_text(data, "null");
    else
        buf_printf(data, "%" PRId64, missed);
}

static struct frame *make(const struct trigger *trigger)
{
    struct frame *frame = frame_new(trigger);
    CHECK(frame);
    return frame;
}

struct frame *control_ready(struct hub *hub, const struct places *at, bool resumed, int64_t missed,
                            struct atom *tag)
{
    char id[CURSOR_MAX];
    struct buf data = BUF_EMPTY;
    buf_printf(&data, "{\"resumed\":%s,\"missed\":", resumed ? "true" : "false");
    add_missed(&data, missed);
    buf_add_text(&data, ",\"tag\":");
    if (tag)
        text_json_string(&data, atom_bytes(tag));
    else
        buf_add_text(&data, "null");
    buf_add_char(&data, '}');
    struct frame *frame = make(&(struct trigger){
        .name = BYTES("ready"), .data = buf_bytes(&data), .id = id_of(hub, at, id)});
    buf_destroy(&data);
    return frame;
}

void control_resync_begin(struct buf *data, const char *reason, int64_t missed)
{
    buf_add_text(data, "{\"reason\":");
    text_json_string(data, bytes_of(reason));
    buf_add_text(data, ",\"missed\":");
    add_missed(data, missed);
    buf_add_text(data, ",\"topics\":[");
}

void control_resync_topic(struct buf *data, const struct atom *topic)
{
    if (data->data[data->size - 1] != '[') buf_add_char(data, ',');
    text_json_string(data, atom_bytes(topic));
}

void control_resync_data(struct buf *data, const char *reason, const struct atom *topic)
{
    control_resync_begin(data, reason, CONTROL_UNKNOWN);
    control_resync_topic(data, topic);
    buf_add_text(data, "]}");
}

struct frame *control_resync_end(struct hub *hub, struct buf *data, const struct places *at,
                                 struct atom *topic)
{
    char id[CURSOR_MAX];
    buf_add_text(data, "]}");
    struct frame *frame = make(&(struct trigger){.topic = topic,
                                                 .name = BYTES("resync"),
                                                 .data = buf_bytes(data),
                                                 .id = id_of(hub, at, id)});
    buf_destroy(data);
    return frame;
}

struct frame *control_resync_of(struct hub *hub, const char *reason, struct atom *topic)
{
    struct buf data = BUF_EMPTY;
    control_resync_begin(&data, reason, CONTROL_UNKNOWN);
    control_resync_topic(&data, topic);
    return control_resync_end(hub, &data, NULL, topic);
}

struct frame *control_event(struct bytes name, struct bytes data)
{
    return make(&(struct trigger){.name = name, .data = data});
}

struct frame *control_mark(struct hub *hub, const struct places *at)
{
    char id[CURSOR_MAX];
    return frame_heartbeat(id_of(hub, at, id));
}

/* ---- heartbeats ---- */

static void forget(struct control_beat *beat)
{
    frame_unref(beat->frame);
    atom_unref(beat->name);
    atom_unref(beat->data);
    *beat = (struct control_beat){.frame = NULL};
}

void control_beats_destroy(struct control_beats *beats)
{
    for (int i = 0; i < CONTROL_BEATS; i++) forget(&beats->_made[i]);
}

static struct frame *make_beat(struct hub *hub, const struct subscriber_options *options,
                               const struct places *at)
{
    char out[CURSOR_MAX];
    const struct bytes id = id_of(hub, at, out);
    if (!options->beat_name) return frame_heartbeat(id);
    return make(&(struct trigger){.name = atom_bytes(options->beat_name),
                                  .data = atom_bytes(options->beat_data),
                                  .id = id});
}

/* The one of the same kind that was made before, or the place for it. */
static struct control_beat *find_beat(struct control_beats *beats,
                                      const struct subscriber_options *options)
{
    for (int i = 0; i < CONTROL_BEATS; i++) {
        struct control_beat *beat = &beats->_made[i];
        if (beat->frame && beat->name == options->beat_name && beat->data == options->beat_data)
            return beat;
    }
    return &beats->_made[beats->_next++ % CONTROL_BEATS];
}

struct frame *control_heartbeat(struct hub *hub, const struct subscriber_options *options,
                                const struct places *at)
{
    static const struct places none = {{UINT64_MAX}};
    const struct places *stands = at ? at : &none;
    const uint64_t epoch = hub->ports.order->epoch.epoch;
    struct control_beat *beat = find_beat(&hub->beats, options);
    if (!beat->frame || beat->epoch != epoch || memcmp(&beat->at, stands, sizeof(*stands)) != 0) {
        forget(beat);
        *beat = (struct control_beat){.frame = make_beat(hub, options, at),
                                      .name = atom_ref(options->beat_name),
                                      .data = atom_ref(options->beat_data),
                                      .at = *stands,
                                      .epoch = epoch};
    }
    return frame_ref(beat->frame);
}
