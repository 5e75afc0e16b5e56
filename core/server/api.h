/* api: GET /api/apps, /api/topics, /api/subscribers, /api/links and POST /api/disconnect of
 * the admin listener; see engine/listing.h. */
#pragma once

struct exchange;
struct server;

void api_apps(struct server *server, struct exchange *exchange);
void api_topics(struct server *server, struct exchange *exchange);
void api_subscribers(struct server *server, struct exchange *exchange);
void api_links(struct server *server, struct exchange *exchange);

/* ?user=NAME, and &tag=TAG, &app=NAME to end fewer. */
void api_disconnect(struct server *server, struct exchange *exchange);
