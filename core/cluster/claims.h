/* claims: what one node of the cluster may do for all of them, at a time: hold a link, read a foreign
 * channel. A *claim* is this node's wish to hold a name; of those who wish, one *holds* it.
 *
 *            granted                     renewed (every third of the lease)
 *   WAITING ─────────▶ HELD ◀──────────────┐
 *      ▲                 │ └────────────────┘
 *      │                 ├─ refused, or its own clock says that the lease is over ─▶ lost
 *      └─────────────────┘
 *
 * The record of a name stands on one server: who holds it, until when (by the server's clock), the *fence* - a
 * number that every grant raises and that never falls, also not across epochs -, who else wishes it, and a
 * *memo*: a small text that outlives holders (a link's last event id). What a holder writes in its
 * name goes with the fence (see the publish script), and is refused once another has been granted.
 *
 * A holder counts its lease from before it sent the request, on its own clock, and is told `lost`
 * CLAIMS_MARGIN_MS before the server's clock can have let it pass: so no two hold a name at a time, unless one was
 * stopped. Who was stopped asks claim_holds before it reads or begins anything: it looks at the clock as it is
 * now, not at the turn's.
 *
 * In a fresh epoch nobody knows who held what: for the length of a lease only those are granted a name
 * who hold it still by their own clock.
 *
 * A name is released - by its holder, whose memo is up to date -, passes to one of those who wish it, by a letter, at once;
 * if its holder died, when the lease is over. When nobody wishes it any more its memo is kept for as long as
 * the claim says (a link's grace period) and then forgotten. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "cluster/cluster.h"

enum {
    CLAIMS_LEASE_MS = 6000,
    CLAIMS_RENEW_MS = 2000,
    CLAIMS_MARGIN_MS = 1000, /* a holder's own clock ends its lease by so much earlier */
    CLAIMS_WISH_MS = 10000, /* a wish counts that was not said again; it is said once a lease */
    CLAIMS_KEPT_MS = 60000  /* the memo of a holder that died while nobody else wished the name */
};

struct claim;
struct claims;

/* None is told from within a function of this room but `lost`, by claim_pass_on and claims_check; else all come from
 * answers and timers. Each may free claims, this one, too. The struct is borrowed for as long as the claim is there. */
struct claim_events {
    /* It is held. The memo is what the last holder left; data NULL: there was none, or it is too long ago. `before`: the
     * last fence that is known to have been given, to this node or another; without a memo nobody but that holder
     * itself can know what it did last. 0: nobody is known to have held the name. */
    void (*held)(void *owner, struct bytes memo, uint64_t before);

    /* It is not, from now on: nothing more may be done in its name. The claim wishes it again by itself. */
    void (*lost)(void *owner, const char *why);

    /* Another node's number of wishes changed: how many other nodes wish it. */
    void (*others)(void *owner, uint32_t count);
};

/* Before anybody else watches the cluster: so that in a fresh epoch what is held is registered before
 * something is published in its name. */
struct claims *claims_new(struct cluster *cluster, const struct cluster_ports *ports);

/* All claims are gone. */
void claims_free(struct claims *claims);

/* A process that may have been stopped calls it when a turn begins that is much later than the last one, before
 * it looks at a descriptor: what is over by the clock as it is now is told `lost`. */
void claims_check(struct claims *claims);

/* Wishes a name, which is copied; one claim of a name at a time. `server` is where its record stands (mostly
 * cluster_server_of). Events come later, never before this returns. */
struct claim *claim_new(struct claims *claims, uint32_t server, struct bytes name,
                        const struct claim_events *events, void *owner);

/* Does not wish it any more. If it holds it, it lets go of it at once, for one of the others if there is one; the memo
 * is kept for keep_ms. No event comes any more. */
void claim_free(struct claim *claim, uint64_t keep_ms);

/* Goes on holding it, but does not count as one who wishes it: when no other node does either, `others` says 0.
 * (A link without a subscriber here.) claim_wish takes it back. */
void claim_unwish(struct claim *claim);
void claim_wish(struct claim *claim);

/* Lets go of it for another node that wishes it: `lost` comes, then it waits like the others. Nothing
 * happens if there is none. */
void claim_pass_on(struct claim *claim);

bool claim_holds(const struct claim *claim); /* by the clock as it is now */
uint64_t claim_fence(const struct claim *claim); /* while it is held its own; else the highest that is known of the name */
uint32_t claim_others(const struct claim *claim); /* how many other nodes wish it, as the server said last */
uint32_t claim_server(const struct claim *claim);
struct bytes claim_name(const struct claim *claim);

/* ---- for metrics ---- */
struct claims_counters {
    uint64_t granted, lost, passed_on;
    uint32_t claims, held; /* now */
};
const struct claims_counters *claims_counters(const struct claims *claims);
