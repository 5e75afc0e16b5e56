#include "server/owners.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "engine/node.h"
#include "tape/taps.h"

struct owner {
    const void *link;
    struct tap_owner of;
};

struct walk {
    struct owners *owners;
    const void *link; /* that is searched */
    const struct plan *plan;
    struct tap_owner *found;
    size_t capacity;
    bool there;
};

static struct tap_owner owner_of(const struct walk *walk, const struct plan_upstream *upstream,
                                 struct bytes key)
{
    return (struct tap_owner){
        .app = atom_bytes(walk->plan->app), .upstream = atom_bytes(upstream->name), .key = key};
}

static void walk_all(struct walk *walk, const struct node *node,
                     void (*each)(void *ctx, const struct plan_upstream *upstream,
                                  struct bytes key, struct link *link))
{
    for (size_t i = 0; i < node_apps(node) && !walk->there; i++) {
        walk->plan = app_plan(node_app(node, i));
        app_links_each(node_app(node, i), each, walk);
    }
}

/* ---- sorted ---- */

static void keep(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                 struct link *link)
{
    struct walk *walk = ctx;
    struct owners *owners = walk->owners;
    if (owners->_count == walk->capacity) {
        walk->capacity = walk->capacity ? walk->capacity * 2 : 64;
        owners->_sorted = xrealloc(owners->_sorted, walk->capacity * sizeof(struct owner));
    }
    owners->_sorted[owners->_count++] = (struct owner){link, owner_of(walk, upstream, key)};
}

static int by_link(const void *a, const void *b)
{
    const char *one = ((const struct owner *)a)->link, *two = ((const struct owner *)b)->link;
    return (one > two) - (one < two);
}

void owners_sort(struct owners *owners, const struct node *node)
{
    struct walk walk = {.owners = owners};
    walk_all(&walk, node, keep);
    if (owners->_count) qsort(owners->_sorted, owners->_count, sizeof(struct owner), by_link);
}

void owners_drop(struct owners *owners)
{
    xfree(owners->_sorted);
    *owners = OWNERS_EMPTY;
}

/* ---- one ---- */

static void look(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                 struct link *link)
{
    struct walk *walk = ctx;
    if ((const void *)link != walk->link) return;
    walk->there = true;
    *walk->found = owner_of(walk, upstream, key);
}

bool owners_find(const struct owners *owners, const struct node *node, const void *link,
                 struct tap_owner *found)
{
    if (owners->_sorted) {
        const struct owner wanted = {.link = link};
        const struct owner *owner =
            bsearch(&wanted, owners->_sorted, owners->_count, sizeof(wanted), by_link);
        if (owner) *found = owner->of;
        return owner;
    }
    struct walk walk = {.link = link, .found = found};
    walk_all(&walk, node, look);
    return walk.there;
}
