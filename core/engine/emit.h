/* emit: what a call of a rule's wants out. */
#pragma once

#include "base/bytes.h"
#include "hub/hub.h"

struct event;

/* One trigger that a handler wants out. Borrowed until app_emit returns. */
struct app_emit {
    struct bytes name;        /* the topic's full name */
    struct emit emit;
    const struct event *event; /* that the call was made for; NULL: another call */
    const char *resync;       /* a reason: tells the topic to re-read instead of emitting; of `emit`
                                 then only the cause counts */
};
