#include "cluster/claim_asker.h"

#include "base/alloc.h"
#include "cluster/scripts.h"

/* One script under way, and what it asks: NULL for what wants no answer any more. */
struct claim_batch {
    struct list node;
    struct claim_asker *asker;
    struct cluster_call *call;
    uint64_t sent_us;
    uint32_t count;
    struct claim_question *questions[CLAIM_SCRIPT_BATCH];
};

/* ---- answers ---- */

static void on_answer(void *owner, const struct redis_answer *answer)
{
    struct claim_batch *batch = owner;
    const struct claim_asker_events *events = batch->asker->_events;
    const struct redis_value *list = answer->value;
    list_remove(&batch->node);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct claim_question *question = batch->questions[i];
        struct claim_answer one;
        if (!question) continue;
        question->_batch = NULL;
        if (list && list->kind == REDIS_LIST && i < list->count &&
            claim_answer_read(&list->items[i], &one))
            events->answered(question, &one, batch->sent_us);
        else
            events->failed(question, answer);
    }
    xfree(batch);
}

/* ---- asking ---- */

static void run(struct claim_asker *asker, struct claim_batch *batch, const struct claim_words *words)
{
    batch->asker = asker;
    batch->sent_us = clock_read_us(asker->_clock);
    list_append(&asker->_batches, &batch->node);
    batch->call = cluster_run(asker->_cluster, asker->_server, &cluster_scripts[SCRIPT_CLAIM],
                              words->list, words->count, on_answer, batch);
}

static void send_some(struct claim_asker *asker)
{
    struct claim_words words;
    struct claim_batch *batch = xcalloc(1, sizeof(*batch));
    claim_words_ask(&words, cluster_node(asker->_cluster));
    while (!list_empty(&asker->_due) && batch->count < CLAIM_SCRIPT_BATCH) {
        struct claim_question *question =
            CONTAINER(asker->_due.next, struct claim_question, _due);
        list_remove(&question->_due);
        if (!asker->_events->write(question, &words)) continue;
        question->_batch = batch;
        question->_slot = batch->count;
        batch->questions[batch->count++] = question;
    }
    if (batch->count)
        run(asker, batch, &words);
    else
        xfree(batch);
}

void claim_asker_send(struct claim_asker *asker)
{
    clock_cancel(asker->_clock, &asker->_send);
    while (!list_empty(&asker->_due)) send_some(asker);
}

static void on_send(struct timer *timer)
{
    claim_asker_send(CONTAINER(timer, struct claim_asker, _send));
}

void claim_ask(struct claim_asker *asker, struct claim_question *question)
{
    if (question->_batch || !list_empty(&question->_due)) return;
    list_append(&asker->_due, &question->_due);
    if (!timer_armed(&asker->_send)) clock_after(asker->_clock, &asker->_send, 0);
}

void claim_asker_drop(struct claim_asker *asker)
{
    clock_cancel(asker->_clock, &asker->_send);
    while (!list_empty(&asker->_due)) list_remove(asker->_due.next);
}

void claim_asker_say(struct claim_asker *asker, const struct claim_words *words)
{
    run(asker, xcalloc(1, sizeof(struct claim_batch)), words);
}

/* ---- a question ---- */

void claim_question_create(struct claim_question *question)
{
    *question = (struct claim_question){0};
    list_create(&question->_due);
}

bool claim_question_is_under_way(const struct claim_question *question)
{
    return question->_batch;
}

void claim_question_take_back(struct claim_question *question)
{
    if (question->_batch) question->_batch->questions[question->_slot] = NULL;
    question->_batch = NULL;
    list_remove(&question->_due);
}

/* ---- life ---- */

void claim_asker_create(struct claim_asker *asker, struct cluster *cluster, struct clock *clock,
                        uint32_t server, const struct claim_asker_events *events)
{
    *asker = (struct claim_asker){
        ._cluster = cluster, ._clock = clock, ._server = server, ._events = events};
    list_create(&asker->_due);
    list_create(&asker->_batches);
    timer_init(&asker->_send, on_send);
}

void claim_asker_destroy(struct claim_asker *asker)
{
    while (!list_empty(&asker->_batches)) {
        struct claim_batch *batch = CONTAINER(asker->_batches.next, struct claim_batch, node);
        list_remove(&batch->node);
        cluster_cancel(batch->call);
        xfree(batch);
    }
    clock_cancel(asker->_clock, &asker->_send);
}
