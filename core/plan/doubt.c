/* What a plan says that is allowed and hardly meant. A doubt is only worth its line
 * if it is right: each is about what will happen with every client, whatever the
 * rules' functions do. What cannot be known from declarations is not guessed. */
#include "plan/plan.h"

static void doubt(struct buf *doubts, const struct plan_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void doubt(struct buf *doubts, const struct plan_place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_printf(doubts, "%s: ", place->text);
    buf_vprintf(doubts, format, arguments);
    buf_add_char(doubts, '\n');
    va_end(arguments);
}

/* ---- topics ---- */

/* How many triggers that a stream's client did not get are sent again one by one, at most. */
static uint32_t burst_of(const struct plan_stream *stream)
{
    const struct subscriber_options *options = &stream->options;
    return options->queue_frames < options->replay_max ? options->queue_frames
                                                       : options->replay_max;
}

/* Of the streams that may carry a topic, the one that needs the least of its history. */
static const struct plan_stream *least_burst(const struct plan *plan)
{
    const struct plan_stream *least = NULL;
    for (size_t i = 0; i < plan->stream_count; i++)
        if (!least || burst_of(plan->streams[i]) < burst_of(least)) least = plan->streams[i];
    return least;
}

static void doubt_topics(const struct plan *plan, struct buf *doubts)
{
    const struct plan_stream *least = least_burst(plan);
    for (size_t i = 0; i < plan->topic_count; i++) {
        const struct plan_topic *topic = plan->topics[i];
        const uint32_t kept = topic->options.history_size;
        if (!topic->subscribe && !topic->unasked)
            doubt(doubts, &topic->place,
                  "app:topic \"%s\" has no subscribe: whoever asks for it by ?topic= is refused; "
                  "give it a function, or say subscribe = false if a stream's topics alone give it",
                  topic->name->text);
        if (least && kept && kept < burst_of(least))
            doubt(doubts, &topic->place,
                  "app:topic \"%s\" has a history of %u, and stream \"%s\" lets %u triggers wait "
                  "for a slow "
                  "client: one that is cut in a burst gets a resync instead of a replay; set "
                  "history.size to %u or more",
                  topic->name->text, kept, least->at.name->text, burst_of(least), burst_of(least));
    }
}

/* ---- upstreams ---- */

static bool is_leased(const struct plan *plan, const struct plan_upstream *upstream)
{
    for (size_t i = 0; i < plan->stream_count; i++)
        for (size_t j = 0; j < plan->streams[i]->upstream_count; j++)
            if (plan->streams[i]->upstreams[j] == upstream) return true;
    return false;
}

static void doubt_upstreams(const struct plan *plan, struct buf *doubts)
{
    for (size_t i = 0; i < plan->upstream_count; i++)
        if (!is_leased(plan, plan->upstreams[i]))
            doubt(doubts, &plan->upstreams[i]->place,
                  "app:upstream \"%s\" is in no stream's upstreams: no link of it ever opens, no "
                  "handler of it runs; list it in a stream's upstreams",
                  plan->upstreams[i]->name->text);
}

/* ---- streams ---- */

static bool all_owned(const struct plan *plan)
{
    for (size_t i = 0; i < plan->topic_count; i++)
        if (!plan->topics[i]->owned) return false;
    return plan->topic_count > 0;
}

static bool knows_users(const struct plan *plan)
{
    for (size_t i = 0; i < plan->stream_count; i++)
        if (plan->streams[i]->at.identity) return true;
    return false;
}

/* What is about users, where there are none. */
static void doubt_users(const struct plan *plan, struct buf *doubts)
{
    if (!plan->stream_count || knows_users(plan)) return;
    for (size_t i = 0; i < plan->topic_count; i++) {
        const struct plan_topic *topic = plan->topics[i];
        if (topic->audience.ask)
            doubt(doubts, &topic->place,
                  "app:topic \"%s\" has an audience, and no stream has an identity: a client "
                  "without a user is in no audience, so nobody gets its triggers; give the stream "
                  "an identity",
                  topic->name->text);
        if (topic->options.attended)
            doubt(doubts, &topic->place,
                  "app:topic \"%s\" has presence, and no stream has an identity: a client without "
                  "a user is nobody who could be there, so nobody ever is; give the stream an "
                  "identity",
                  topic->name->text);
    }
}

static void doubt_streams(const struct plan *plan, struct buf *doubts)
{
    const bool owned = all_owned(plan);
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = plan->streams[i];
        if (owned && !stream->at.identity)
            doubt(doubts, &stream->at.place,
                  "app:stream \"%s\" has no identity, and every topic is its owner's alone: a "
                  "client without a user owns none; give it an identity",
                  stream->at.name->text);
        if (!stream->options.heartbeat_ms)
            doubt(doubts, &stream->at.place,
                  "app:stream \"%s\" has no heartbeat: proxies cut it when it is quiet, and a "
                  "client that vanished keeps its place; set heartbeat above 0",
                  stream->at.name->text);
    }
}

/* ---- ingests ---- */

static void doubt_ingests(const struct plan *plan, struct buf *doubts)
{
    for (size_t i = 0; i < plan->ingest_count; i++) {
        const struct plan_ingest *ingest = plan->ingests[i];
        if (!ingest->at.identity && !ingest->key_count)
            doubt(doubts, &ingest->at.place,
                  "app:ingest \"%s\" has authorize = false: whoever reaches %s publishes; give it a "
                  "key, as authorize = sluice.bearer(...), unless only your own servers reach it",
                  ingest->at.name->text, pattern_text(ingest->at.path).data);
    }
}

void plan_doubt(const struct plan *plan, struct buf *doubts)
{
    doubt_topics(plan, doubts);
    doubt_upstreams(plan, doubts);
    doubt_users(plan, doubts);
    doubt_streams(plan, doubts);
    doubt_ingests(plan, doubts);
}
