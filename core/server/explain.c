#include "server/explain.h"

#include "base/text.h"
#include "engine/explanation.h"
#include "server/admin.h"
#include "server/server.h"

static const char asked[] =
    "Ask /explain?topic=NAME, ?user=NAME or ?id=CURSOR, or several of them; "
    "&last=N, from 1 to 100, says how many triggers.";

struct question {
    struct buf topic, user, id, last, format;
    struct explanation_query query;
};

static void destroy(struct question *question)
{
    buf_destroy(&question->topic);
    buf_destroy(&question->user);
    buf_destroy(&question->id);
    buf_destroy(&question->last);
    buf_destroy(&question->format);
}

/* False: something of it is wrong. */
static bool read(struct question *question, struct bytes query)
{
    static const char *const names[] = {"topic", "user", "id", "last", "format"};
    struct buf *const values[] = {&question->topic, &question->user, &question->id, &question->last,
                                  &question->format};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!text_query_get(query, names[i], values[i])) buf_clear(values[i]);
    long long last = EXPLANATION_LAST;
    if (question->last.size) last = text_number(buf_bytes(&question->last), EXPLANATION_LAST_MAX);
    question->query = (struct explanation_query){.topic = buf_bytes(&question->topic),
                                                 .user = buf_bytes(&question->user),
                                                 .id = buf_bytes(&question->id),
                                                 .last = (uint32_t)last};
    return last > 0 && (question->topic.size || question->user.size || question->id.size);
}

static void give(struct server *server, struct exchange *exchange,
                 const struct explanation_query *query, bool text)
{
    struct buf body = BUF_EMPTY;
    switch (explanation_write(server->node, query, text ? &explanation_text : &explanation_json,
                              &body)) {
    case EXPLANATION_GIVEN:
        admin_answer(exchange, 200, text ? "text/plain; charset=utf-8" : "application/json", &body);
        return;
    case EXPLANATION_FOREIGN_ID:
        admin_refuse(exchange, 404, "foreign_id",
                     "This id is not of this server, or not of its life since its last start.");
        break;
    case EXPLANATION_OLD_ID:
        admin_refuse(exchange, 404, "old_id",
                     "The trigger with this id is older than what is kept (explain_triggers).");
        break;
    case EXPLANATION_NO_TRIGGER:
        admin_refuse(exchange, 404, "no_trigger",
                     "No trigger has this id: it is where a stream began or a heartbeat stood, or "
                     "explain_triggers is 0.");
        break;
    }
    buf_destroy(&body);
}

void explain_answer(struct server *server, struct exchange *exchange)
{
    struct question question = {.topic = BUF_EMPTY};
    const struct http_request *request = &exchange->request;
    if (read(&question, request->query))
        give(server, exchange, &question.query,
             admin_wants_text(request) && !bytes_is(buf_bytes(&question.format), "json"));
    else
        admin_refuse(exchange, 400, "bad_question", asked);
    destroy(&question);
}
