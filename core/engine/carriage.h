/* carriage: what is published together - a call's emits, or what nobody waits for of one turn -, from when the carrier
 * (engine/carrier.h) begins to load it until every server that has some of its topics has answered.
 *
 * Before anything is sent it is looked at whether all of it can be: each server is here, or its topics are delivered to
 * this node's subscribers meanwhile. Else nothing is ("away"). When some servers have done their part and others
 * not, the answer is "lost": it may be asked for again, and then the rest is done.
 *
 * Those who ask for a publish and wait for it see of this room carried_f, carriage_give_up and carriage_owe; the rest is
 * the carrier's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "event/cursor.h"

struct carriage;
struct carrier;
struct emission;
struct list;
struct terms;
struct topic_options;

struct carried {
    const char *code;     /* NULL: published, or `again`; else why not: cluster/trunk.h's codes; "other": what was
                             published under this record was something else */
    const char *sentence;
    struct bytes again;   /* the record of who asked the same before; data NULL: nobody did */
    struct places places; /* of who knows of all this; with a code: nothing */
};

typedef void carried_f(void *owner, const struct carried *carried);

/* Nobody waits any more: `done` does not come. */
void carriage_give_up(struct carriage *carriage);

/* If it fails, nobody does it again: then its topics are told, as those of what nobody waits for. */
void carriage_owe(struct carriage *carriage);

/* ---- the carrier's ---- */

/* An empty one, in the carrier's list until it is answered; it frees itself then. */
struct carriage *carriage_new(struct carrier *carrier);

/* One trigger more of the topic of this name, which the server has; everything is copied. `retain_only`: it gets no place, and is
 * what newcomers get from now on. */
void carriage_load(struct carriage *carriage, struct bytes name, const struct topic_options *options,
                   uint32_t server, const struct emission *emission, bool retain_only);

/* Once, also an empty one. The terms, which may be NULL, are copied; `result` is what the call answered, for them. `done` comes
 * later, once, unless it is given up; NULL: nobody waits. */
void carriage_send(struct carriage *carriage, const struct terms *terms, struct bytes result,
                   carried_f *done, void *owner);

/* All of a carrier's; nobody is told. */
void carriages_free(struct list *carriages);
