#include "engine/verdicts.h"

#include "base/alloc.h"
#include "engine/app.h"
#include "engine/errand.h"
#include "engine/seat.h"
#include "event/frame.h"

struct asking {
    struct filter_verdicts *verdicts;
    struct errand errand;
    struct pattern_match params;
    verdict_done_f *done;
    void *owner;
    bool waits; /* false while the call may still answer at once */
    enum verdict verdict;
};

static struct asking *asking_new(struct filter_verdicts *verdicts)
{
    struct asking *asking = verdicts->_spare ? verdicts->_spare : xmalloc(sizeof(*asking));
    verdicts->_spare = NULL;
    *asking = (struct asking){.verdicts = verdicts};
    return asking;
}

static void asking_drop(struct asking *asking)
{
    struct filter_verdicts *verdicts = asking->verdicts;
    pattern_match_destroy(&asking->params);
    if (verdicts->_spare)
        xfree(asking);
    else
        verdicts->_spare = asking;
}

static enum verdict verdict_of(enum outcome outcome)
{
    return outcome == OUTCOME_YES ? VERDICT_YES
           : outcome == OUTCOME_NO ? VERDICT_NO
                                   : VERDICT_UNKNOWN;
}

static void on_answer(void *owner, const struct hook_result *result)
{
    struct asking *asking = owner;
    errand_over(&asking->errand);
    asking->verdict = verdict_of(result->outcome);
    if (!asking->waits) return;
    verdict_done_f *done = asking->done;
    void *done_owner = asking->owner;
    const enum verdict verdict = asking->verdict;
    asking_drop(asking);
    done(done_owner, verdict);
}

/* A question that was put off may meet a topic that a reload has changed since. */
static enum verdict ask(struct verdicts *port, const struct topic_options *options,
                        struct subscriber *subscriber, struct frame *frame, verdict_done_f *done,
                        void *owner, struct asking **out)
{
    struct filter_verdicts *verdicts = CONTAINER(port, struct filter_verdicts, port);
    const struct plan_topic *topic = options->owner;
    if (!topic) return VERDICT_NO;
    if (!topic->filter) return VERDICT_YES;
    struct asking *asking = asking_new(verdicts);
    asking->done = done;
    asking->owner = owner;
    if (pattern_params(topic->pattern))
        pattern_match(topic->pattern, atom_bytes(frame->topic), &asking->params);
    const struct hook_call call = {.kind = HOOK_FILTER,
                                   .hook = topic->filter,
                                   .seat = seat_of(subscriber),
                                   .frame = frame,
                                   .pattern = topic->pattern,
                                   .params = &asking->params};
    if (errand_start(&asking->errand, app_generation(verdicts->_app), &call, on_answer, asking)) {
        asking->waits = true;
        *out = asking;
        return VERDICT_PENDING;
    }
    const enum verdict verdict = asking->verdict;
    asking_drop(asking);
    return verdict;
}

static void cancel(struct verdicts *port, struct asking *asking, bool late)
{
    (void)port;
    if (late)
        errand_expire(&asking->errand);
    else
        errand_cancel(&asking->errand);
    asking_drop(asking);
}

void filter_verdicts_create(struct filter_verdicts *verdicts, struct app *app)
{
    *verdicts = (struct filter_verdicts){.port = {.ask = ask, .cancel = cancel}, ._app = app};
}

void filter_verdicts_destroy(struct filter_verdicts *verdicts)
{
    xfree(verdicts->_spare);
}
