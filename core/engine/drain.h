/* drain: sends everybody of an app away in good order, because the node drains or
 * a reload removed the app. What waits in windows, or for its fan-out, goes out,
 * every subscriber gets a spread-out `retry:` and a clean end, who is on the way in
 * is refused, links close, beats stop. app_idle tells when all of it, and what rules
 * have under way, is through.
 *
 * Ten thousand farewells are ten thousand system calls: they go out in rounds, as a
 * long fan-out does, which they wait for, and what else the node has to do has its
 * turn in between. What is emitted after the drain began reaches who is still there.
 * Who has something waiting that his socket does not take yet comes last: for
 * drain_patience_ms the walk is made again and again, then he has to go. */
#pragma once

#include <stdint.h>

#include "hub/hub.h"
#include "ports/clock.h"
#include "ports/later.h"

enum { DRAIN_ROUND = 64 }; /* streams that end in one */

struct app;

/* Owned by its app. */
struct drain {
    struct app *_app;
    struct job _job;
    enum end_reason _reason;
    uint64_t _spread_ms;
    uint64_t _position; /* of the last trigger that everybody is to have */
    uint64_t _until_ms;
    struct timer _again;
    uint32_t _index; /* of the next seat */
    bool _waits;     /* somebody whom this walk left out has something waiting */
    bool _begun, _over;
};

void drain_create(struct drain *drain, struct app *app);

/* Begun, and not through with its streams. */
bool drain_busy(const struct drain *drain);

/* Once, when nobody comes in any more: END_DRAIN with the census closed, or END_RELOAD. */
void drain_app(struct app *app, enum end_reason reason, uint64_t spread_ms);
