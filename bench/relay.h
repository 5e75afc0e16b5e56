/* relay: a bare upstream link: reads the events of one user from an upstream SSE server
 * and says how many came, until the upstream ends. No reconnecting, no resuming: the
 * floor of what a link costs. */
#pragma once

#include <stddef.h>

#include "loop.h"
#include "net.h"

struct relay;

/* Called for what one read brought: how many events, and the last one's data field (NULL
 * where a read cut it). */
typedef void relay_events_f(void *owner, unsigned events, const char *data, size_t length);

/* Asks the upstream for /feed?user=N. */
struct relay *relay_open(struct loop *loop, const struct sockaddr_in *upstream, unsigned user,
                         relay_events_f *on_events, void *owner);
void relay_close(struct relay *relay);
