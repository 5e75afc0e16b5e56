/* replay: how a subscriber begins: what its cursor says it missed, brought from
 * the histories of all its topics in one order; or, where they do not reach back,
 * a resync that names the topics concerned.
 *
 * Every id that is sent on the way is one from which a client that is cut off
 * there resumes without a loss: `ready` carries the position resumed from; where
 * a resync follows that says more than the histories, `ready` moves no cursor. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct subscriber;

/* Would it begin without a loss? Asks and changes nothing. */
bool replay_is_whole(struct subscriber *subscriber, struct bytes cursor);

void replay_start(struct subscriber *subscriber, struct bytes cursor);
