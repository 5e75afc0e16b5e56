/* record: what a recording needs of a server: the taps on its ports, and the page
 * GET /record of the admin listener, whose answer is the recording, line by line,
 * for as long as somebody reads it. One at a time: pseudonyms are a recording's
 * own, and a second reader would only slow the server twice. */
#pragma once

#include "tape/taps.h"

struct exchange;
struct order;
struct recorder;
struct server;

/* Puts its taps around the ports. The server's config, node and loop are looked at when a recording
 * begins. */
struct recorder *recorder_new(struct server *server, struct fetch *fetch,
                              struct transport *transport, const struct order *order);

/* After everything that uses the ports. */
void recorder_free(struct recorder *recorder);

struct taps *recorder_taps(struct recorder *recorder);

/* Ends the recording, if there is one, with this reason as its last line. */
void recorder_end(struct recorder *recorder, const char *why);

/* The page: 200 and the lines, or 409 while there is another reader. */
void record_answer(struct server *server, struct exchange *exchange);
