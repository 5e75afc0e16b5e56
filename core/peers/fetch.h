/* fetch: the port ports/fetch.h over curl: a transfer whose answer is gathered
 * whole. Deadlines, redirects and what may be sent are transfer's.
 *
 * A connection that was kept alive may be closed by the peer just as it is used
 * again. If not one byte of an answer came, curl sends the request once more on
 * a new one, a POST too, as browsers do: what must not happen twice needs a key
 * by which the peer can tell. */
#pragma once

#include "peers/multi.h"
#include "ports/fetch.h"

/* Nothing may be under way when it is freed. */
struct fetch *fetch_new(struct multi *multi);
void fetch_free(struct fetch *fetch);
