/* grants: who holds a name in a rig that plays one node of several (engine/holding.h): this one or another, as the
 * spec says. A name is granted as soon as it is wished, while the spec does not say that another holds it. */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "engine/holding.h"
#include "ports/later.h"

struct holding {
    struct list node;
    struct grants *grants;
    char *name;
    bool held;
    const struct holding_events *_events;
    void *_owner;
    struct job _grant;
};

struct grants {
    struct holdings holdings;
    struct later *_later;
    struct list all;
    bool elsewhere;
};

void grants_create(struct grants *grants, struct later *later);

/* Another node holds all names from now on, or this one does. `told`: owners hear that they have lost theirs. */
void grants_move(struct grants *grants, bool elsewhere, bool told);
