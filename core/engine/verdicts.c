#include "engine/verdicts.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/app.h"
#include "engine/errand.h"
#include "engine/seat.h"

struct asking {
    struct filter_verdicts *verdicts;
    struct errand errand;
    verdict_done_f *done;
    void *owner;
    bool waits; /* false while the call may still answer at once */
    enum verdict verdict;
};

static enum verdict verdict_of(enum outcome outcome)
{
    return outcome == OUTCOME_YES ? VERDICT_YES
           : outcome == OUTCOME_NO ? VERDICT_NO
                                   : VERDICT_UNKNOWN;
}

static void asking_drop(struct asking *asking)
{
    struct filter_verdicts *verdicts = asking->verdicts;
    if (verdicts->_spare)
        xfree(asking);
    else
        verdicts->_spare = asking;
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

static enum verdict ask(struct verdicts *port, const struct topic_options *options,
                        struct subscriber *subscriber, struct frame *frame, verdict_done_f *done,
                        void *owner, struct asking **out)
{
    struct filter_verdicts *verdicts = CONTAINER(port, struct filter_verdicts, port);
    const struct plan_topic *topic = options->owner;
    struct asking *asking = verdicts->_spare ? verdicts->_spare : xmalloc(sizeof(*asking));
    verdicts->_spare = NULL;
    *asking = (struct asking){.verdicts = verdicts, .done = done, .owner = owner};
    const struct hook_call call = {.kind = HOOK_FILTER,
                                   .hook = topic->filter,
                                   .seat = seat_of(subscriber),
                                   .frame = frame};
    if (errand_start(&asking->errand, app_generation(verdicts->_app), &call, on_answer, asking)) {
        asking->waits = true;
        *out = asking;
        return VERDICT_PENDING;
    }
    const enum verdict verdict = asking->verdict;
    asking_drop(asking);
    return verdict;
}

static void cancel(struct verdicts *port, struct asking *asking)
{
    (void)port;
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
