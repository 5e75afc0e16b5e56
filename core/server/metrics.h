/* metrics: the one registry of what the node counts, in Prometheus' text form
 * (exposition format 0.0.4) and as a page of documentation. Rooms keep their own
 * counters; this table says how each is called and where it is read. */
#pragma once

#include "base/buf.h"

struct server;

void metrics_write(const struct server *server, struct buf *out);
void metrics_write_page(struct buf *out);
