/* What can only be seen when all declarations stand: clashes between them.
 * What is wrong with one declaration alone is said where it is made. */
#include "base/check.h"

#include <string.h>

#include "plan/plan.h"

static void fault(struct buf *errors, const struct plan_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(struct buf *errors, const struct plan_place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_printf(errors, "%s: ", place->text);
    buf_vprintf(errors, format, arguments);
    buf_add_char(errors, '\n');
    va_end(arguments);
}

static void check_topics(const struct plan *plan, struct buf *errors)
{
    for (size_t i = 0; i < plan->topic_count; i++) {
        const struct plan_topic *topic = plan->topics[i];
        for (size_t j = 0; j < i; j++) {
            const struct plan_topic *other = plan->topics[j];
            if (topic->name == other->name)
                fault(errors, &topic->place, "topic \"%s\" is declared already, at %s",
                      topic->name->text, other->place.text);
            else if (pattern_literals(topic->pattern) == pattern_literals(other->pattern) &&
                     pattern_overlaps(topic->pattern, other->pattern))
                fault(errors, &topic->place,
                      "topics \"%s\" and \"%s\" (%s) are equally literal and one name can match "
                      "both; make one of them more literal",
                      topic->name->text, other->name->text, other->place.text);
        }
    }
}

static void check_upstreams(const struct plan *plan, struct buf *errors)
{
    for (size_t i = 0; i < plan->upstream_count; i++) {
        const struct plan_upstream *upstream = plan->upstreams[i];
        if (upstream->topic && pattern_params(upstream->topic->pattern) != 1)
            fault(errors, &upstream->place,
                  "upstream \"%s\": its topic \"%s\" has %zu parameters; expected one, which takes "
                  "the key",
                  upstream->name->text, upstream->topic->name->text,
                  pattern_params(upstream->topic->pattern));
        for (size_t j = 0; j < i; j++)
            if (plan->upstreams[j]->name == upstream->name)
                fault(errors, &upstream->place, "upstream \"%s\" is declared already, at %s",
                      upstream->name->text, plan->upstreams[j]->place.text);
    }
}

static void check_origins(const struct plan_endpoint *at, struct buf *errors)
{
    for (size_t i = 0; i < at->origin_count; i++) {
        struct bytes origin = atom_bytes(at->origins[i]);
        if (bytes_is(origin, "null"))
            fault(errors, &at->place, "\"%s\": the origin \"null\" is anybody's; list exact origins",
                  at->name->text);
        else if (bytes_is(origin, "*") && at->identity)
            fault(errors, &at->place,
                  "\"%s\": the origin \"*\" cannot go with an identity; list exact origins",
                  at->name->text);
    }
}

/* Two endpoints clash where one request could mean both and neither is more literal. */
static void check_pair(const struct plan_endpoint *at, const struct plan_endpoint *other,
                       struct buf *errors)
{
    if (at->name == other->name)
        fault(errors, &at->place, "the name \"%s\" is taken already, at %s", at->name->text,
              other->place.text);
    if (at->method == other->method && pattern_literals(at->path) == pattern_literals(other->path) &&
        pattern_overlaps(at->path, other->path))
        fault(errors, &at->place, "%s %s (\"%s\") clashes with \"%s\" at %s", at->method->text,
              pattern_text(at->path).data, at->name->text, other->name->text, other->place.text);
}

static void check_endpoints(const struct plan *plan, struct buf *errors)
{
    size_t total = plan->stream_count + plan->route_count;
    for (size_t i = 0; i < total; i++) {
        const struct plan_endpoint *at =
            i < plan->stream_count ? &plan->streams[i]->at : &plan->routes[i - plan->stream_count]->at;
        check_origins(at, errors);
        for (size_t j = 0; j < i; j++)
            check_pair(at,
                       j < plan->stream_count ? &plan->streams[j]->at
                                              : &plan->routes[j - plan->stream_count]->at,
                       errors);
    }
}

bool plan_finish(struct plan *plan, struct buf *errors)
{
    size_t before = errors->size;
    check_topics(plan, errors);
    check_upstreams(plan, errors);
    check_endpoints(plan, errors);
    return errors->size == before;
}
