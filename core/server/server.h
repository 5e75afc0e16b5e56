/* server: the parts of one node, made from a config and wired together. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/admin.h"

struct config;
struct http;
struct joint;
struct loop;
struct node;
struct recorder;
struct redis_opener;
struct rules;
struct server;
struct worker;

/* The rooms that the admin listener and the metrics read. */
struct server {
    struct config *config; /* another one after a reload */
    struct node *node;
    struct rules *rules;
    struct http *http; /* of the public listeners */
    struct loop *loop;
    struct joint *joint; /* with other nodes; NULL: a node by itself */
    struct redis_opener *redis; /* of all connections to Redis servers */
    struct recorder *recorder;
    struct worker *worker; /* NULL: not one of several */
    struct admin admin;
    struct last_reload {
        enum { RELOAD_NONE, RELOAD_GOOD, RELOAD_REFUSED } outcome;
        uint64_t wall_ms;
        uint64_t good, refused; /* how many of each so far */
        struct buf lines;
    } reload;
    struct parts *_parts;
};

/* Loads the rules and opens the listeners. NULL: one line a fault in errors. With `check` nothing
 * is opened. Takes the config, in any case. */
struct server *server_new(struct config *config, bool check, struct buf *errors);

/* Loads config and rules again and, where nothing is wrong with them, lets them take over. The report
 * has a line for people each for what changed or, if false, is wrong: then nothing has changed. With
 * `promote` they must be what is shadowed. */
bool server_reload(struct server *server, bool promote, struct buf *report);

/* Serves until TERM or INT; returns the exit code. */
int server_run(struct server *server);

void server_free(struct server *server);

/* What would be served, for `sluice check`. */
void server_describe(const struct server *server, struct buf *out);

/* What is good and probably not meant, a line each; see doubts.h. Raises the limit of descriptors,
 * to see how far it goes. */
void server_doubt(const struct server *server, struct buf *out);
