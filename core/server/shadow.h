/* shadow: the admin's pages about rules in the shadow of the running ones:
 *
 *   POST   /shadow             loads the files of the config as a reload would, and lets them
 *                              run beside; 200, or 409 with the faults
 *   GET    /shadow             how they do: counters, the last differences
 *   DELETE /shadow             and no more
 *   POST   /reload?promote=1   they take over, if the files are still what is shadowed */
#pragma once

struct exchange;
struct server;

void shadow_begin(struct server *server, struct exchange *exchange);
void shadow_report(struct server *server, struct exchange *exchange);
void shadow_drop(struct server *server, struct exchange *exchange);
