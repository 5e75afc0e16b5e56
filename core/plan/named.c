/* Declarations are found again by their name: that is all that two generations
 * of one app have in common. */
#include "plan/plan.h"

bool plan_topic_has_type(const struct plan_topic *topic, struct bytes type)
{
    for (size_t i = 0; i < topic->type_count; i++)
        if (bytes_equal(atom_bytes(topic->types[i]), type)) return true;
    return !topic->typed;
}

struct plan_stream *plan_stream_named(const struct plan *plan, const struct atom *name)
{
    for (size_t i = 0; i < plan->stream_count; i++)
        if (plan->streams[i]->at.name == name) return plan->streams[i];
    return NULL;
}

struct plan_upstream *plan_upstream_named(const struct plan *plan, const struct atom *name)
{
    for (size_t i = 0; i < plan->upstream_count; i++)
        if (plan->upstreams[i]->name == name) return plan->upstreams[i];
    return NULL;
}

struct plan_source *plan_source_named(const struct plan *plan, const struct atom *name)
{
    for (size_t i = 0; i < plan->source_count; i++)
        if (plan->sources[i]->name == name) return plan->sources[i];
    return NULL;
}

struct plan_ingest *plan_ingest_named(const struct plan *plan, const struct atom *name)
{
    for (size_t i = 0; i < plan->ingest_count; i++)
        if (plan->ingests[i]->at.name == name) return plan->ingests[i];
    return NULL;
}

struct plan_every *plan_every_named(const struct plan *plan, const struct atom *name)
{
    for (size_t i = 0; i < plan->every_count; i++)
        if (plan->everys[i]->name == name) return plan->everys[i];
    return NULL;
}
