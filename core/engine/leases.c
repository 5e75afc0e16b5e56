#include "engine/leases.h"

#include "base/alloc.h"
#include "engine/errand.h"
#include "engine/feeds.h"
#include "engine/seat.h"

struct hold {
    struct lease lease;
    bool unasked; /* its key */
};

struct leases {
    struct seat *seat;
    struct job job;
    struct errand errand; /* asks for the key of holds[asking] */
    size_t asking, count;
    struct hold holds[]; /* in the order of the stream's upstreams */
};

static void ask(struct job *job);

static struct leases *leases_new(struct seat *seat)
{
    const size_t count = seat->stream->upstream_count;
    if (!count) return NULL;
    struct leases *leases = xcalloc(1, sizeof(*leases) + count * sizeof(struct hold));
    leases->seat = seat;
    leases->count = count;
    job_create(&leases->job, ask);
    return leases;
}

static void leases_free(struct leases *leases)
{
    if (!leases) return;
    later_cancel(&leases->job);
    errand_cancel(&leases->errand);
    for (size_t i = 0; i < leases->count; i++) lease_release(&leases->holds[i].lease);
    xfree(leases);
}

/* Where the stream names this upstream; its upstream_count: nowhere. */
static size_t index_of(const struct plan_stream *stream, const struct atom *name)
{
    size_t i = 0;
    while (i < stream->upstream_count && stream->upstreams[i]->name != name) i++;
    return i;
}

static bool take(struct leases *leases, size_t index, struct bytes key)
{
    struct seat *seat = leases->seat;
    return feeds_lease(app_feeds(seat->app), seat->stream->upstreams[index], key, seat,
                       &leases->holds[index].lease);
}

/* ---- the keys that are new ---- */

static void ask_later(struct leases *leases)
{
    later_post(app_ports(leases->seat->app)->later, LATER_SOON, &leases->job);
}

static void on_key(void *owner, const struct hook_result *result)
{
    struct leases *leases = owner;
    struct hold *hold = &leases->holds[leases->asking];
    errand_over(&leases->errand);
    hold->unasked = false;
    const bool known = result->outcome != OUTCOME_UNKNOWN;
    const bool leased = result->outcome != OUTCOME_YES || !result->text.size ||
                        take(leases, leases->asking, result->text);
    if (known && leased)
        ask_later(leases);
    else
        subscriber_end(leases->seat->subscriber, END_RELOAD);
}

static void ask(struct job *job)
{
    struct leases *leases = CONTAINER(job, struct leases, job);
    struct seat *seat = leases->seat;
    for (size_t i = 0; i < leases->count; i++) {
        if (!leases->holds[i].unasked) continue;
        const struct hook_call call = {
            .kind = HOOK_KEY, .hook = seat->stream->upstreams[i]->key, .seat = seat};
        leases->asking = i;
        errand_start(&leases->errand, seat->generation, &call, on_key, leases);
        return;
    }
}

/* ---- the face ---- */

bool leases_take(struct seat *seat, const struct plan_stream *asked, const struct buf *keys)
{
    struct leases *leases = seat->leases = leases_new(seat);
    for (size_t i = 0; leases && i < leases->count; i++) {
        const size_t at = index_of(asked, seat->stream->upstreams[i]->name);
        if (at == asked->upstream_count) {
            leases->holds[i].unasked = true;
            ask_later(leases);
        } else if (keys[at].size && !take(leases, i, buf_bytes(&keys[at]))) {
            return false;
        }
    }
    return true;
}

void leases_begin(struct seat *seat, bool resumes)
{
    struct leases *leases = seat->leases;
    for (size_t i = 0; leases && i < leases->count; i++)
        lease_begin(&leases->holds[i].lease, resumes);
}

void leases_swap(struct seat *seat, const struct plan_stream *last)
{
    struct leases *before = seat->leases;
    struct leases *leases = seat->leases = leases_new(seat);
    for (size_t i = 0; leases && i < leases->count; i++) {
        const size_t at = index_of(last, seat->stream->upstreams[i]->name);
        struct hold *hold = &leases->holds[i];
        hold->unasked = at == last->upstream_count || before->holds[at].unasked;
        if (hold->unasked)
            ask_later(leases);
        else
            lease_move(&before->holds[at].lease, &hold->lease);
    }
    leases_free(before);
}

void leases_release(struct seat *seat)
{
    leases_free(seat->leases);
    seat->leases = NULL;
}
