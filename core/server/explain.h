/* explain: the admin page GET /explain?topic=NAME&user=NAME&id=CURSOR&last=N: what
 * became of the last triggers (engine/explanation.h), as JSON, or as text where that
 * is asked for and no `format=json` stands in the query. */
#pragma once

struct exchange;
struct server;

void explain_answer(struct server *server, struct exchange *exchange);
