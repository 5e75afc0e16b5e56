#include "peers/redis_queue.h"

#include "base/alloc.h"
#include "peers/redis_calls.h"

void redis_queue_create(struct redis_queue *queue, struct arenas *arenas)
{
    *queue = (struct redis_queue){._arenas = arenas};
    queue->_last = &queue->_first;
}

struct redis_item *redis_queue_add(struct redis_queue *queue, enum redis_item_kind kind,
                                   struct arena *arena, size_t size)
{
    if (arena)
        arena_hold(arena);
    else
        arena = arenas_hold(queue->_arenas);
    struct redis_item *item = arena_take(arena, sizeof(*item));
    *item = (struct redis_item){._arena = arena, ._size = size + sizeof(*item), .kind = kind};
    *queue->_last = item;
    queue->_last = &item->_next;
    queue->bytes += item->_size;
    queue->count++;
    return item;
}

const char *redis_item_text(struct redis_item *item, const char *text)
{
    return arena_text(item->_arena, bytes_of(text));
}

struct redis_item *redis_queue_take(struct redis_queue *queue)
{
    struct redis_item *item = queue->_first;
    if (!item) return NULL;
    queue->_first = item->_next;
    if (!queue->_first) queue->_last = &queue->_first;
    queue->bytes -= item->_size;
    queue->count--;
    return item;
}

void redis_item_free(struct redis_queue *queue, struct redis_item *item)
{
    arenas_release(queue->_arenas, item->_arena);
}

/* The call is freed first: it may not be cancelled any more. */
void redis_item_tell(struct redis_item *item, const struct redis_events *events, void *owner)
{
    switch (item->kind) {
    case REDIS_ITEM_ANSWER: {
        const struct redis_call call = *item->call;
        xfree(item->call);
        if (call.done) call.done(call.owner, &item->answer);
        break;
    }
    case REDIS_ITEM_SUBSCRIBED:
        events->subscribed(owner, item->channel);
        break;
    case REDIS_ITEM_MESSAGE:
        events->message(owner, item->channel, item->payload);
        break;
    case REDIS_ITEM_UP:
        events->up(owner);
        break;
    case REDIS_ITEM_DOWN:
        events->down(owner, item->answer.sentence);
        break;
    }
}

void redis_queue_destroy(struct redis_queue *queue)
{
    for (struct redis_item *item; (item = redis_queue_take(queue));) {
        if (item->kind == REDIS_ITEM_ANSWER) xfree(item->call);
        redis_item_free(queue, item);
    }
}
