/* order: the orders that a node's triggers stand in, and the ids that clients get of them.
 *
 * Each trigger that is placed gets the next *position*: the node's own order, that of queues and
 * fan-outs. Its *place* is what histories and cursors know. On a node alone the two are the same
 * number. In a cluster places are given by servers, each in an order of its own, and `heard` says how far
 * this node has come with each: everything of its topics up to there is placed here.
 *
 * So a position can be turned into places where it is the newest: they are what was heard. Of an older one in a
 * cluster nobody knows any more what was heard then; but a trigger's own id says it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event/cursor.h"

enum { ORDER_FORMER = 4 };

/* Secrets of before, and for which servers what was written with them counts no more. */
struct order_former {
    struct cursor_epoch epoch;
    uint32_t begun; /* a bit a server */
};

struct order {
    struct cursor_epoch epoch;
    struct order_former _former[ORDER_FORMER]; /* the newest first */
    uint32_t _former_count;
    uint64_t position; /* of the newest trigger; starts at 1, so that 0 is "before everything" */
    bool shared;       /* places are given by servers: a bus has it (ports/bus.h) */
    struct places heard; /* of each server; alone, the position */
    struct places _begun; /* where the epoch of each begins */
};

/* The order of a node alone. The epoch's secrets are the caller's to make. */
void order_create(struct order *order);

/* Servers give the places from now on. Before the first trigger. */
void order_share(struct order *order, uint32_t servers);

/* Other secrets, because this server began anew. What cursors of before say of the other servers counts on, for as
 * long as this node knows the secrets: the last four. */
void order_epoch(struct order *order, uint8_t server, uint64_t number, struct hash_key seal,
                 struct hash_key mask);

/* False: the cursor is nobody's, or too old. `begun`, which may be NULL: the servers that began anew since it was
 * written, a bit each; their places are 0. */
bool order_read(const struct order *order, struct bytes cursor, struct places *places, uint32_t *begun);

/* Of a server nothing is known but what comes behind this place: it is new, or began anew. */
void order_begin(struct order *order, uint8_t server, uint64_t place);

/* Everything of this node's topics up to this place of the server is placed here, although none of it may have
 * been the last. Never takes back. */
void order_heard(struct order *order, uint8_t server, uint64_t place);

/* The next position; alone it is the place, too. */
uint64_t order_next(struct order *order);

/* The places that a position stands for; false: nobody knows. */
bool order_places(const struct order *order, uint64_t position, struct places *places);

/* What a client has that has everything in front of the trigger at this place, with this id; false: nobody knows
 * (the id is not ours, or the trigger is of an epoch of before, in which it had what no cursor of now can say). */
bool order_before(const struct order *order, uint8_t server, uint64_t place, struct bytes id,
                  struct places *places);

/* Whether this node has not come as far as who has these. */
bool order_is_behind(const struct order *order, const struct places *places);

/* The same for who has this cursor, which another node gave, if it is one. To be waited for: here it would be taken for
 * unknown. */
bool order_is_behind_cursor(const struct order *order, struct bytes cursor);
