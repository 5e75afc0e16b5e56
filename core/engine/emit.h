/* emit: what a call of a rule's wants out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "hub/hub.h"

struct app;
struct carriage;
struct carried;
struct event;
struct terms;

/* One trigger that a handler wants out. Borrowed until app_emit returns. */
struct app_emit {
    struct bytes name;        /* the topic's full name */
    struct emit emit;
    const struct event *event; /* that the call was made for; NULL: another call */
    const char *resync;       /* a reason: tells the topic to re-read instead of emitting; of `emit`
                                 then only the cause counts */
};

/* Publishes all of them, in order. Where nodes share a Redis nobody hears how that went: see carrier.h. */
void app_emit(struct app *app, const struct app_emit *emits, size_t count);

/* Must what a call emits, or its terms, be waited for? */
bool app_publishes(const struct app *app);

/* Only then: publishes all of them, as carrier_send says. */
struct carriage *app_publish(struct app *app, const struct app_emit *emits, size_t count,
                             const struct terms *terms, struct bytes result,
                             void (*done)(void *owner, const struct carried *carried), void *owner);
