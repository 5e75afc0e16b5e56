#include "hub/retain.h"

#include "base/check.h"
#include "hub/topic_state.h"

static void drop_bare(struct topic *topic)
{
    frame_unref(topic->bare);
    topic->bare = NULL;
}

void retain_drop(struct topic *topic)
{
    drop_bare(topic);
    frame_unref(topic->retained);
    topic->retained = NULL;
}

void retain_placed(struct topic *topic, struct frame *frame)
{
    if (!topic->options->retain || !frame->type) return;
    retain_drop(topic);
    topic->retained = frame_ref(frame);
}

static struct frame *make(const struct topic *topic, const struct emission *emission,
                          uint64_t at_ms)
{
    struct frame *frame =
        frame_new(&(struct trigger){.topic = topic->name,
                                    .type = emission->type,
                                    .name = topic_event_name(topic, emission->type),
                                    .data = emission->data,
                                    .replaces = emission->replaces,
                                    .user = emission->user,
                                    .tag = emission->tag,
                                    .meta = emission->meta,
                                    .at_ms = at_ms});
    CHECK(frame);
    return frame;
}

void retain_loaded(struct topic *topic, const struct emission *emission, uint64_t at_ms)
{
    if (!topic->options->retain || !emission->type) return;
    retain_drop(topic);
    topic->retained = make(topic, emission, at_ms);
}

void retain_refused(struct topic *topic, const struct emission *emission)
{
    retain_loaded(topic, emission, topic_now(topic));
}

struct frame *retain_frame(struct topic *topic)
{
    retain_expire(topic);
    const struct frame *frame = topic->retained;
    if (frame && !topic->bare)
        topic->bare = make(topic, &(struct emission){.type = frame->type,
                                                     .data = frame_data(frame),
                                                     .replaces = frame->replaces,
                                                     .user = frame->user,
                                                     .tag = frame->tag,
                                                     .meta = frame->meta},
                           topic_now(topic));
    return topic->bare;
}

uint64_t retain_due_ms(const struct topic *topic)
{
    const uint64_t ttl = topic->options->retain_ttl_ms;
    return topic->retained && ttl ? topic->retained->at_ms + ttl : UINT64_MAX;
}

void retain_expire(struct topic *topic)
{
    if (topic_now(topic) < retain_due_ms(topic)) return;
    retain_drop(topic);
    topic_release(topic);
}

/* The event's name may be another one, too. */
void retain_changed(struct topic *topic)
{
    drop_bare(topic);
    if (!topic->options->retain) retain_drop(topic);
}
