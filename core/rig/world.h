/* world: a whole node in memory: the engine and the rules' VMs as production
 * has them, under a virtual clock, a seeded random and a scripted network. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "engine/app.h"
#include "engine/databases.h"
#include "engine/node.h"
#include "engine/shadow.h"
#include "ports/clock.h"
#include "ports/files.h"
#include "ports/journal.h"
#include "ports/later.h"
#include "ports/log.h"
#include "ports/random.h"
#include "rig/grants.h"
#include "rig/redis.h"
#include "rig/remote.h"
#include "upstream/gate.h"

#define WORLD_APPS_MAX 8

struct loaded;

struct world_options {
    const char *scripts_dir;
    uint64_t seed;
    uint32_t streams, streams_per_user; /* 0 per user: no bound of its own */
    struct toll_limits toll;
    uint32_t links;
    uint64_t link_rate;
    uint32_t audience_permits;
    struct explain_limits explain;
    uint64_t wall_ms; /* the time of day at the beginning; 0: of 2023-11-14 */
    bool steady; /* for replays: chance is the least of what it may be, so that no attempt is later than
                    the one recorded, and no wire fails by itself */
    bool environ; /* sluice.env sees the process's environment behind env */
    uint32_t slice_ms;
    size_t memory_bytes;
    uint32_t quarantine_after;
    bool clustered; /* other nodes may hold what this one wishes to */
    const char *redis; /* where rules send commands that name no url; NULL: nowhere */
    const char *(*env)(void *ctx, const char *name); /* what sluice.env sees */
    void *env_ctx;
};

struct world {
    struct clock clock;
    struct later later;
    struct random random;
    struct log log;
    struct remote remote;
    struct redises redises;
    struct databases databases;
    struct grants grants;
    struct gate gate;
    struct order order;
    struct files files;
    struct engine_ports ports;
    struct shadow_ports shadow_ports;
    struct node *node;
    struct loaded *loaded[WORLD_APPS_MAX]; /* of the apps, in their order */
    size_t app_count;
    struct loaded *shadow; /* of one of the apps, or NULL */
    struct list clients, news; /* news: those to which something happened */
    struct journal journal;
    struct frame **placed; /* triggers that took their place since the last look; references */
    size_t placed_count;
    struct buf lines; /* the log */
    uint32_t errors;  /* lines of level error in it */
    uint64_t _seed, _steps;
    struct world_options _options;
};

/* Heap: the parts point to each other. */
struct world *world_new(const struct world_options *options);

/* Loads one rule file as one app. False: lines in errors. */
bool world_load(struct world *world, const char *path, struct buf *errors);

/* Loads the files as the rules of the apps that they name; `only`: an app that none of them names goes.
 * False: lines in errors, and nothing has changed. */
bool world_reload(struct world *world, const char *const *paths, size_t count, bool only,
                  struct buf *errors);

/* Lets the file's rules run in the shadow of those of the app that it names, in the place of an earlier
 * shadow. False: lines in errors, and nothing is shadowed. */
bool world_shadow(struct world *world, const char *path, struct buf *errors);

/* And no more. */
void world_unshadow(struct world *world);

/* Runs jobs and due timers until nothing is left to do at this moment. False: it did not end
 * within a bound, so something posts itself for ever. */
bool world_run(struct world *world);

/* Runs one round of jobs, as a loop does between two looks at its sockets. False: none was left. */
bool world_round(struct world *world);

/* Moves the time on, stopping at every due timer; ends early, with what is left of it in *ms, as
 * soon as the core has made an HTTP request or asked for a wire, so that the spec can answer it at its time. */
bool world_advance(struct world *world, uint64_t *ms);

/* Lets go of world->placed. */
void world_forget_placed(struct world *world);

/* Drains, advances until all is quiet, frees everything. False (and the reason in errors):
 * something stayed. */
bool world_free(struct world *world, struct buf *errors);
