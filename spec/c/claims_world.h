/* claims_world: claims of nodes in the cluster's world. */
#pragma once

#include "base/bytes.h"
#include "cluster/claims.h"

enum { NAMES = 4 };

struct node;

/* A claim of a node, and what it was told. */
struct place {
    struct node *node;
    struct claim *claim;
    int name;
    bool told, ever, has_memo;
    uint64_t before;
    char memo[32];
    uint32_t others;
    uint64_t fence;
    int helds, losts;
};

struct own {
    struct claims *claims;
    struct place places[NAMES];
};

#include "cluster_world.h"

static const char *const names[NAMES] = {"inbox:ann", "inbox:bob", "room", "news"};

static void (*on_held)(struct place *place);

static void free_place(struct place *place, uint64_t keep_ms)
{
    struct claim *claim = place->claim;
    *place = (struct place){.node = place->node, .name = place->name};
    claim_free(claim, keep_ms);
}

static void own_begin(struct node *node, const struct cluster_ports *ports)
{
    node->own.claims = claims_new(node->cluster, ports);
    for (int i = 0; i < NAMES; i++)
        node->own.places[i] = (struct place){.node = node, .name = i};
}

static void own_end(struct node *node)
{
    for (int i = 0; i < NAMES; i++)
        if (node->own.places[i].claim) free_place(&node->own.places[i], 0);
    claims_free(node->own.claims);
}

static void own_wake(struct node *node)
{
    claims_check(node->own.claims);
}

static bool holds(struct place *place)
{
    if (place->node->dead || !place->claim) return false;
    return claim_holds(place->claim);
}

/* What must hold at every moment: nobody holds what another holds, and who holds something was told
 * so. */
static void check_world(void)
{
    for (int name = 0; name < NAMES; name++) {
        int holders = 0;
        for (int i = 0; i < NODES; i++) {
            struct place *place = &nodes[i].own.places[name];
            if (!holds(place)) continue;
            holders++;
            assert_true(place->told);
        }
        assert_true(holders <= 1);
    }
}

/* ---- claims ---- */

static void hear_held(void *owner, struct bytes memo, uint64_t before)
{
    struct place *place = owner;
    assert_false(place->told);
    place->told = true;
    place->ever = before != 0;
    place->before = before;
    place->has_memo = memo.data != NULL;
    snprintf(place->memo, sizeof(place->memo), "%.*s", (int)memo.size, memo.data ? memo.data : "");
    place->fence = claim_fence(place->claim);
    place->helds++;
    if (on_held) on_held(place);
}

static void hear_lost(void *owner, const char *why)
{
    struct place *place = owner;
    assert_non_null(why);
    assert_true(place->told);
    place->told = false;
    place->losts++;
}

static void hear_others(void *owner, uint32_t count)
{
    struct place *place = owner;
    assert_int_not_equal(place->others, count);
    place->others = count;
}

static const struct claim_events place_events = {hear_held, hear_lost, hear_others};

static inline struct place *wish(int node, int name)
{
    struct place *place = &nodes[node].own.places[name];
    place->claim = claim_new(nodes[node].own.claims, 0, bytes_of(names[name]), &place_events, place);
    assert_false(place->told);
    return place;
}

static const char *last_code; /* of the last publish that was answered; "": none */

static void hear_published(void *owner, const struct redis_answer *answer)
{
    (void)owner;
    last_code = answer->value ? "done" : answer->code;
}

/* Something is done in the name, with what the claim says, and leaves a memo. */
static inline void publish_memo(struct place *place, const char *memo)
{
    char fence[24], text[40];
    snprintf(fence, sizeof(fence), "%llu", (unsigned long long)place->fence);
    snprintf(text, sizeof(text), "+%s", memo);
    const struct bytes words[] = {bytes_of(names[place->name]),
                                  bytes_of(fence),
                                  bytes_of(text),
                                  BYTES(""),
                                  BYTES(""),
                                  BYTES("0"),
                                  BYTES("")};
    last_code = "";
    cluster_run(place->node->cluster, 0, &cluster_scripts[SCRIPT_PUBLISH], words, COUNT(words),
                hear_published, NULL);
}

static int begin_world(void **state)
{
    on_held = NULL;
    return begin_nodes(state);
}
