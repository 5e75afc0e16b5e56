#include "engine/claimed.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/terms.h"

struct holding {
    struct claim *claim;
    const struct holding_events *events;
    void *owner;
};

static void on_held(void *owner, struct bytes memo, uint64_t before)
{
    const struct holding *holding = owner;
    (void)memo, (void)before;
    holding->events->held(holding->owner);
}

static void on_lost(void *owner, const char *why)
{
    const struct holding *holding = owner;
    holding->events->lost(holding->owner, why);
}

static void on_others(void *owner, uint32_t count)
{
    (void)owner, (void)count;
}

static const struct claim_events claim_events = {.held = on_held, .lost = on_lost, .others = on_others};

static struct holding *wish(struct holdings *holdings, struct bytes name,
                            const struct holding_events *events, void *owner)
{
    const struct claimed *claimed = CONTAINER(holdings, struct claimed, holdings);
    struct holding *holding = xcalloc(1, sizeof(*holding));
    const uint32_t server = cluster_server_of(claimed->_cluster, name);
    holding->events = events;
    holding->owner = owner;
    holding->claim = claim_new(claimed->_claims, server, name, &claim_events, holding);
    return holding;
}

static bool holds(const struct holding *holding)
{
    return claim_holds(holding->claim);
}

static void in_its_name(const struct holding *holding, struct terms *terms)
{
    terms->claim = claim_name(holding->claim);
    terms->claim_server = claim_server(holding->claim);
    terms->fence = claim_fence(holding->claim);
}

static void give_up(struct holding *holding)
{
    claim_free(holding->claim, 0);
    xfree(holding);
}

void claimed_create(struct claimed *claimed, struct claims *claims, struct cluster *cluster)
{
    *claimed = (struct claimed){
        .holdings = {.wish = wish, .holds = holds, .terms = in_its_name, .give_up = give_up},
        ._claims = claims,
        ._cluster = cluster};
}
