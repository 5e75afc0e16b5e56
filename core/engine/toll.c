#include "engine/toll.h"

#include <string.h>

#include "base/alloc.h"
#include "base/atom.h"
#include "base/buf.h"
#include "plan/plan.h"
#include "ports/clock.h"

/* What a key begins with: what is limited. */
enum {
    OF_CONNECT = 'C',
    OF_ROUTE = 'R',
    OF_PUBLISH = 'P',
    OF_STREAM = 's',
    OF_DECLARED = 'd',
    OF_NAMED = 'n',
    OF_SHADOW = 'h'
};

struct toll_place {
    struct kind *all, *declared;
};

void toll_create(struct toll *toll, const struct clock *clock)
{
    *toll = (struct toll){.clock = clock, .streams = KINDS_EMPTY};
    rates_create(&toll->rates, 0);
}

void toll_destroy(struct toll *toll)
{
    rates_destroy(&toll->rates);
    kinds_destroy(&toll->streams);
}

void toll_set_limits(struct toll *toll, const struct toll_limits *limits)
{
    toll->limits = *limits;
    rates_set_most(&toll->rates, limits->keys);
}

/* ---- keys ---- */

/* Texts of which none can be made to look like two. */
static void add_part(struct buf *key, struct bytes part)
{
    const uint32_t size = (uint32_t)part.size;
    buf_add(key, &size, sizeof(size));
    buf_add_bytes(key, part);
}

/* The first four groups of an address that inet_ntop wrote: "2001:db8::1" is 2001:db8:0:0. */
static void add_network(struct buf *key, struct bytes address)
{
    const char *gap = memmem(address.data, address.size, "::", 2), *end = address.data + address.size;
    size_t colons = 0;
    for (size_t i = 0; i < address.size; i++) colons += address.data[i] == ':';
    int zeros = gap ? (int)(8 - colons) : 0; /* "a::b": two groups, two colons, six zeros */
    if (gap == address.data || (gap && gap + 2 == end)) zeros++;
    int groups = 0;
    for (const char *at = address.data; at < end && groups < 4; groups++) {
        if (at == gap) {
            for (int i = 0; i < zeros && groups < 4; i++, groups++) buf_add_text(key, "0:");
            groups--;
            at += 2;
            continue;
        }
        const char *colon = memchr(at, ':', (size_t)(end - at));
        const char *to = colon ? colon : end;
        buf_add(key, at, (size_t)(to - at));
        buf_add_char(key, ':');
        at = to == gap || to == end ? to : to + 1;
    }
}

/* False: it has none that could be told from others'. */
static bool add_address(struct buf *key, struct bytes address)
{
    if (!address.size || bytes_is(address, "unix")) return false;
    if (memchr(address.data, ':', address.size))
        add_network(key, address);
    else
        buf_add_bytes(key, address);
    return true;
}

static void begin(struct buf *key, char kind, const struct atom *app, struct bytes name)
{
    buf_add_char(key, kind);
    if (!app) return;
    add_part(key, atom_bytes(app));
    add_part(key, name);
}

/* ---- rates ---- */

static uint64_t take(struct toll *toll, struct buf *key, struct bucket_limit limit)
{
    return rates_take(&toll->rates, buf_bytes(key), limit, 1, toll->clock->now_ms);
}

static uint64_t take_address(struct toll *toll, char kind, const struct atom *app,
                             const struct plan_endpoint *at, struct bytes address,
                             struct bucket_limit limit)
{
    struct buf key = BUF_EMPTY;
    if (!limit.rate) return 0;
    begin(&key, kind, app, app ? atom_bytes(at->name) : BYTES(""));
    const uint64_t wait = add_address(&key, address) ? take(toll, &key, limit) : 0;
    buf_destroy(&key);
    return wait;
}

/* The declaration's own first: what it refuses costs nothing elsewhere. */
static uint64_t take_both(struct toll *toll, char kind, const struct atom *app,
                          const struct plan_endpoint *at, struct bytes address,
                          struct bucket_limit limit)
{
    const struct bucket_limit none = {0};
    const struct bucket_limit own = at->rate_of_user ? none : at->rate;
    const uint64_t wait = take_address(toll, OF_DECLARED, app, at, address, own);
    return wait ? wait : take_address(toll, kind, NULL, NULL, address, limit);
}

uint64_t toll_stream(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                     struct bytes address)
{
    return take_both(toll, OF_CONNECT, app, at, address, toll->limits.connect_per_address);
}

uint64_t toll_route(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                    struct bytes address)
{
    return take_both(toll, OF_ROUTE, app, at, address, toll->limits.route_per_address);
}

uint64_t toll_user(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                   const struct atom *user)
{
    struct buf key = BUF_EMPTY;
    if (!at->rate.rate || !at->rate_of_user || !user) return 0;
    begin(&key, OF_DECLARED, app, atom_bytes(at->name));
    add_part(&key, atom_bytes(user));
    const uint64_t wait = take(toll, &key, at->rate);
    buf_destroy(&key);
    return wait;
}

static uint64_t take_events(struct toll *toll, char kind, const struct atom *app,
                            const struct plan_endpoint *at, const struct atom *publisher,
                            struct bucket_limit limit, uint32_t events)
{
    struct buf key = BUF_EMPTY;
    if (!limit.rate) return 0;
    begin(&key, kind, app, atom_bytes(at->name));
    if (publisher) add_part(&key, atom_bytes(publisher));
    const uint64_t wait =
        rates_take(&toll->rates, buf_bytes(&key), limit, events, toll->clock->now_ms);
    buf_destroy(&key);
    return wait;
}

uint64_t toll_publish(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                      const struct atom *publisher, uint32_t events)
{
    const uint64_t wait = take_events(toll, OF_DECLARED, app, at, publisher, at->rate, events);
    if (wait) return wait;
    return take_events(toll, OF_PUBLISH, app, at, publisher, toll->limits.publish, events);
}

uint64_t toll_node(struct toll *toll)
{
    const struct bucket_limit limit = toll->limits.connect;
    if (!limit.rate || bucket_take(&toll->connect, limit, toll->clock->now_ms)) return 0;
    return bucket_wait_ms(&toll->connect, limit, toll->clock->now_ms);
}

uint64_t toll_named(struct toll *toll, const struct atom *app, bool shadow, struct bytes name,
                    struct bytes key, struct bucket_limit limit)
{
    struct buf whole = BUF_EMPTY;
    begin(&whole, shadow ? OF_SHADOW : OF_NAMED, app, name);
    add_part(&whole, key);
    const uint64_t wait = take(toll, &whole, limit);
    buf_destroy(&whole);
    return wait;
}

/* ---- streams at once ---- */

static bool enter(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                  struct bytes address, uint32_t most, struct kind **count)
{
    struct buf key = BUF_EMPTY;
    *count = NULL;
    if (!most) return true;
    begin(&key, app ? OF_DECLARED : OF_STREAM, app, app ? atom_bytes(at->name) : BYTES(""));
    const bool counted = add_address(&key, address);
    if (counted) *count = kinds_enter(&toll->streams, buf_bytes(&key), most);
    buf_destroy(&key);
    return !counted || *count;
}

bool toll_enter(struct toll *toll, const struct atom *app, const struct plan_endpoint *at,
                uint32_t per_address, struct bytes address, struct toll_place **place)
{
    struct toll_place taken = {NULL, NULL};
    const uint32_t most = toll->limits.streams_per_address;
    const bool good = enter(toll, NULL, NULL, address, most, &taken.all) &&
                      enter(toll, app, at, address, per_address, &taken.declared);
    *place = NULL;
    if (!good) kinds_leave(&toll->streams, taken.all);
    if (!good || (!taken.all && !taken.declared)) return good;
    *place = xmalloc(sizeof(**place));
    **place = taken;
    return true;
}

void toll_leave(struct toll *toll, struct toll_place *place)
{
    if (!place) return;
    kinds_leave(&toll->streams, place->all);
    kinds_leave(&toll->streams, place->declared);
    xfree(place);
}
