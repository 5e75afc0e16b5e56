#include "server/api.h"

#include "base/text.h"
#include "engine/listing.h"
#include "server/admin.h"
#include "server/server.h"

static const char asked[] =
    "Ask with ?app=NAME, &user=NAME (of subscribers), &limit=N from 1 to 1000 (100) and &from=N, the "
    "`next` of the page before; or with none of them.";

/* What the request's query may say; see struct listing_query. */
struct question {
    struct buf app, user, tag, from, limit;
};

/* False: it is broken, and who is meant is not known; a tag that cannot be read is not all tabs. */
static bool read(struct question *question, struct bytes query)
{
    static const char *const names[] = {"app", "user", "tag", "from", "limit"};
    struct buf *const values[] = {&question->app, &question->user, &question->tag, &question->from,
                                  &question->limit};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!text_query_get(query, names[i], values[i])) buf_clear(values[i]);
    return text_query_is_whole(query);
}

static void destroy(struct question *question)
{
    buf_destroy(&question->app);
    buf_destroy(&question->user);
    buf_destroy(&question->tag);
    buf_destroy(&question->from);
    buf_destroy(&question->limit);
}

static void give(struct server *server, struct exchange *exchange,
                 void (*write)(const struct node *node, const struct listing_query *query,
                               struct buf *out))
{
    struct question question = {.app = BUF_EMPTY};
    struct buf body = BUF_EMPTY;
    const bool whole = read(&question, exchange->request.query);
    long long from = 0, limit = LISTING_STANDARD;
    if (question.from.size) from = text_number(buf_bytes(&question.from), 1LL << 40);
    if (question.limit.size) limit = text_number(buf_bytes(&question.limit), LISTING_MAX);
    const struct listing_query query = {.app = buf_bytes(&question.app),
                                        .user = buf_bytes(&question.user),
                                        .from = (uint64_t)from,
                                        .limit = (uint32_t)limit};
    if (!whole || from < 0 || limit < 1) {
        admin_refuse(exchange, 400, "bad_question", asked);
    } else {
        write(server->node, &query, &body);
        admin_answer(exchange, 200, "application/json", &body);
    }
    destroy(&question);
}

void api_apps(struct server *server, struct exchange *exchange)
{
    give(server, exchange, listing_apps);
}

void api_topics(struct server *server, struct exchange *exchange)
{
    give(server, exchange, listing_topics);
}

void api_subscribers(struct server *server, struct exchange *exchange)
{
    give(server, exchange, listing_subscribers);
}

void api_links(struct server *server, struct exchange *exchange)
{
    give(server, exchange, listing_links);
}

void api_disconnect(struct server *server, struct exchange *exchange)
{
    struct question question = {.app = BUF_EMPTY};
    struct buf body = BUF_EMPTY;
    if (!read(&question, exchange->request.query) || !question.user.size) {
        admin_refuse(exchange, 400, "bad_question",
                     "Say whom: ?user=NAME, with &tag=TAG for one tab and &app=NAME for one app.");
    } else {
        buf_printf(&body, "{\"disconnected\":%u}\n",
                   listing_disconnect(server->node, buf_bytes(&question.app),
                                      buf_bytes(&question.user), buf_bytes(&question.tag)));
        admin_answer(exchange, 200, "application/json", &body);
    }
    destroy(&question);
}
