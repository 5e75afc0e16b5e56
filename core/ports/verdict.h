/* verdict: may this subscriber have this trigger? Asked by the hub, answered by
 * rules. "No" is an answer; UNKNOWN says that there is none (an error, a
 * time-out): nothing is shown, and the subscriber is told to re-read once the
 * answer is yes again. */
#pragma once

#include <stdbool.h>

struct frame;
struct subscriber;
struct topic_options;
struct asking; /* an open question; its asker cancels it, its answerer frees it */

enum verdict { VERDICT_YES, VERDICT_NO, VERDICT_UNKNOWN, VERDICT_PENDING };

/* The late answer: YES, NO or UNKNOWN, once. */
typedef void verdict_done_f(void *owner, enum verdict verdict);

struct verdicts {
    /* PENDING: *asking is set and `done` comes later, never before this returns. The frame and
     * the subscriber stay valid until then (the hub cancels first). */
    enum verdict (*ask)(struct verdicts *verdicts, const struct topic_options *topic,
                        struct subscriber *subscriber, struct frame *frame, verdict_done_f *done,
                        void *owner, struct asking **asking);

    /* Gives it up; `late`: because there was no answer in time, which is the answerer's failure. */
    void (*cancel)(struct verdicts *verdicts, struct asking *asking, bool late);
};
