/* flush: a subscriber's queue to its sink: all that is ready, up to 256 frames, in
 * one write. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct hub;
struct job;
struct subscriber;

/* At the end of this turn. */
void flush_post(struct subscriber *subscriber);

/* Now, one write. True: the sink took it all and there is more to write. */
bool flush_now(struct subscriber *subscriber);

/* Writes pieces that are no slots: the queue is empty and the sink not blocked. Returns the bytes
 * that were taken; what was not is the caller's to queue. */
size_t flush_direct(struct subscriber *subscriber, const struct iovec *pieces, int count,
                    size_t size);

/* The hub's job: a bounded number of subscribers, then the next round. */
void flush_run(struct job *job);
