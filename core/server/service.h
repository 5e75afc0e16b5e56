/* service: systemd's side of a service (sd_notify(3), sd_listen_fds(3)): says when the
 * server is ready, reloads and ends, answers the watchdog as long as the loop turns, and
 * has the sockets that a socket unit passed. Under anything else all of it is nothing. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf;
struct clock;
struct service;

/* Takes the passed sockets and what the environment says of them. */
struct service *service_new(struct clock *clock);
void service_free(struct service *service);

/* One passed socket more for "systemd" (any) or "systemd:NAME" (of this FileDescriptorName), the
 * caller's from now on; -1: there is none left. */
int service_take(struct service *service, const char *address);

/* Appends a sentence: none was passed for this address, and which were. */
void service_explain(const struct service *service, const char *address, struct buf *error);

/* Listens and serves; begins to answer the watchdog. `status` is for people. */
void service_ready(struct service *service, const char *status);
void service_reloading(struct service *service);
void service_stopping(struct service *service, const char *status);

/* For who has others serve in its place. How long systemd waits for a sign of life; 0: it does not wait. */
uint64_t service_patience_ms(const struct service *service);

/* In a process that was forked and is about to be another program: passes on what was not taken, and that
 * `manager`, a notify socket ("@name"), is to hear what systemd would: signs of life, too, where it wants them. */
void service_pass_on(const struct service *service, const char *manager);
