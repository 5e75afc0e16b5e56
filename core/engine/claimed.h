/* claimed: holdings (engine/holding.h) on a cluster's claims: a name is held by who holds its claim. Nothing of
 * it is left behind for a next holder: no memo. */
#pragma once

#include "cluster/claims.h"
#include "engine/holding.h"

struct claimed {
    struct holdings holdings;
    struct claims *_claims;
    struct cluster *_cluster;
};

/* Both outlive it. Nothing is to be taken down: who wishes gives up himself. */
void claimed_create(struct claimed *claimed, struct claims *claims, struct cluster *cluster);
