/* listing: what a node has at the moment - apps, topics, subscribers, links - as
 * pages of JSON for those who run it. A page has a bounded number of things, so that
 * ten thousand tabs are listed without holding anybody up; between two pages the
 * world goes on, so a walk over all of them may miss one or see one twice.
 *
 * Names of users, topics, tags and keys are shown; what authenticate said of them
 * (data, which may hold tokens) never is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct buf;
struct node;

enum { LISTING_MAX = 1000, LISTING_STANDARD = 100, LISTING_TOPICS = 50 /* of one subscriber */ };

struct listing_query {
    struct bytes app;  /* empty: all */
    struct bytes user; /* empty: everybody; of subscribers alone */
    uint64_t from;     /* how many to skip */
    uint32_t limit;    /* 1 to LISTING_MAX */
};

/* Appends {"items":[…],"next":N}: what `from` goes on at; null: there is no more. */
void listing_apps(const struct node *node, const struct listing_query *query, struct buf *out);
void listing_topics(const struct node *node, const struct listing_query *query, struct buf *out);
void listing_subscribers(const struct node *node, const struct listing_query *query,
                         struct buf *out);
void listing_links(const struct node *node, const struct listing_query *query, struct buf *out);

/* Ends a user's streams, or the one with this tag (empty: all), in all apps or one; returns how many. */
uint32_t listing_disconnect(const struct node *node, struct bytes app, struct bytes user,
                            struct bytes tag);
