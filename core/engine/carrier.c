/* What goes out. A hub that has a bus hands over what is emitted (ports/bus.h): into the carriage that is being
 * loaded, if a call's emits are, else into the loose one, which leaves at the end of the turn. */
#include "engine/carrier.h"

#include "base/check.h"
#include "engine/carriage.h"
#include "engine/carrier_state.h"
#include "engine/ports.h"
#include "hub/control.h"

void carrier_begin(struct carrier *carrier)
{
    CHECK(!carrier->loading);
    carrier->loading = carriage_new(carrier);
}

struct carriage *carrier_send(struct carrier *carrier, const struct terms *terms, struct bytes result,
                              carried_f *done, void *owner)
{
    struct carriage *carriage = carrier->loading;
    carrier->loading = NULL;
    carriage_send(carriage, terms, result, done, owner); /* all of it may wait in windows */
    return carriage;
}

static void send_loose(struct job *job)
{
    struct carrier *carrier = CONTAINER(job, struct carrier, job);
    struct carriage *carriage = carrier->loose;
    carrier->loose = NULL;
    if (carriage) carriage_send(carriage, NULL, (struct bytes){NULL, 0}, NULL, NULL);
}

static struct carriage *loading_of(struct carrier *carrier)
{
    if (carrier->loading) return carrier->loading;
    if (!carrier->loose) carrier->loose = carriage_new(carrier);
    later_post(carrier->ports.ports->later, LATER_SOON, &carrier->job);
    return carrier->loose;
}

void carrier_out(struct bus *port, struct topic *topic, const struct emission *emission)
{
    struct carrier *carrier = CONTAINER(port, struct carrier, port);
    carriage_load(loading_of(carrier), atom_bytes(topic_name(topic)), topic_options(topic),
                  topic_server(topic), emission, false);
}

void carrier_retain(struct bus *port, struct topic *topic, const struct emission *emission)
{
    struct carrier *carrier = CONTAINER(port, struct carrier, port);
    carriage_load(loading_of(carrier), atom_bytes(topic_name(topic)), topic_options(topic),
                  topic_server(topic), emission, true);
}

void carrier_resync(struct carrier *carrier, struct bytes name, const char *reason)
{
    const struct topic_options *options = carrier->ports.options(carrier->ports.owner, name);
    struct atom *topic = atom_get(name);
    struct buf data = BUF_EMPTY;
    if (options) {
        control_resync_data(&data, reason, topic);
        carriage_load(loading_of(carrier), name, options, carrier_server_of(&carrier->port, name),
                      &(struct emission){.data = buf_bytes(&data)}, false);
    }
    buf_destroy(&data);
    atom_unref(topic);
}

bool carrier_says(struct carrier *carrier, enum carrier_said what)
{
    enum { PACE_MS = 60000 };
    const uint64_t now_ms = carrier->ports.ports->clock->now_ms;
    if (now_ms < carrier->said_ms[what]) return false;
    carrier->said_ms[what] = now_ms + PACE_MS;
    return true;
}

void carrier_out_create(struct carrier *carrier)
{
    list_create(&carrier->carriages);
    job_create(&carrier->job, send_loose);
}

/* Those who wait were told, or are gone. */
void carrier_out_destroy(struct carrier *carrier)
{
    later_cancel(&carrier->job);
    carriages_free(&carrier->carriages);
}
