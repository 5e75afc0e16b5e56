/*   due ──end of turn──▶ called ──▶ answered
 *    └──────cancel──────────┴─────▶ gone */
#include "engine/snapshots.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/errand.h"
#include "hub/subscriber.h"

enum { CALLS_A_ROUND = 64 };

struct exposure {
    struct list node; /* in _due */
    struct subscriber *subscriber;
    struct atom *name; /* borrowed: the topic's */
    struct pattern_match params;
    struct errand errand;
    snapshot_done_f *done;
    void *owner;
};

static void drop(struct exposure *exposure)
{
    list_remove(&exposure->node);
    pattern_match_destroy(&exposure->params);
    xfree(exposure);
}

static void conclude(struct exposure *exposure, const struct snapshot *snapshot)
{
    snapshot_done_f *done = exposure->done;
    void *owner = exposure->owner;
    drop(exposure);
    done(owner, snapshot);
}

/* Types and data by turns. */
static void on_answered(void *owner, const struct hook_result *result)
{
    struct exposure *exposure = owner;
    const size_t count = result->outcome == OUTCOME_YES ? result->name_count / 2 : 0;
    struct snapshot_event *events = xcalloc(count + 1, sizeof(*events));
    for (size_t i = 0; i < count; i++)
        events[i] = (struct snapshot_event){result->names[2 * i], result->names[2 * i + 1]};
    errand_over(&exposure->errand);
    conclude(exposure, &(struct snapshot){.known = result->outcome != OUTCOME_UNKNOWN,
                                          .count = count,
                                          .events = events});
    xfree(events);
}

/* A reload may have come in between; then its recheck is due, and asks again. */
static void begin(struct exposure *exposure, struct generation *generation)
{
    const struct plan_topic *topic = plan_topic_of(generation_plan(generation),
                                                   atom_bytes(exposure->name), &exposure->params);
    if (!topic || !topic->snapshot) {
        conclude(exposure, &(struct snapshot){.known = false});
        return;
    }
    const struct hook_call call = {.kind = HOOK_SNAPSHOT,
                                   .hook = topic->snapshot,
                                   .seat = subscriber_owner(exposure->subscriber),
                                   .name = atom_bytes(exposure->name),
                                   .pattern = topic->pattern,
                                   .params = &exposure->params};
    errand_start(&exposure->errand, generation, &call, on_answered, exposure);
}

static void run(struct job *job)
{
    struct rule_snapshots *snapshots = CONTAINER(job, struct rule_snapshots, _job);
    for (int calls = 0; calls < CALLS_A_ROUND && !list_empty(&snapshots->_due); calls++) {
        struct exposure *exposure = CONTAINER(snapshots->_due.next, struct exposure, node);
        list_remove(&exposure->node);
        begin(exposure, *snapshots->_generation);
    }
    if (!list_empty(&snapshots->_due)) later_post(snapshots->_later, LATER_SOON, job);
}

static struct exposure *ask(struct snapshots *port, struct subscriber *subscriber,
                            struct atom *topic, snapshot_done_f *done, void *owner)
{
    struct rule_snapshots *snapshots = CONTAINER(port, struct rule_snapshots, port);
    struct exposure *exposure = xcalloc(1, sizeof(*exposure));
    *exposure = (struct exposure){
        .subscriber = subscriber, .name = topic, .done = done, .owner = owner};
    list_create(&exposure->node);
    list_append(&snapshots->_due, &exposure->node);
    later_post(snapshots->_later, LATER_SOON, &snapshots->_job);
    return exposure;
}

static void cancel(struct snapshots *port, struct exposure *exposure, bool late)
{
    (void)port;
    if (late)
        errand_expire(&exposure->errand);
    else
        errand_cancel(&exposure->errand);
    drop(exposure);
}

void rule_snapshots_create(struct rule_snapshots *snapshots, struct later *later,
                           struct generation *const *generation)
{
    *snapshots = (struct rule_snapshots){
        .port = {.ask = ask, .cancel = cancel}, ._generation = generation, ._later = later};
    list_create(&snapshots->_due);
    job_create(&snapshots->_job, run);
}

void rule_snapshots_destroy(struct rule_snapshots *snapshots)
{
    CHECK(list_empty(&snapshots->_due));
    later_cancel(&snapshots->_job);
}
