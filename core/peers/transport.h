/* transport: the port ports/transport.h over curl: a transfer whose bytes are
 * passed on as they come. Its events never come from within a call. */
#pragma once

#include "peers/multi.h"
#include "ports/transport.h"

/* No wire may be open when it is freed. */
struct transport *transport_new(struct multi *multi);
void transport_free(struct transport *transport);
