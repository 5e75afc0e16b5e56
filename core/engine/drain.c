#include "engine/drain.h"

#include "engine/attach.h"
#include "engine/beats.h"
#include "engine/feeds.h"
#include "engine/presence.h"
#include "engine/seat.h"
#include "engine/seats.h"

enum { RETRY_MIN_MS = 1000 };

void drain_app(struct app *app, enum end_reason reason, uint64_t spread_ms)
{
    struct random *random = app_ports(app)->random;
    beats_stop(app_beats(app));
    presence_stop(app_presence(app));
    hub_windows_flush(app_hub(app));
    hub_fan_out(app_hub(app));
    uint32_t index = 0;
    for (struct seat *seat; (seat = seats_next(app_seats(app), &index));)
        attach_abandon(seat, reason, RETRY_MIN_MS + random_below(random, spread_ms + 1));
    feeds_close(app_feeds(app));
}
