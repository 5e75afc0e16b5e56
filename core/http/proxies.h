/* proxies: whose word about a client is taken: its address, and whether it came over TLS. Behind a proxy the peer
 * is the proxy, and the client's address stands in a header that every client can
 * send as well. So it is read from the right, where the last proxy wrote, as long
 * as each address passed is one of the config's; the first other one is the
 * client's. What is no address (RFC 7239, 6: "unknown", "_hidden", nonsense) ends the
 * walk at the proxy that reported it.
 *
 * One header is read, the configured one: a proxy that writes X-Forwarded-For hands
 * on a Forwarded that its client has made up. How the client came is the `proto=` beside its
 * address; or, with X-Forwarded-For, the last value of X-Forwarded-Proto: that is the
 * peer's own, whether it writes the header or adds to it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ports/exchange.h"

enum { PROXIES_ADDRESS_BYTES = 46 }; /* INET6_ADDRSTRLEN */

struct proxies {
    struct network *_networks;
    size_t _count;
    bool _local;        /* peers on Unix sockets */
    const char *header; /* "x-forwarded-for" or "forwarded"; static */
};

#define PROXIES_NONE ((struct proxies){NULL, 0, false, "x-forwarded-for"})

void proxies_destroy(struct proxies *proxies);

/* One more: "10.1.2.3", "10.0.0.0/8", "::1", "fd00::/8", "unix". False: appends a sentence that says what
 * was expected. */
bool proxies_add(struct proxies *proxies, const char *text, struct buf *error);

/* Is this peer ("10.1.2.3", "unix") one of them? */
bool proxies_trust(const struct proxies *proxies, struct bytes peer);

/* Writes the address of the request's client, whose `address` is the peer's: the same text for the
 * same address, however the header spells it. *secure: did that one come over TLS? As the request
 * says (did the peer?) where no proxy says how. */
void proxies_client(const struct proxies *proxies, const struct http_request *request,
                    char client[PROXIES_ADDRESS_BYTES], bool *secure);
