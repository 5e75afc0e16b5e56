/* remembered: what a Redis server keeps of a call for who asks the same again, so that any node can answer it:
 *
 *   HASH PLACES BASE REST
 *
 * the hash of what was asked; the places that its triggers got on the server of the record, with commas; those that
 * who asked had heard of on all servers, likewise; and the caller's own. The first two are written by the
 * script (cluster/publish.lua), the others by the node. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "event/cursor.h"

/* Writes "BASE ". */
void remembered_base(struct buf *out, const struct places *base, uint32_t servers);

/* Reads a record that lies on this server: the places that who asked first was told. `rest` points into it. False: it
 * was something else that was asked. */
bool remembered_read(struct bytes record, struct bytes hash, uint32_t server, struct places *places,
                     struct bytes *rest);
