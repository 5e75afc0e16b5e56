/* net: sockets of the benchmark: TCP on loopback over IPv4, TCP_NODELAY everywhere. */
#pragma once

#include <netinet/in.h>

enum { NET_TARGETS = 8 };

/* Where connections go, in turn by their number. */
struct net_targets {
    struct sockaddr_in at[NET_TARGETS];
    unsigned count;
};

/* Dies unless text is "a.b.c.d:port", or several of these with commas between. */
struct net_targets net_targets(const char *text);

/* Dies unless text is "a.b.c.d:port". */
struct sockaddr_in net_address(const char *text);

/* A connected, blocking socket (loopback completes the handshake at once unless the
 * backlog is full). Connections to 127/8 come from 127.0.0.2 to 127.0.0.17 in turn, by
 * `number`: sixteen times the port range, so that ports in TIME_WAIT never run out. */
int net_connect(const struct sockaddr_in *to, unsigned number);

int net_connect_any(const struct net_targets *to, unsigned number);

/* A non-blocking listening socket on 127.0.0.1. Port 0: one that the kernel picks. */
int net_listen(unsigned port);

/* The port that a socket is bound to. */
unsigned net_port(int fd);

/* Accepts a blocking connection; -1 when none waits. */
int net_accept(int listener);

/* Sends all of it, blocking where the socket is full (MSG_DONTWAIT is the caller's
 * choice elsewhere). Returns -1 when the peer is gone. */
int net_send(int fd, const char *bytes, unsigned long length);
