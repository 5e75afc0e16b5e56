/* farewell: how a rule ends a stream: with a last event of its own or without, and for
 * good or so that its client may come back. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* Borrowed. All zero: it just ends. */
struct farewell {
    struct bytes event; /* its name; empty: none */
    struct bytes data;
    bool final; /* who comes back within a minute is sent away for good, see engine/finals.h */
};
