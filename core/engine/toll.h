/* toll: what a request costs whom before anything is done for it: streams begun,
 * requests made and events published, per address, user or publisher, per declaration,
 * per node; and how many streams an address has. The limits of the config hold for all that an app declares, those
 * of a declaration as well, for it alone.
 *
 * An IPv6 address counts as its /64, which is what one host has. Peers on a Unix
 * socket have none, and are limited per user and node only.
 *
 * The node owns it, in its census; it outlives reloads. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/kinds.h"
#include "engine/rates.h"

struct atom;
struct clock;
struct plan_endpoint;

/* Rates of 0 limit nothing. */
struct toll_limits {
    struct bucket_limit connect;             /* streams begun on this node */
    struct bucket_limit connect_per_address;
    struct bucket_limit route_per_address;
    struct bucket_limit publish;             /* events of each publisher of each ingest */
    uint32_t streams_per_address;            /* 0: as many as there are */
    uint32_t keys;                           /* buckets at once, see rates.h */
};

struct toll {
    const struct clock *clock;
    struct toll_limits limits;
    struct rates rates;
    struct bucket connect;
    struct kinds streams;
};

void toll_create(struct toll *toll, const struct clock *clock);
void toll_destroy(struct toll *toll);
void toll_set_limits(struct toll *toll, const struct toll_limits *limits);

/* The rate_... of a request, in milliseconds to wait; 0: it may go on. */

/* Before it is asked who it is; `at` is a stream's or route's endpoint of the app of this name. */
uint64_t toll_stream(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                     struct bytes address);
uint64_t toll_route(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                    struct bytes address);

/* Once that is known; user NULL: nobody, who pays nothing. */
uint64_t toll_user(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                   const struct atom *user);

/* So many events of a publisher (NULL: all that have no user are one) of the ingest of this endpoint. */
uint64_t toll_publish(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                      const struct atom *publisher, uint32_t events);

/* One more stream of the whole node. */
uint64_t toll_node(struct toll *toll);

/* A rule's own: app:limit "name" of the app, and what it tells apart. A shadow's are its own. */
uint64_t toll_named(struct toll *toll, const struct atom *app, bool shadow, struct bytes name,
                    struct bytes key, struct bucket_limit limit);

/* The streams of an address, all and those of one declaration. */
struct toll_place;

/* Takes one; *place NULL: nothing is counted. False: the address has as many as it may. */
bool toll_enter(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                uint32_t per_address, struct bytes address, struct toll_place **place);

/* Gives it back; NULL is none. */
void toll_leave(struct toll *toll, struct toll_place *place);
