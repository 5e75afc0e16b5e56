/* told: which clients may not have been told that something was withheld from
 * them. A client's cursor passes what it was denied for want of an answer; when it
 * comes back after it was cut, possibly while the server still holds its old
 * connection for alive, the cursor alone would say that it missed nothing.
 *
 * So the hub keeps a stretch for each (user, topic) with a stale subscriber: from
 * the first place that was withheld to the last that a client can stand at
 * without having been told. As long as a mark holds it, a stretch has no end.
 * Those without one are bounded; what falls out raises a floor, below which
 * everyone is told.
 *
 * Where nodes share the topics a client may come back on another one. So each change of a stretch is told to who
 * shares it (engine/stretches.h), which knows of those of other nodes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atom.h"
#include "base/list.h"
#include "event/cursor.h"
#include "hub/lookup.h"

struct stretch;

enum { STRETCH_GONE = 0 };
#define STRETCH_OPEN UINT64_MAX

/* Hears of stretches from when they begin. May change nothing in the hub. */
struct stretch_watcher {
    /* Where it begins and ends now; to: OPEN, no end yet; GONE, there is nothing that anybody should have been told. */
    void (*changed)(struct stretch_watcher *watcher, struct atom *user, struct atom *topic, uint8_t server,
                    uint64_t from, uint64_t to);
};

struct told {
    struct stretch_watcher *_watcher; /* or NULL */
    struct lookup _by_key;
    struct list _oldest_first; /* those without a mark */
    uint32_t _settled;         /* so many */
    struct places _floors;
};

enum { TOLD_MAX = 4096 };

void told_create(struct told *told, struct stretch_watcher *watcher);
void told_destroy(struct told *told);

/* A mark on the stretch of this user (NULL: of all who are nobody) and topic, which begins, at the
 * latest, at `from`, a place of the topic's server. */
struct stretch *told_open(struct told *told, struct atom *user, struct atom *topic, uint8_t server,
                          uint64_t from);

/* Something older was withheld as well. */
void told_widen(struct told *told, struct stretch *stretch, uint64_t from);

/* The mark goes. `to`: the client's cursor stands there at most, and may not know; 0: there is
 * nothing that it should have been told. */
void told_close(struct told *told, struct stretch *stretch, uint64_t to);

/* Whether a client of this user, whose cursor stands at this place of the topic's server, may not have been told. */
bool told_concerns(const struct told *told, struct atom *user, struct atom *topic, uint8_t server,
                   uint64_t place);
