#include "rig/grants.h"

#include "base/alloc.h"
#include "base/buf.h"

static void on_grant(struct job *job)
{
    struct holding *holding = CONTAINER(job, struct holding, _grant);
    if (holding->held || holding->grants->elsewhere) return;
    holding->held = true;
    holding->_events->held(holding->_owner);
}

static struct holding *wish(struct holdings *holdings, struct bytes name,
                            const struct holding_events *events, void *owner)
{
    struct grants *grants = CONTAINER(holdings, struct grants, holdings);
    struct holding *holding = xcalloc(1, sizeof *holding);
    struct buf text = BUF_EMPTY;
    buf_add_bytes(&text, name);
    holding->grants = grants;
    holding->name = buf_take(&text);
    holding->_events = events;
    holding->_owner = owner;
    job_create(&holding->_grant, on_grant);
    list_append(&grants->all, &holding->node);
    later_post(grants->_later, LATER_SOON, &holding->_grant);
    return holding;
}

static bool holds(const struct holding *holding)
{
    return holding->held && !holding->grants->elsewhere;
}

static void in_nobodys_name(const struct holding *holding, struct terms *terms)
{
    (void)holding, (void)terms;
}

static void give_up(struct holding *holding)
{
    list_remove(&holding->node);
    later_cancel(&holding->_grant);
    xfree(holding->name);
    xfree(holding);
}

void grants_move(struct grants *grants, bool elsewhere, bool told)
{
    grants->elsewhere = elsewhere;
    LIST_EACH(node, &grants->all) {
        struct holding *holding = CONTAINER(node, struct holding, node);
        if (!elsewhere) {
            later_post(grants->_later, LATER_SOON, &holding->_grant);
        } else if (told && holding->held) {
            holding->held = false;
            holding->_events->lost(holding->_owner, "another node holds it");
        }
    }
}

void grants_create(struct grants *grants, struct later *later)
{
    *grants = (struct grants){.holdings = {wish, holds, in_nobodys_name, give_up}, ._later = later};
    list_create(&grants->all);
}
