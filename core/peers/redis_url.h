/* redis_url: where a Redis server is, and who we are there, as the config writes it:
 *
 *     redis://[[user]:password@]host[:port][/database]
 *     unix://[[user]:password@]/path[?db=database]
 *     redis-sentinel://[[user]:password@]host[:port],...[/database]#master
 *
 * Ports are 6379, and 26379 of sentinels; the database is 0. User, password and path may be
 * percent-encoded (and must, where they have '@', '/', ':', '?', '#' or '%' in them); an IPv6 address
 * stands in brackets. The last form is the one that Lettuce has ("Redis URI and connection details",
 * its reference guide), with the database where the first has it: the server is the one that the
 * sentinels call the master of that name. User and password are the server's: sentinels are
 * asked without one.
 *
 * rediss:// is refused: hiredis 0.14 has no TLS. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

enum { REDIS_URL_PORT = 6379, REDIS_URL_SENTINEL_PORT = 26379, REDIS_URL_HOSTS = 16 };

enum redis_url_kind { REDIS_URL_TCP, REDIS_URL_UNIX, REDIS_URL_SENTINEL };

struct redis_host {
    char *name; /* an address without brackets, or a name */
    uint16_t port;
};

struct redis_url {
    enum redis_url_kind kind;
    struct redis_host hosts[REDIS_URL_HOSTS]; /* one of TCP, the sentinels, none of UNIX */
    size_t host_count;
    char *path;     /* of UNIX */
    char *master;   /* of SENTINEL */
    char *user;     /* NULL: the default user */
    char *password; /* NULL: none */
    int database;
    char *shown; /* the url without user and password, for logs */
};

/* False: it is none; the sentence in `error` does not have the password in it, and there is nothing to destroy. */
bool redis_url_create(struct redis_url *url, struct bytes text, struct buf *error);
void redis_url_destroy(struct redis_url *url);
