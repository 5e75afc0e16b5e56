/* listeners: the addresses of the config, listened on: opened here, passed by systemd, or shared with the
 * other workers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct config_list;
struct http;
struct http_handler;
struct listener;
struct log;
struct service;
struct worker;

struct listeners {
    struct listener **items; /* the public ones first */
    size_t public_count, count;
};

/* What is listened on, and to whom its requests go. */
struct listeners_side {
    const struct config_list *addresses;
    struct http *http;
    struct http_handler *handler;
};

struct listeners_plan {
    struct service *service;
    struct worker *worker; /* NULL: this process is the only one */
    struct listeners_side open, trusted, admin;
};

/* False: a line in errors, and what is open already ends with its http. */
bool listeners_open(struct listeners *listeners, const struct listeners_plan *plan, struct buf *errors);

/* The public ones accept no more. */
void listeners_close_public(struct listeners *listeners);

/* A line for each, with the port that the kernel chose. */
void listeners_log(const struct listeners *listeners, struct log *log);

/* The listeners themselves end with their http. */
void listeners_destroy(struct listeners *listeners);
