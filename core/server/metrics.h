/* metrics: all that the node counts, in Prometheus' text form (exposition format 0.0.4) and as a page
 * of documentation. What there is stands in families.h (plain values) and measures.h (the others). */
#pragma once

#include "base/buf.h"

struct server;

void metrics_write(const struct server *server, struct buf *out);
void metrics_write_page(struct buf *out);
