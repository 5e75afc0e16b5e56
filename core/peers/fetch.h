/* fetch: the port ports/fetch.h over curl: a transfer whose answer is gathered
 * whole. Deadlines, redirects and what may be sent are transfer's. */
#pragma once

#include "peers/multi.h"
#include "ports/fetch.h"

/* Nothing may be under way when it is freed. */
struct fetch *fetch_new(struct multi *multi);
void fetch_free(struct fetch *fetch);
