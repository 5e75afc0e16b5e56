#include "server/listeners.h"

#include "base/alloc.h"
#include "http/listener.h"
#include "ports/log.h"
#include "server/config_list.h"
#include "server/service.h"
#include "server/worker.h"

/* What is opened from, and to where. */
struct opening {
    struct listeners *listeners;
    const struct listeners_plan *plan;
    const struct listeners_side *side;
    struct buf *errors;
};

static bool keep(const struct opening *opening, struct listener *listener)
{
    struct listeners *listeners = opening->listeners;
    const size_t count = listeners->count + 1;
    if (!listener) return false;
    if (opening->side == &opening->plan->trusted) listener_trust(listener);
    listeners->items = xrealloc(listeners->items, count * sizeof(struct listener *));
    listeners->items[listeners->count++] = listener;
    return true;
}

static bool take(const struct opening *opening, int fd, const char *address)
{
    const struct listeners_side *side = opening->side;
    return keep(opening, listener_take(side->http, fd, address, side->handler, opening->errors));
}

/* All that systemd passed for this address. */
static bool take_passed(const struct opening *opening, const char *address)
{
    int fd = service_take(opening->plan->service, address);
    if (fd < 0) service_explain(opening->plan->service, address, opening->errors);
    bool good = fd >= 0;
    for (; good && fd >= 0; fd = service_take(opening->plan->service, address))
        good = take(opening, fd, address);
    return good;
}

static bool open_own(const struct opening *opening, const char *address)
{
    const struct listeners_side *side = opening->side;
    return keep(opening, listener_open(side->http, address, side->handler, opening->errors));
}

static bool open_shared(const struct opening *opening, const char *address)
{
    const struct listeners_side *side = opening->side;
    const char *shared;
    const int fd = worker_take(opening->plan->worker, address, &shared, opening->errors);
    if (fd >= 0) return take(opening, fd, address);
    return shared &&
           keep(opening, listener_share(side->http, shared, side->handler, opening->errors));
}

/* Each worker has an admin listener of its own. */
static bool open_beside(const struct opening *opening, const char *address)
{
    struct buf own = BUF_EMPTY;
    worker_admin(address, worker_index(opening->plan->worker), &own); /* the config was checked */
    const bool good = open_own(opening, buf_text(&own));
    buf_destroy(&own);
    return good;
}

static bool open_all(const struct opening *opening)
{
    const struct config_list *list = opening->side->addresses;
    bool good = true;
    for (size_t i = 0; good && i < list->count; i++) {
        const char *address = list->items[i];
        good = address_is_passed(address)                ? take_passed(opening, address)
               : !opening->plan->worker                  ? open_own(opening, address)
               : opening->side == &opening->plan->admin ? open_beside(opening, address)
                                                         : open_shared(opening, address);
    }
    if (!good) buf_add_char(opening->errors, '\n');
    return good;
}

bool listeners_open(struct listeners *listeners, const struct listeners_plan *plan, struct buf *errors)
{
    struct opening opening = {listeners, plan, &plan->open, errors};
    if (!open_all(&opening)) return false;
    opening.side = &plan->trusted;
    if (!open_all(&opening)) return false;
    listeners->public_count = listeners->count;
    opening.side = &plan->admin;
    return open_all(&opening);
}

void listeners_close_public(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->public_count; i++) listener_close(listeners->items[i]);
}

void listeners_log(const struct listeners *listeners, struct log *log)
{
    for (size_t i = 0; i < listeners->count; i++)
        LOG(log, LOG_INFO, "listening", F_TEXT("address", listener_address(listeners->items[i])),
            F_TEXT("listener", i < listeners->public_count ? "public" : "admin"));
}

void listeners_destroy(struct listeners *listeners)
{
    xfree(listeners->items);
    *listeners = (struct listeners){NULL, 0, 0};
}
