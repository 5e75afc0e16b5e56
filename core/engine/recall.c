#include "engine/recall.h"

#include "base/check.h"
#include "cluster/scripts.h"
#include "engine/carrier_state.h"

enum { APART_MS = 200, AGAIN_MS = 1000 };

static void tell(struct recall *recall, struct bytes name, size_t head)
{
    struct carrier *carrier = recall->_carrier;
    if (name.size <= head) return;
    name = bytes_run(name.data + head, name.size - head);
    const struct topic_options *options = carrier->ports.options(carrier->ports.owner, name);
    if (options && recall->_concerns(recall, options)) carrier_resync(carrier, name, recall->_reason);
}

static void on_names(void *owner, const struct redis_answer *answer)
{
    struct recall_ask *ask = owner;
    struct recall *recall = ask->_recall;
    struct buf head = BUF_EMPTY;
    ask->_call = NULL;
    if (answer->code) {
        recall->_due |= 1u << (ask - recall->_asks);
        if (!timer_armed(&recall->_timer)) clock_after(recall->_clock, &recall->_timer, AGAIN_MS);
        return;
    }
    carrier_name(recall->_carrier, BYTES(""), &head);
    for (size_t i = 0; i < answer->value->count; i++)
        tell(recall, answer->value->items[i].text, head.size);
    buf_destroy(&head);
}

static void ask_servers(struct timer *timer)
{
    struct recall *recall = CONTAINER(timer, struct recall, _timer);
    struct cluster *cluster = recall->_carrier->joint->cluster;
    struct buf head = BUF_EMPTY;
    carrier_name(recall->_carrier, BYTES(""), &head);
    const struct bytes argument = buf_bytes(&head);
    recall->_last_ms = recall->_clock->now_ms;
    for (uint32_t i = 0; i < cluster_servers(cluster); i++) {
        struct recall_ask *ask = &recall->_asks[i];
        if (!(recall->_due & 1u << i)) continue;
        recall->_due &= ~(1u << i);
        if (ask->_call) cluster_cancel(ask->_call); /* it may not know who has come since */
        ask->_call = cluster_run(cluster, i, &cluster_scripts[SCRIPT_TOPICS], &argument, 1, on_names, ask);
    }
    buf_destroy(&head);
}

void recall_create(struct recall *recall, struct carrier *carrier, struct clock *clock,
                   bool (*concerns)(struct recall *recall, const struct topic_options *options))
{
    *recall = (struct recall){._carrier = carrier, ._clock = clock, ._concerns = concerns};
    timer_init(&recall->_timer, ask_servers);
    for (size_t i = 0; i < CLUSTER_SERVERS; i++) recall->_asks[i]._recall = recall;
}

void recall_begin(struct recall *recall, const char *reason)
{
    const uint64_t now = recall->_clock->now_ms, due = recall->_last_ms + APART_MS;
    recall->_reason = reason;
    recall->_due = (1u << cluster_servers(recall->_carrier->joint->cluster)) - 1;
    clock_after(recall->_clock, &recall->_timer, due > now ? due - now : 0);
}

void recall_destroy(struct recall *recall)
{
    clock_cancel(recall->_clock, &recall->_timer);
    for (size_t i = 0; i < CLUSTER_SERVERS; i++)
        if (recall->_asks[i]._call) cluster_cancel(recall->_asks[i]._call);
}
