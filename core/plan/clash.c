/* What can only be seen when all declarations stand: clashes between them, and
 * what one says of another. What is wrong with one declaration's own options is
 * said where it is made. */
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

static void check_name(const char *what, const struct atom *name, const struct plan_place *place,
                       const struct atom *other, const struct plan_place *elsewhere,
                       struct buf *errors)
{
    if (name == other)
        fault(errors, place, "%s \"%s\" is declared already, at %s", what, name->text,
              elsewhere->text);
}

static void check_topics(const struct plan *plan, struct buf *errors)
{
    for (size_t i = 0; i < plan->topic_count; i++) {
        struct plan_topic *topic = plan->topics[i];
        for (size_t j = 0; j < i; j++) {
            struct plan_topic *other = plan->topics[j];
            check_name("topic", topic->name, &topic->place, other->name, &other->place, errors);
            if (!pattern_overlaps(topic->pattern, other->pattern)) continue;
            topic->overlapped = other->overlapped = true;
            if (topic->name != other->name &&
                pattern_literals(topic->pattern) == pattern_literals(other->pattern))
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
            check_name("upstream", upstream->name, &upstream->place, plan->upstreams[j]->name,
                       &plan->upstreams[j]->place, errors);
    }
}

/* An event's source is an upstream, an ingest or one of these. */
static void check_sources(const struct plan *plan, struct buf *errors)
{
    for (size_t i = 0; i < plan->source_count; i++) {
        const struct plan_source *source = plan->sources[i];
        const struct plan_upstream *upstream = plan_upstream_named(plan, source->name);
        const struct plan_ingest *ingest = plan_ingest_named(plan, source->name);
        if (upstream || ingest)
            fault(errors, &source->place, "the name \"%s\" is taken already, at %s",
                  source->name->text, upstream ? upstream->place.text : ingest->at.place.text);
        for (size_t j = 0; j < i; j++)
            check_name("redis", source->name, &source->place, plan->sources[j]->name,
                       &plan->sources[j]->place, errors);
    }
}

static void check_everys(const struct plan *plan, struct buf *errors)
{
    for (size_t i = 0; i < plan->every_count; i++)
        for (size_t j = 0; j < i; j++)
            check_name("every", plan->everys[i]->name, &plan->everys[i]->place,
                       plan->everys[j]->name, &plan->everys[j]->place, errors);
}

/* A subscriber has at most one lease for each upstream. */
static void check_stream_upstreams(const struct plan_stream *stream, struct buf *errors)
{
    for (size_t i = 0; i < stream->upstream_count; i++)
        for (size_t j = 0; j < i; j++)
            if (stream->upstreams[i] == stream->upstreams[j])
                fault(errors, &stream->at.place, "stream \"%s\" lists the upstream \"%s\" twice",
                      stream->at.name->text, stream->upstreams[i]->name->text);
}

static bool ends_with(struct bytes text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

/* As a browser sends it (Fetch, "serializing a request origin"): what is written otherwise would
 * never be equal. */
static bool is_origin(struct bytes text)
{
    const bool https = text.size > 8 && memcmp(text.data, "https://", 8) == 0;
    const bool http = text.size > 7 && memcmp(text.data, "http://", 7) == 0;
    if ((!http && !https) || ends_with(text, https ? ":443" : ":80")) return false;
    for (size_t i = https ? 8 : 7; i < text.size; i++)
        if (!text.data[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789-._:[]", text.data[i]))
            return false;
    return true;
}

static void check_origins(const struct plan_endpoint *at, struct buf *errors)
{
    for (size_t i = 0; i < at->origin_count; i++) {
        const struct atom *origin = at->origins[i];
        if (bytes_is(atom_bytes(origin), "null"))
            fault(errors, &at->place,
                  "\"%s\": the origin \"null\" is anybody's; list exact origins", at->name->text);
        else if (!bytes_is(atom_bytes(origin), "*") && !is_origin(atom_bytes(origin)))
            fault(errors, &at->place,
                  "\"%s\": no browser sends the origin \"%s\"; expected \"https://host\" or "
                  "\"https://host:port\": lower case, no path, no default port",
                  at->name->text, origin->text);
        else if (bytes_is(atom_bytes(origin), "*") && at->identity)
            fault(errors, &at->place,
                  "\"%s\": the origin \"*\" cannot go with an identity; list exact origins",
                  at->name->text);
    }
}

static void check_endpoints(const struct plan *plan, struct buf *errors)
{
    for (size_t i = 0; i < plan_endpoints(plan); i++) {
        const struct plan_endpoint *at = plan_endpoint(plan, i);
        check_origins(at, errors);
        for (size_t j = 0; j < i; j++) {
            const struct plan_endpoint *other = plan_endpoint(plan, j);
            if (at->name == other->name)
                fault(errors, &at->place, "the name \"%s\" is taken already, at %s",
                      at->name->text, other->place.text);
            if (plan_endpoints_clash(at, other))
                fault(errors, &at->place, "%s %s (\"%s\") clashes with \"%s\" at %s",
                      at->method->text, pattern_text(at->path).data, at->name->text,
                      other->name->text, other->place.text);
        }
    }
    for (size_t i = 0; i < plan->stream_count; i++)
        check_stream_upstreams(plan->streams[i], errors);
}

/* Both are an event's source. */
static void check_ingests(const struct plan *plan, struct buf *errors)
{
    for (size_t i = 0; i < plan->ingest_count; i++) {
        const struct plan_endpoint *at = &plan->ingests[i]->at;
        const struct plan_upstream *upstream = plan_upstream_named(plan, at->name);
        if (upstream)
            fault(errors, &at->place, "the name \"%s\" is taken already, at %s", at->name->text,
                  upstream->place.text);
        if (pattern_params(at->path))
            fault(errors, &at->place, "ingest \"%s\": its path %s has a parameter", at->name->text,
                  pattern_text(at->path).data);
    }
}

static void check_statics(const struct plan *plan, struct buf *errors)
{
    for (size_t i = 0; i < plan->static_count; i++) {
        const struct plan_endpoint *at = &plan->statics[i]->at;
        if (pattern_params(at->path))
            fault(errors, &at->place, "static \"%s\": its prefix %s has a parameter",
                  at->name->text, pattern_text(at->path).data);
        for (size_t j = 0; j < i; j++) {
            const struct plan_endpoint *other = &plan->statics[j]->at;
            check_name("static", at->name, &at->place, other->name, &other->place, errors);
            if (plan_statics_clash(plan->statics[i], plan->statics[j]))
                fault(errors, &at->place, "static \"%s\" has the prefix of \"%s\" at %s",
                      at->name->text, other->name->text, other->place.text);
        }
    }
}

bool plan_finish(struct plan *plan, struct buf *errors)
{
    size_t before = errors->size;
    check_topics(plan, errors);
    check_upstreams(plan, errors);
    check_sources(plan, errors);
    check_everys(plan, errors);
    check_endpoints(plan, errors);
    check_ingests(plan, errors);
    check_statics(plan, errors);
    return errors->size == before;
}
