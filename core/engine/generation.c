#include "engine/generation.h"

#include "base/alloc.h"
#include "base/check.h"

struct generation {
    struct plan *plan;
    struct hooks *hooks;
    struct later *later;
    generation_over_f *over;
    void *owner;
    struct job end;
    uint32_t refs;
};

static void end(struct job *job)
{
    struct generation *generation = CONTAINER(job, struct generation, end);
    generation_over_f *over = generation->over;
    void *owner = generation->owner;
    CHECK(generation->refs == 0);
    xfree(generation);
    if (over) over(owner);
}

struct generation *generation_new(struct plan *plan, struct hooks *hooks, struct later *later,
                                  generation_over_f *over, void *owner)
{
    struct generation *generation = xcalloc(1, sizeof(*generation));
    generation->plan = plan;
    generation->hooks = hooks;
    generation->later = later;
    generation->over = over;
    generation->owner = owner;
    generation->refs = 1;
    job_create(&generation->end, end);
    return generation;
}

struct generation *generation_ref(struct generation *generation)
{
    CHECK(generation->refs > 0);
    generation->refs++;
    return generation;
}

void generation_unref(struct generation *generation)
{
    CHECK(generation->refs > 0);
    if (--generation->refs == 0) later_post(generation->later, LATER_SOON, &generation->end);
}

void generation_set(struct generation **held, struct generation *generation)
{
    struct generation *last = *held;
    *held = generation_ref(generation);
    generation_unref(last);
}

const struct plan *generation_plan(const struct generation *generation)
{
    return generation->plan;
}

struct hooks *generation_hooks(const struct generation *generation)
{
    return generation->hooks;
}

uint32_t generation_refs(const struct generation *generation)
{
    return generation->refs;
}
