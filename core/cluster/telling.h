/* telling: the holder of a claim says a word to all nodes that wish it, too. It comes to them as a letter of the
 * kind "told": "WORD NAME". */
#pragma once

#include "base/bytes.h"
#include "cluster/cluster.h"

/* The claim is known by its name, and held with this fence; the word has no space in it. As cluster_run. */
struct cluster_call *telling_begin(struct cluster *cluster, uint32_t server, struct bytes name,
                                   uint64_t fence, struct bytes word, redis_done_f *done,
                                   void *owner);

/* What such a letter says. False: it is none. */
bool telling_read(struct bytes payload, struct bytes *word, struct bytes *name);
