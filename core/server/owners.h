/* owners: whose link it is - its app, upstream and key - for the wires of a
 * recording. At its beginning all links are looked up in one go, so they stand
 * sorted for as long as that takes; afterwards a link is searched among all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct node;
struct owner;
struct tap_owner;

struct owners {
    struct owner *_sorted; /* NULL: they are not */
    size_t _count;
};

#define OWNERS_EMPTY ((struct owners){NULL, 0})

/* Sorts the links there are; good until one of them goes. */
void owners_sort(struct owners *owners, const struct node *node);
void owners_drop(struct owners *owners);

/* False: no app has this link. What is found is borrowed from the link's app. */
bool owners_find(const struct owners *owners, const struct node *node, const void *link,
                 struct tap_owner *found);
