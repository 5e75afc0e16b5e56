/* drain: sends everybody of an app away in good order. What waits in windows, or
 * for its fan-out, goes out, every subscriber gets a spread-out `retry:` and a
 * clean end, who is on the way in is refused, links close, beats stop. app_idle
 * tells when all of it, and what rules have under way, is through. */
#pragma once

#include <stdint.h>

struct app;

/* Once: the census is closed, so nobody comes in afterwards. */
void drain_app(struct app *app, uint64_t spread_ms);
