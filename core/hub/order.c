#include "hub/order.h"

#include "base/check.h"

void order_create(struct order *order)
{
    *order = (struct order){.epoch = order->epoch, .position = 1, .heard = {{1}}};
}

void order_share(struct order *order, uint32_t servers)
{
    CHECK(servers && servers <= CURSOR_SERVERS);
    order->shared = true;
    order->epoch.servers = servers;
    order->heard = (struct places){{0}};
}

void order_epoch(struct order *order, uint8_t server, uint64_t number, struct hash_key seal,
                 struct hash_key mask)
{
    const uint32_t servers = order->epoch.servers;
    const size_t kept = ORDER_FORMER - 1;
    memmove(order->_former + 1, order->_former, kept * sizeof(*order->_former));
    order->_former[0] = (struct order_former){.epoch = order->epoch};
    if (order->_former_count < ORDER_FORMER) order->_former_count++;
    for (uint32_t i = 0; i < order->_former_count; i++) order->_former[i].begun |= 1u << server;
    cursor_epoch_create(&order->epoch, number, seal, mask);
    order->epoch.servers = servers;
}

static bool read_former(const struct order_former *former, struct bytes cursor, struct places *places)
{
    const uint32_t all = (1u << former->epoch.servers) - 1;
    if ((former->begun & all) == all) return false;
    if (!cursor_read(&former->epoch, cursor, places)) return false;
    for (uint32_t i = 0; i < CURSOR_SERVERS; i++)
        if (former->begun & 1u << i) places->at[i] = 0;
    return true;
}

bool order_read(const struct order *order, struct bytes cursor, struct places *places, uint32_t *begun)
{
    uint32_t nobody;
    if (!begun) begun = &nobody;
    *begun = 0;
    if (cursor_read(&order->epoch, cursor, places)) return true;
    for (uint32_t i = 0; i < order->_former_count; i++) {
        *begun = order->_former[i].begun;
        if (read_former(&order->_former[i], cursor, places)) return true;
    }
    *begun = 0;
    return false;
}

void order_begin(struct order *order, uint8_t server, uint64_t place)
{
    CHECK(order->shared && server < order->epoch.servers);
    order->heard.at[server] = order->_begun.at[server] = place;
}

void order_heard(struct order *order, uint8_t server, uint64_t place)
{
    CHECK(order->shared && server < order->epoch.servers);
    if (place > order->heard.at[server]) order->heard.at[server] = place;
}

uint64_t order_next(struct order *order)
{
    order->position++;
    if (!order->shared) order->heard.at[0] = order->position;
    return order->position;
}

bool order_places(const struct order *order, uint64_t position, struct places *places)
{
    if (!order->shared)
        *places = (struct places){{position}};
    else
        *places = order->heard;
    return !order->shared || position == order->position;
}

bool order_before(const struct order *order, uint8_t server, uint64_t place, struct bytes id,
                  struct places *places)
{
    const bool alone = order->epoch.servers == 1;
    if (order->shared && place <= order->_begun.at[server]) return false;
    const bool known = alone || order_read(order, id, places, NULL);
    if (alone) *places = (struct places){{0}};
    places->at[server] = place - 1;
    return known;
}

bool order_is_behind(const struct order *order, const struct places *places)
{
    for (uint32_t i = 0; i < order->epoch.servers; i++) {
        const uint64_t heard = order->shared ? order->heard.at[i] : order->position;
        if (places->at[i] > heard) return true;
    }
    return false;
}

bool order_is_behind_cursor(const struct order *order, struct bytes cursor)
{
    struct places places;
    return order_read(order, cursor, &places, NULL) && order_is_behind(order, &places);
}
