#include "peers/redis_push.h"

enum redis_push redis_push_read(const struct redis_value *value, struct bytes *channel,
                                struct bytes *payload)
{
    if (value->kind == REDIS_ERROR) {
        *payload = value->text;
        return REDIS_PUSH_ERROR;
    }
    if (value->kind != REDIS_LIST || value->count < 3) return REDIS_PUSH_STRANGE;
    const struct redis_value *items = value->items;
    const struct bytes kind = items[0].text;
    *channel = items[1].text;
    if (bytes_is(kind, "message") && value->count == 3) {
        *payload = items[2].text;
        return REDIS_PUSH_MESSAGE;
    }
    if (bytes_is(kind, "pmessage") && value->count == 4) {
        *channel = items[2].text;
        *payload = items[3].text;
        return REDIS_PUSH_MESSAGE;
    }
    if (bytes_is(kind, "subscribe") || bytes_is(kind, "psubscribe")) return REDIS_PUSH_SUBSCRIBED;
    if (bytes_is(kind, "unsubscribe")) return REDIS_PUSH_UNSUBSCRIBED;
    return REDIS_PUSH_STRANGE;
}

void redis_owed_ask(struct redis_owed *owed, size_t count)
{
    owed->_asked += count;
}

void redis_owed_confirm(struct redis_owed *owed)
{
    owed->_confirmed++;
}

uint64_t redis_owed_since_ms(struct redis_owed *owed, uint64_t now_ms)
{
    if (owed->_confirmed >= owed->_asked) return UINT64_MAX;
    if (owed->_confirmed >= owed->_marked) {
        owed->_marked = owed->_asked;
        owed->_marked_ms = now_ms;
    }
    return owed->_marked_ms;
}
