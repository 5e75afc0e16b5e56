/* everywhere: what a rule does to users, and not to a topic, holds on all nodes that share a Redis: a user's streams
 * are ended (app:disconnect), answers of audiences are forgotten (app:forget), who was ended for good is sent
 * away wherever it comes back (engine/finals.h). A node by itself does just that itself.
 *
 * This node does its part at once and announces the rest (cluster/announcements.h); the others do theirs when they hear
 * of it, which is at the latest when they are back on Redis. So the numbers that are answered are those of this node.
 *
 * What this node knew to be published before streams are ended is delivered before that: here, and where the others
 * are that hear of it, as far as it comes within EVERYWHERE_PATIENCE_MS. That is why in a cluster the streams may end
 * a little later than the call returns: when what it has published is back. Forgetting waits for nothing.
 *
 * Where a node missed announcements for good - its Redis began anew, or it was off for an hour -, it forgets what
 * audiences have answered; it cannot know who was to be sent away, and logs that. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/wheel.h"
#include "cluster/announcements.h"
#include "ports/later.h"

struct app;
struct atom;
struct farewell;

enum { EVERYWHERE_PATIENCE_MS = 2000, EVERYWHERE_LOOK_MS = 20 };

struct everywhere {
    struct app *_app;
    struct atom *_name; /* the app's; a reference */
    struct announced _announced;
    struct list _partings; /* that wait for what was published before them */
    struct timer _timer;   /* looks whether it has come */
    struct buf _finals;    /* to be announced at the end of the turn */
    struct job _job;
};

void everywhere_create(struct everywhere *everywhere, struct app *app);
void everywhere_destroy(struct everywhere *everywhere);

/* As app_disconnect. */
uint32_t everywhere_disconnect(struct everywhere *everywhere, struct bytes user, struct bytes tag,
                               const struct farewell *farewell);

/* What audiences answered about this topic and this user (data NULL: all) counts no more. */
void everywhere_forget(struct everywhere *everywhere, struct bytes topic, struct bytes user);

/* A stream was ended for good; as finals_add. */
void everywhere_final(struct everywhere *everywhere, struct atom *stream, struct atom *user, struct atom *tag);
