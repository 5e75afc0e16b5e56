/* drain: sends everybody of an app away in good order, because the node drains or
 * a reload removed the app. What waits in windows, or for its fan-out, goes out,
 * every subscriber gets a spread-out `retry:` and a clean end, who is on the way in
 * is refused, links close, beats stop. app_idle tells when all of it, and what rules
 * have under way, is through. */
#pragma once

#include <stdint.h>

#include "hub/hub.h"

struct app;

/* Once, when nobody comes in any more: END_DRAIN with the census closed, or END_RELOAD. */
void drain_app(struct app *app, enum end_reason reason, uint64_t spread_ms);
