/* redis_queue: what came from a server, or became of it, and is not told yet: told at the end of the turn, in the order
 * of adding. An item lives in an arena with the values that it names. */
#pragma once

#include <stdbool.h>

#include "peers/redis_values.h"
#include "ports/redis.h"

enum redis_item_kind {
    REDIS_ITEM_ANSWER,
    REDIS_ITEM_SUBSCRIBED,
    REDIS_ITEM_MESSAGE,
    REDIS_ITEM_UP,
    REDIS_ITEM_DOWN
};

struct redis_item {
    struct redis_item *_next;
    struct arena *_arena;
    size_t _size;
    enum redis_item_kind kind;
    struct redis_call *call;     /* of ANSWER */
    struct redis_answer answer;  /* of ANSWER; of DOWN the sentence */
    struct bytes channel, payload;
};

struct redis_queue {
    struct arenas *_arenas;
    struct redis_item *_first, **_last;
    size_t bytes, count;
};

void redis_queue_create(struct redis_queue *queue, struct arenas *arenas);

/* Nobody is told what is in it; calls are freed. */
void redis_queue_destroy(struct redis_queue *queue);

/* Appends an item, to be filled. arena: where its values are, and how large they are; NULL: it has none. */
struct redis_item *redis_queue_add(struct redis_queue *queue, enum redis_item_kind kind,
                                   struct arena *arena, size_t size);

/* A sentence that lives as long as the item. */
const char *redis_item_text(struct redis_item *item, const char *text);

/* Takes the first one off, or NULL; what it names lives until it is freed. */
struct redis_item *redis_queue_take(struct redis_queue *queue);
void redis_item_tell(struct redis_item *item, const struct redis_events *events, void *owner);
void redis_item_free(struct redis_queue *queue, struct redis_item *item);
