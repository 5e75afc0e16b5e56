/*   asked ──audience──▶ yes ──filter──▶ yes
 *             │  ▲                │
 *             │  └──forgotten─────┘ (the audience is asked again)
 *             └──no, unknown ──▶ that is the verdict; the filter is not asked */
#include "engine/verdicts.h"

#include "base/alloc.h"
#include "engine/app.h"
#include "engine/audience.h"
#include "engine/errand.h"
#include "event/frame.h"
#include "hub/subscriber.h"

struct asking {
    struct rule_verdicts *verdicts;
    const struct plan_topic *topic; /* looked up anew after a wait: its plan may be gone */
    struct subscriber *subscriber;
    struct frame *frame;
    struct admission admission; /* to the audience, */
    struct errand errand;       /* or the filter's call */
    struct pattern_match params;
    verdict_done_f *done;
    void *owner;
    bool waits; /* false while the rules may still answer at once */
    enum verdict verdict;
};

static void on_admitted(struct admission *admission, enum verdict verdict);
static void on_taken_back(struct admission *admission);

static struct asking *asking_new(struct rule_verdicts *verdicts)
{
    struct asking *asking = verdicts->_spare ? verdicts->_spare : xmalloc(sizeof(*asking));
    verdicts->_spare = NULL;
    *asking = (struct asking){.verdicts = verdicts,
                              .admission = {.done = on_admitted, .again = on_taken_back}};
    list_create(&asking->admission._node);
    return asking;
}

static void asking_drop(struct asking *asking)
{
    struct rule_verdicts *verdicts = asking->verdicts;
    audience_let_go(&asking->admission);
    pattern_match_destroy(&asking->params);
    if (verdicts->_spare)
        xfree(asking);
    else
        verdicts->_spare = asking;
}

/* The verdict, late or at once. */
static void conclude(struct asking *asking, enum verdict verdict)
{
    asking->verdict = verdict;
    if (!asking->waits) return;
    verdict_done_f *done = asking->done;
    void *owner = asking->owner;
    asking_drop(asking);
    done(owner, verdict);
}

static enum verdict verdict_of(enum outcome outcome)
{
    return outcome == OUTCOME_YES ? VERDICT_YES
           : outcome == OUTCOME_NO ? VERDICT_NO
                                   : VERDICT_UNKNOWN;
}

static void on_filtered(void *owner, const struct hook_result *result)
{
    struct asking *asking = owner;
    errand_over(&asking->errand);
    conclude(asking, verdict_of(result->outcome));
}

/* True: it waits. False: it is concluded, and gone if the asking was late already. */
static bool filter(struct asking *asking)
{
    const struct plan_topic *topic = asking->topic;
    pattern_match_destroy(&asking->params);
    asking->params = (struct pattern_match){.count = 0};
    if (pattern_params(topic->pattern))
        pattern_match(topic->pattern, atom_bytes(asking->frame->topic), &asking->params);
    const struct hook_call call = {.kind = HOOK_FILTER,
                                   .hook = topic->filter,
                                   .seat = subscriber_owner(asking->subscriber),
                                   .frame = asking->frame,
                                   .pattern = topic->pattern,
                                   .params = &asking->params};
    struct generation *generation = app_generation(asking->verdicts->_app);
    if (!errand_start(&asking->errand, generation, &call, on_filtered, asking)) return false;
    if (topic->audience.ask) audience_keep(&asking->admission);
    return true;
}

static void on_admitted(struct admission *admission, enum verdict verdict)
{
    struct asking *asking = CONTAINER(admission, struct asking, admission);
    asking->topic = app_topic(asking->verdicts->_app, atom_bytes(asking->frame->topic), NULL);
    if (!asking->topic)
        conclude(asking, VERDICT_NO);
    else if (verdict == VERDICT_YES && asking->topic->filter)
        filter(asking);
    else
        conclude(asking, verdict);
}

static void on_taken_back(struct admission *admission)
{
    errand_cancel(&CONTAINER(admission, struct asking, admission)->errand);
}

/* A question that was put off may meet a topic that a reload has changed since. */
static enum verdict ask(struct verdicts *port, const struct topic_options *options,
                        struct subscriber *subscriber, struct frame *frame, verdict_done_f *done,
                        void *owner, struct asking **out)
{
    struct rule_verdicts *verdicts = CONTAINER(port, struct rule_verdicts, port);
    const struct plan_topic *topic = options->owner;
    if (!topic) return VERDICT_NO;
    struct asking *asking = asking_new(verdicts);
    asking->topic = topic;
    asking->subscriber = subscriber;
    asking->frame = frame;
    asking->done = done;
    asking->owner = owner;
    asking->verdict = topic->audience.ask ? audience_ask(verdicts->_audience, topic, subscriber,
                                                         frame, &asking->admission)
                                          : VERDICT_YES;
    if (asking->verdict == VERDICT_YES && topic->filter && filter(asking))
        asking->verdict = VERDICT_PENDING;
    const enum verdict verdict = asking->verdict;
    if (verdict == VERDICT_PENDING) {
        asking->waits = true;
        *out = asking;
    } else {
        asking_drop(asking);
    }
    return verdict;
}

static void cancel(struct verdicts *port, struct asking *asking, bool late)
{
    (void)port;
    if (!errand_waits(&asking->errand))
        audience_cancel(&asking->admission, late);
    else if (late)
        errand_expire(&asking->errand);
    else
        errand_cancel(&asking->errand);
    asking_drop(asking);
}

void rule_verdicts_create(struct rule_verdicts *verdicts, struct app *app,
                          struct audience *audience)
{
    *verdicts = (struct rule_verdicts){
        .port = {.ask = ask, .cancel = cancel}, ._app = app, ._audience = audience};
}

void rule_verdicts_destroy(struct rule_verdicts *verdicts)
{
    xfree(verdicts->_spare);
}
