/* databases: the Redis servers that apps' rules send commands to. A database is one connection, of one app,
 * by one url; whoever names it (a VM that has loaded, one for each generation) holds it. So a reload keeps the
 * connection as long as the url stays, and a slow command of a rule holds up that app's rules alone: neither
 * another app nor what nodes say to each other. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/dict.h"
#include "ports/log.h"
#include "ports/redis.h"

struct database;

struct databases {
    struct redis_opener *_opener; /* NULL: there is none here */
    struct log *_log;
    struct dict _by_name; /* app NUL url */
};

void databases_create(struct databases *databases, struct redis_opener *opener, struct log *log);

/* Nobody holds one any more. */
void databases_destroy(struct databases *databases);

/* One reference of the app's database at the url, for the caller; the first one opens the connection. NULL: the
 * url is none; a sentence in error. */
struct database *database_ref(struct databases *databases, struct bytes app, struct bytes url, struct buf *error);

/* The last one closes it. Nothing of its holder's may wait for an answer. */
void database_unref(struct database *database);

/* What one holder holds. Zeroed: none. */
struct database_list {
    struct database **items;
    uint32_t count;
};

/* Takes the reference; its number from 1. */
uint32_t database_list_add(struct database_list *list, struct database *database);

/* Gives all references back. */
void database_list_destroy(struct database_list *list);

/* Where commands go; NULL: nowhere, there is no Redis here (a check of rule files). */
struct redis *database_redis(const struct database *database);
