/* Most verdicts come at once. The question that was made to ask is then kept for
 * the next one, so that a filter which does not wait costs no memory.
 *
 *   asked ──tied──▶ open ──answer──▶ offer_answered
 *     │              ├──verdict_ms──▶ offer_answered (unknown); the asker is told to stop
 *     └──at once     └──cancel, drop──▶ the asker is told to stop
 *
 * A snapshot's question never has its answer at once, and is open from the beginning. */
#include "hub/question.h"

#include "base/alloc.h"
#include "base/check.h"
#include "hub/hub_state.h"
#include "hub/offer.h"
#include "hub/snapshot.h"
#include "hub/subscriber_state.h"

struct question {
    struct subscriber *subscriber;
    struct topic *topic; /* whose snapshot is asked for; NULL: a verdict is */
    union {
        struct asking *asking;
        struct exposure *exposure;
    };
    struct timer timer;
    uint32_t sequence; /* of the slot */
    bool only_count;
};

static void expire(struct timer *timer);

static struct question *take(struct hub *hub)
{
    struct question *question = hub->spare_question;
    hub->spare_question = NULL;
    if (!question) question = xmalloc(sizeof(*question));
    return question;
}

static void keep(struct question *question)
{
    struct hub *hub = question->subscriber->hub;
    clock_cancel(hub->ports.clock, &question->timer);
    if (hub->spare_question)
        xfree(question);
    else
        hub->spare_question = question;
}

void question_free(struct question *question)
{
    xfree(question);
}

/* Takes an answered question off its slot; the slot's index. */
static uint32_t untie(struct question *question)
{
    struct queue *queue = question->subscriber->queue;
    const int64_t index = queue_index(queue, question->sequence);
    CHECK(index >= 0);
    queue_set_question(queue, queue_at(queue, (uint32_t)index), NULL);
    keep(question);
    return (uint32_t)index;
}

static void answer(struct question *question, enum verdict verdict)
{
    struct subscriber *subscriber = question->subscriber;
    bool only_count = question->only_count;
    CHECK(verdict != VERDICT_PENDING);
    offer_answered(subscriber, untie(question), verdict, only_count);
}

static void done(void *owner, enum verdict verdict)
{
    answer(owner, verdict);
}

static void fill(void *owner, const struct snapshot *snapshot)
{
    struct question *question = owner;
    struct subscriber *subscriber = question->subscriber;
    struct topic *topic = question->topic;
    snapshot_answered(subscriber, untie(question), topic, snapshot);
}

/* Nobody wants its answer any more. */
static void stop(struct question *question, bool late)
{
    const struct hub_ports *ports = &question->subscriber->hub->ports;
    if (question->topic)
        ports->snapshots->cancel(ports->snapshots, question->exposure, late);
    else
        ports->verdicts->cancel(ports->verdicts, question->asking, late);
}

static void expire(struct timer *timer)
{
    struct question *question = CONTAINER(timer, struct question, timer);
    stop(question, true);
    if (question->topic)
        fill(question, &(struct snapshot){.known = false});
    else
        answer(question, VERDICT_UNKNOWN);
}

enum verdict question_ask(struct subscriber *subscriber, struct topic *topic, struct frame *frame,
                          struct question **question)
{
    struct hub *hub = subscriber->hub;
    struct verdicts *verdicts = hub->ports.verdicts;
    struct question *made = take(hub);
    *made = (struct question){.subscriber = subscriber};
    timer_init(&made->timer, expire);
    enum verdict verdict =
        verdicts->ask(verdicts, topic->options, subscriber, frame, done, made, &made->asking);
    if (verdict == VERDICT_PENDING) {
        CHECK(made->asking);
        clock_after(hub->ports.clock, &made->timer, subscriber->options->verdict_ms);
        *question = made;
    } else {
        keep(made);
    }
    return verdict;
}

void question_ask_snapshot(struct subscriber *subscriber, struct topic *topic, struct slot *slot,
                           uint64_t until_ms)
{
    struct hub *hub = subscriber->hub;
    struct snapshots *snapshots = hub->ports.snapshots;
    struct question *question = take(hub);
    *question = (struct question){.subscriber = subscriber, .topic = topic};
    timer_init(&question->timer, expire);
    if (until_ms)
        wheel_arm(&hub->ports.clock->wheel, &question->timer, until_ms);
    else
        clock_after(hub->ports.clock, &question->timer, subscriber->options->verdict_ms);
    question_tie(question, slot, false);
    question->exposure = snapshots->ask(snapshots, subscriber, topic->name, fill, question);
    hub->counters.snapshots++;
}

uint64_t question_until(const struct question *question)
{
    return question->timer.due_ms;
}

struct topic *question_topic(const struct question *question)
{
    return question->topic;
}

void question_tie(struct question *question, struct slot *slot, bool only_count)
{
    question->sequence = slot->sequence;
    question->only_count = only_count;
    queue_set_question(question->subscriber->queue, slot, question);
}

void question_drop(struct question *question)
{
    stop(question, false);
    keep(question);
}

void question_cancel(struct subscriber *subscriber, struct slot *slot)
{
    if (!slot->question) return;
    question_drop(slot->question);
    queue_set_question(subscriber->queue, slot, NULL);
}

void question_only_count(struct question *question)
{
    question->only_count = true;
}

bool question_only_counts(const struct question *question)
{
    return question->only_count;
}
