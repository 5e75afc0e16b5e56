/* Where one run is all that a subscriber's topics have waiting, and nothing about
 * it depends on the subscriber (no filter, no echo, no key twice), the pieces of
 * its write are made once for all: such a subscriber costs one write and no slot.
 * Only what its sink did not take is queued.
 *
 * The members of a run's topic do not move while it is fanned out (topic.fanning):
 * those who leave become holes, those who join come last, and have joined too late
 * for the run. So an index is all that a step must remember. */
#include "hub/fanout.h"

#include "base/alloc.h"
#include "event/frame.h"
#include "hub/flush.h"
#include "hub/hub_state.h"
#include "hub/offer.h"
#include "hub/subscriber_state.h"

/* What a step may cost: a write is dearer than a slot. */
enum { STEP_COST = 2048, WRITE_COST = 4, PREFETCH = 4 };

struct run {
    struct list node;
    struct topic *topic;
    uint32_t at; /* the next member */
    uint32_t count, capacity;
    struct frame **frames; /* references */
    struct iovec *pieces;  /* one a frame */
    size_t size;           /* of pieces */
    bool common;           /* pieces are good for every subscriber, but for this user's */
    const struct atom *user;
};

static void step(struct job *job);

void fanout_create(struct fanout *fanout)
{
    *fanout = (struct fanout){.step_cost = STEP_COST};
    list_create(&fanout->runs);
    job_create(&fanout->job, step);
}

static struct run *oldest(const struct fanout *fanout)
{
    return CONTAINER(fanout->runs.next, struct run, node);
}

static void run_free(struct run *run)
{
    xfree(run->frames);
    xfree(run->pieces);
    xfree(run);
}

static void run_clear(struct run *run)
{
    list_remove(&run->node);
    for (uint32_t i = 0; i < run->count; i++) frame_unref(run->frames[i]);
    run->count = 0;
    run->topic->runs--;
}

void fanout_destroy(struct fanout *fanout)
{
    while (!list_empty(&fanout->runs)) {
        struct run *run = oldest(fanout);
        run_clear(run);
        run_free(run);
    }
    if (fanout->spare) run_free(fanout->spare);
    later_cancel(&fanout->job);
}

const struct frame *fanout_next(const struct fanout *fanout)
{
    return list_empty(&fanout->runs) ? NULL : oldest(fanout)->frames[0];
}

uint64_t fanout_before(const struct fanout *fanout)
{
    const struct frame *next = fanout_next(fanout);
    return next ? next->position - 1 : UINT64_MAX;
}

static struct run *run_for(struct fanout *fanout, struct topic *topic)
{
    struct run *run = CONTAINER(fanout->runs.prev, struct run, node);
    bool open = !list_empty(&fanout->runs) && run->topic == topic && run->count < RUN_FRAMES &&
                !(fanout->begun && run == oldest(fanout));
    if (open) return run;
    run = fanout->spare;
    fanout->spare = NULL;
    if (!run) {
        run = xmalloc(sizeof(*run));
        *run = (struct run){.count = 0};
        list_create(&run->node);
    }
    run->topic = topic;
    run->at = 0;
    topic->runs++;
    list_append(&fanout->runs, &run->node);
    return run;
}

void fanout_add(struct hub *hub, struct topic *topic, struct frame *frame)
{
    struct run *run = run_for(&hub->fanout, topic);
    if (run->count == run->capacity) {
        run->capacity = run->capacity ? run->capacity * 4 : 1;
        run->frames = xrealloc(run->frames, run->capacity * sizeof(struct frame *));
        run->pieces = xrealloc(run->pieces, run->capacity * sizeof(struct iovec));
    }
    run->frames[run->count++] = frame_ref(frame);
    later_post(hub->ports.later, LATER_LAST, &hub->fanout.job);
}

static bool has_newer(const struct run *run, uint32_t at)
{
    const struct frame *frame = run->frames[at];
    for (uint32_t i = at + 1; i < run->count; i++) {
        const struct frame *newer = run->frames[i];
        if (newer->replaces == frame->replaces && newer->type == frame->type) return true;
    }
    return false;
}

/* Makes the pieces for all. Frames with a tag look different, at most, to the user who caused
 * them; of two with the same key, only one would be sent. */
static void make_pieces(struct run *run)
{
    run->size = 0;
    run->user = NULL;
    run->common = true;
    for (uint32_t i = 0; i < run->count; i++) {
        struct frame *frame = run->frames[i];
        run->pieces[i] = (struct iovec){frame->bytes, frame->size};
        run->size += frame->size;
        if (!run->common) continue;
        if (frame->replaces && has_newer(run, i)) run->common = false;
        if (!frame->tag) continue;
        if (run->user && run->user != frame->user) run->common = false;
        run->user = frame->user;
    }
}

static bool may_share(const struct run *run, const struct subscriber *subscriber,
                      uint64_t joined_at)
{
    return run->common && !run->topic->options->filtered &&
           (!run->user || run->user != subscriber->user) && !subscriber->queue &&
           subscriber->state == STATE_LIVE && !subscriber->blocked && subscriber->sink &&
           joined_at < run->frames[0]->position;
}

/* Nothing else that is on its way concerns the subscriber: it may be written to now, and still all
 * that this turn brought it leaves in one write. */
static bool is_alone(const struct fanout *fanout, struct subscriber *subscriber)
{
    if (fanout->runs.next == fanout->runs.prev) return true;
    if (subscriber->topics > PREFETCH) return false;
    struct subscription *list = subscriber_list(subscriber);
    uint32_t runs = 0;
    for (uint32_t i = 0; i < subscriber->topics; i++) runs += list[i].topic->runs;
    return runs == 1;
}

/* Queues what a direct write left over. */
static void queue_rest(struct subscriber *subscriber, struct run *run, size_t taken)
{
    uint32_t at = 0;
    while (taken >= run->frames[at]->size) taken -= run->frames[at++]->size;
    subscriber->hub->counters.delivered += at;
    uint32_t cut = at;
    for (; at < run->count; at++) {
        offer_trigger(subscriber, run->topic, run->frames[at], run->count - at);
        if (at == cut) subscriber->queue->sent = (uint32_t)taken;
        subscriber->seen = run->frames[at]->position;
    }
}

static void write_direct(struct subscriber *subscriber, struct run *run)
{
    struct hub *hub = subscriber->hub;
    size_t taken = flush_direct(subscriber, run->pieces, (int)run->count, run->size);
    hub->fanout.written++;
    if (taken < run->size)
        queue_rest(subscriber, run, taken);
    else
        hub->counters.delivered += run->count;
    subscriber->seen = run->frames[run->count - 1]->position;
}

/* Offers one frame after the other; a rule that is asked may make the subscriber leave, or end. */
static void offer_all(struct subscriber *subscriber, struct run *run, uint32_t member,
                      uint64_t joined_at)
{
    struct hub *hub = subscriber->hub;
    for (uint32_t i = 0; i < run->count; i++) {
        if (run->topic->members[member].subscriber != subscriber) return;
        struct frame *frame = run->frames[i];
        if (frame->position <= joined_at) continue;
        if (offer_is_echo(subscriber, subscriber->tag, frame)) {
            hub->counters.echoes++;
            hub_note_spared(hub, frame->position, subscriber, SPARED_ECHO);
        } else {
            offer_trigger(subscriber, run->topic, frame, run->count - i);
        }
        subscriber->seen = frame->position;
    }
}

/* All of the run to one member; returns what it cost. */
static int serve(struct run *run, uint32_t index)
{
    const struct member member = run->topic->members[index];
    struct subscriber *subscriber = member.subscriber;
    if (!subscriber) return 1;
    struct hub *hub = subscriber->hub;
    uint64_t joined_at = subscriber_list(subscriber)[member.subscription].joined_at;
    if (run->frames[run->count - 1]->position <= joined_at) return 1;

    bool alone = is_alone(&hub->fanout, subscriber);
    if (alone && may_share(run, subscriber, joined_at)) {
        write_direct(subscriber, run);
        return WRITE_COST;
    }
    offer_all(subscriber, run, index, joined_at);
    if (!alone || subscriber->state == STATE_ENDED) return (int)run->count;
    list_remove(&subscriber->turn);
    if (flush_now(subscriber)) flush_post(subscriber);
    return (int)run->count + WRITE_COST;
}

/* What serve() reads of a subscriber lies in up to three lines, and elsewhere where it has several
 * topics: that is known once the subscriber is there. Inlined always: a function that does nothing else
 * is pure to gcc, which drops calls to it. */
static inline __attribute__((always_inline)) void prefetch(const struct run *run)
{
    const struct topic *topic = run->topic;
    const uint32_t near = run->at + PREFETCH, far = near + PREFETCH;
    if (far < topic->count && topic->members[far].subscriber) {
        const char *next = (const char *)topic->members[far].subscriber;
        __builtin_prefetch(next);
        __builtin_prefetch(next + 64);
        __builtin_prefetch(next + offsetof(struct subscriber, hub));
    }
    if (near < topic->count && topic->members[near].subscriber) {
        struct subscriber *next = topic->members[near].subscriber;
        __builtin_prefetch(subscriber_list(next) + topic->members[near].subscription);
    }
}

/* Once for many writes, as all are as old. */
static void note_latency(struct fanout *fanout, const struct run *run)
{
    struct hub *hub = CONTAINER(fanout, struct hub, fanout);
    if (fanout->written)
        latency_note(&hub->latency, hub->ports.clock, run->frames[0]->at_us, fanout->written);
    fanout->written = 0;
}

static void finish(struct fanout *fanout, struct run *run)
{
    struct topic *topic = run->topic;
    fanout->begun = false;
    note_latency(fanout, run);
    run_clear(run);
    topic_fanned(topic);
    topic_release(topic);
    if (fanout->spare)
        run_free(run);
    else
        fanout->spare = run;
}

/* Goes on until it is done, or until it has cost what a step may: false. */
static bool go_on(struct fanout *fanout)
{
    int cost = 0;
    while (!list_empty(&fanout->runs)) {
        struct run *run = oldest(fanout);
        if (!fanout->begun) make_pieces(run);
        fanout->begun = run->topic->fanning = true;
        while (run->at < run->topic->count) {
            if (cost >= fanout->step_cost) {
                note_latency(fanout, run);
                return false;
            }
            prefetch(run);
            cost += serve(run, run->at++);
        }
        cost += 1;
        finish(fanout, run);
    }
    return true;
}

static void step(struct job *job)
{
    struct fanout *fanout = CONTAINER(job, struct fanout, job);
    struct hub *hub = CONTAINER(fanout, struct hub, fanout);
    if (!go_on(fanout)) later_post(hub->ports.later, LATER_LAST, job);
    latency_settle(&hub->latency, hub->ports.clock);
}

void fanout_finish(struct fanout *fanout)
{
    struct hub *hub = CONTAINER(fanout, struct hub, fanout);
    while (!go_on(fanout)) continue;
    latency_settle(&hub->latency, hub->ports.clock);
    later_cancel(&fanout->job);
}
