/* address: where a listener listens, as the config writes it:
 *
 *   127.0.0.1:8080   [::1]:8080   localhost:8080     one address
 *   *:8080   :8080                                   every address, IPv6 and IPv4
 *   unix:/run/sluice.sock                            a Unix socket
 *   systemd   systemd:web                            sockets that a socket unit passes
 *
 * No names but localhost: what a name means may change under a running server. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"

struct address {
    struct sockaddr_storage name;
    socklen_t size;
    bool every; /* "*": IPv6 that takes IPv4 too; address_every4 where there is no IPv6 */
};

/* Reads the text; false: appends a sentence that says what was expected. */
bool address_read(struct address *address, const char *text, struct buf *error);

/* Is it one that is passed? address_read does not take it. */
bool address_is_passed(const char *text);

/* Turns an `every` address into its IPv4 twin. */
void address_every4(struct address *address);

/* The path of a Unix socket; NULL for another. */
const char *address_path(const struct address *address);

/* Appends it as the config would write it, with the port at hand. */
void address_write(const struct address *address, struct buf *out);

/* A peer's address as text: "127.0.0.1" (of an IPv4 one within IPv6, too), "::1", or "unix". */
void address_write_peer(const struct sockaddr *peer, char out[INET6_ADDRSTRLEN]);

/* What one host has: an IPv4 address, the first half of an IPv6 one. False: it is on a Unix socket. */
bool address_network(const struct sockaddr *peer, uint8_t network[16]);
