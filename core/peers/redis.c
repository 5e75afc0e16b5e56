#include "peers/redis.h"

#include "base/alloc.h"
#include "base/check.h"
#include "peers/redis_server.h"

struct peer {
    struct redis_opener opener;
    struct loop *loop;
    struct redis_peer_limits limits;
    struct list servers;
};

static struct redis *open_server(struct redis_opener *opener, struct bytes url,
                                 const struct redis_events *events, void *owner,
                                 struct buf *error)
{
    struct peer *peer = CONTAINER(opener, struct peer, opener);
    return redis_server_open(peer->loop, &peer->limits, &peer->servers, url, events, owner, error);
}

void redis_peer_limit(struct redis_opener *opener, const struct redis_peer_limits *limits)
{
    struct redis_peer_limits *set = &CONTAINER(opener, struct peer, opener)->limits;
    *set = *limits;
    if (!set->connect_timeout_ms) set->connect_timeout_ms = REDIS_PEER_CONNECT_MS;
    if (!set->timeout_ms) set->timeout_ms = REDIS_PEER_TIMEOUT_MS;
    if (!set->calls) set->calls = REDIS_PEER_CALLS;
    if (!set->bytes) set->bytes = REDIS_PEER_BYTES;
}

struct redis_opener *redis_peer_new(struct loop *loop, const struct redis_peer_limits *limits)
{
    struct peer *peer = xcalloc(1, sizeof(*peer));
    peer->opener.open = open_server;
    peer->loop = loop;
    list_create(&peer->servers);
    redis_peer_limit(&peer->opener, limits);
    return &peer->opener;
}

void redis_peer_free(struct redis_opener *opener)
{
    struct peer *peer = CONTAINER(opener, struct peer, opener);
    CHECK(list_empty(&peer->servers));
    xfree(peer);
}

bool redis_peer_status(const struct redis_opener *opener, size_t index,
                       struct redis_peer_status *status)
{
    const struct peer *peer = CONTAINER(opener, struct peer, opener);
    LIST_EACH(node, &peer->servers) {
        if (index--) continue;
        redis_server_status(node, status);
        return true;
    }
    return false;
}

void redis_peer_status_of(const struct redis_opener *opener, const struct redis *redis,
                          struct redis_peer_status *status)
{
    const struct peer *peer = CONTAINER(opener, struct peer, opener);
    LIST_EACH(node, &peer->servers) {
        redis_server_status(node, status);
        if (status->redis == redis) return;
    }
    CHECK(false);
}
