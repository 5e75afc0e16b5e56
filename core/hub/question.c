/* Most verdicts come at once. The question that was made to ask is then kept for
 * the next one, so that a filter which does not wait costs no memory.
 *
 *   asked ──tied──▶ open ──answer──▶ offer_answered
 *     │              ├──verdict_ms──▶ offer_answered (unknown); the asker is told to stop
 *     └──at once     └──cancel, drop──▶ the asker is told to stop */
#include "hub/question.h"

#include "base/alloc.h"
#include "base/check.h"
#include "hub/hub_state.h"
#include "hub/offer.h"
#include "hub/subscriber_state.h"

struct question {
    struct subscriber *subscriber;
    struct asking *asking;
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

static void answer(struct question *question, enum verdict verdict)
{
    struct subscriber *subscriber = question->subscriber;
    bool only_count = question->only_count;
    int64_t index = queue_index(subscriber->queue, question->sequence);
    CHECK(index >= 0 && verdict != VERDICT_PENDING);
    queue_set_question(subscriber->queue, queue_at(subscriber->queue, (uint32_t)index), NULL);
    keep(question);
    offer_answered(subscriber, (uint32_t)index, verdict, only_count);
}

static void done(void *owner, enum verdict verdict)
{
    answer(owner, verdict);
}

static void expire(struct timer *timer)
{
    struct question *question = CONTAINER(timer, struct question, timer);
    struct verdicts *verdicts = question->subscriber->hub->ports.verdicts;
    verdicts->cancel(verdicts, question->asking, true);
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

void question_tie(struct question *question, struct slot *slot, bool only_count)
{
    question->sequence = slot->sequence;
    question->only_count = only_count;
    queue_set_question(question->subscriber->queue, slot, question);
}

void question_drop(struct question *question)
{
    struct verdicts *verdicts = question->subscriber->hub->ports.verdicts;
    verdicts->cancel(verdicts, question->asking, false);
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
