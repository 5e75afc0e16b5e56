/* list: an intrusive, circular, doubly linked list. A node that is in no list
 * points to itself, so that removing twice is harmless. */
#pragma once

#include <stdbool.h>

#include "base/check.h"

struct list {
    struct list *next, *prev;
};

static inline void list_create(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_create(node);
}

/* Moves all nodes of `from` to the end of `to`. */
static inline void list_move(struct list *to, struct list *from)
{
    if (list_empty(from)) return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_create(from);
}

/* Walks a list; the node at hand may be removed. */
#define LIST_EACH(node, head)                                                                      \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);             \
         node = node##_next, node##_next = node->next)
